import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The route could not be changed; the message says what `ip` said. */
export class RouteError extends Error {
  override name = 'RouteError';
}

async function ip(args: readonly string[]): Promise<string> {
  try {
    return (await run('ip', args)).stdout;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new RouteError(`ip ${args.join(' ')}: ${stderr?.trim() || message}`);
  }
}

/**
 * Makes every address of the service network local to this machine, for its pods too (AnyIP): any of them
 * can be listened on, and one that nobody listens on refuses at once. Doing it again changes nothing.
 * @throws {RouteError}
 */
export async function ensureServiceRoute(cidr: string): Promise<void> {
  await ip(['route', 'replace', 'local', cidr, 'dev', 'lo']);
}

/** Takes the route back; a route that is not there is fine. @throws {RouteError} */
export async function removeServiceRoute(cidr: string): Promise<void> {
  try {
    await ip(['route', 'del', 'local', cidr, 'dev', 'lo']);
  } catch (error) {
    if (!/No such process/.test((error as Error).message)) throw error;
  }
}
