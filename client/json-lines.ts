import type { KubeObject, WatchEvent } from '../api/object.ts';

const newline = 0x0a;

/**
 * Splits a watch response into events, all that one chunk completes at a time. Works on bytes, so that a
 * character cut by a chunk border is never decoded in halves.
 * @throws {SyntaxError} for a line that is not JSON.
 */
export async function* readWatchLines<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<WatchEvent<T>[], void, void> {
  let pending: Uint8Array[] = [];
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(newline);
    if (end < 0) {
      pending.push(chunk);
      continue;
    }
    const complete = Buffer.concat([...pending, chunk.subarray(0, end)]).toString('utf8');
    pending = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
    const events = complete
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as WatchEvent<T>);
    if (events.length > 0) yield events;
  }
}
