import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { User } from '../rest/request-context.ts';

/** Recognizes the user of a bearer token; undefined if it is not one of its own. */
export interface TokenAuthenticator {
  authenticate(token: string): Promise<User | undefined> | User | undefined;
}

/** Group of everybody who was recognized. */
export const authenticated = 'system:authenticated';

/**
 * Tells who sends a request: by client certificate (common name the user, organizations the groups), else by
 * bearer token. https://kubernetes.io/docs/reference/access-authn-authz/authentication/
 */
export class Authenticator {
  readonly #tokens: readonly TokenAuthenticator[];
  // A connection's certificate does not change, and reading it is slow.
  readonly #bySocket = new WeakMap<object, User | null>();

  constructor(tokens: readonly TokenAuthenticator[]) {
    this.#tokens = tokens;
  }

  /** The user; undefined if there are no credentials or none that are good. */
  async authenticate(request: IncomingMessage): Promise<User | undefined> {
    const byCertificate = this.#fromCertificate(request.socket as TLSSocket);
    if (byCertificate) return byCertificate;
    const header = request.headers.authorization;
    const match = header && /^Bearer +(\S+) *$/i.exec(header);
    if (!match) return undefined;
    return this.authenticateToken(match[1]!);
  }

  /** The user of a token; undefined if nobody knows it. */
  async authenticateToken(token: string): Promise<User | undefined> {
    for (const authenticator of this.#tokens) {
      const user = await authenticator.authenticate(token);
      if (user) return { ...user, groups: [...user.groups, authenticated] };
    }
    return undefined;
  }

  #fromCertificate(socket: TLSSocket): User | undefined {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) return known ?? undefined;
    const user = socket.authorized ? userOf(socket) : undefined;
    this.#bySocket.set(socket, user ?? null);
    return user;
  }
}

function userOf(socket: TLSSocket): User | undefined {
  const subject = socket.getPeerCertificate().subject as
    | { CN?: string | string[]; O?: string | string[] }
    | undefined;
  const name = Array.isArray(subject?.CN) ? subject.CN[0] : subject?.CN;
  if (!name) return undefined;
  const organizations = subject?.O === undefined ? [] : [subject.O].flat();
  return { name, groups: [...organizations, authenticated] };
}
