import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** The name servers of a resolv.conf, in order. https://man7.org/linux/man-pages/man5/resolv.conf.5.html */
export function parseNameservers(text: string): string[] {
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
    .filter((server) => isIP(server.split('%')[0]!) !== 0);
}

/** How often the file is looked at again, in milliseconds. */
const lookAgain = 5_000;

/**
 * The node's name servers, read again when the file changes. `exclude` drops those that lead back here.
 * A file that cannot be read means none.
 */
export function nodeNameservers(path: string, exclude: (server: string) => boolean): () => readonly string[] {
  let servers: readonly string[] = [];
  let lookedAt = Number.NEGATIVE_INFINITY;
  let version = '';
  return () => {
    const now = performance.now();
    if (now - lookedAt < lookAgain) return servers;
    lookedAt = now;
    try {
      const { mtimeMs, ino, size } = statSync(path);
      const found = `${mtimeMs} ${ino} ${size}`;
      if (found !== version) {
        servers = parseNameservers(readFileSync(path, 'utf8')).filter((server) => !exclude(server));
        version = found;
      }
    } catch {
      servers = [];
      version = '';
    }
    return servers;
  };
}
