import { createHash, timingSafeEqual } from 'node:crypto';
import type { User } from '../rest/request-context.ts';
import type { TokenAuthenticator } from './authenticator.ts';

/** A malformed token file. The message names the line. */
export class TokenFileError extends Error {
  override name = 'TokenFileError';
}

/** One line of CSV with double-quoted fields. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,]*))(,|$)/gy;
  for (let match = pattern.exec(line); match; match = pattern.exec(line)) {
    fields.push((match[1]?.replaceAll('""', '"') ?? match[2] ?? '').trim());
    if (match[3] === '') break;
  }
  return fields;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * The tokens of a `--token-auth-file`: lines of `token,user,uid,"group1,group2"`.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file
 * @throws {TokenFileError}
 */
export function staticTokens(csv: string): TokenAuthenticator {
  const users: { digest: Buffer; user: User }[] = [];
  for (const [index, line] of csv.split(/\r?\n/).entries()) {
    if (!line.trim() || line.startsWith('#')) continue;
    const [token, name, uid, groups = ''] = fieldsOf(line);
    if (!token || !name || uid === undefined)
      throw new TokenFileError(`line ${index + 1}: token, user name and user uid are required`);
    users.push({
      digest: digest(token),
      user: {
        name,
        uid,
        groups: groups
          .split(',')
          .map((group) => group.trim())
          .filter(Boolean),
      },
    });
  }
  return {
    authenticate(token) {
      // Digests are of equal length and say nothing of the token, so comparing them leaks nothing by its time.
      const wanted = digest(token);
      return users.find((entry) => timingSafeEqual(entry.digest, wanted))?.user;
    },
  };
}
