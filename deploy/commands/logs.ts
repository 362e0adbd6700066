import { closeSync, existsSync, openSync, readdirSync, readSync, statSync, watch } from 'node:fs';
import { basename } from 'node:path';
import { pathsOf } from '../paths.ts';
import { UserError } from '../user-error.ts';

export interface LogsOptions {
  dataDir: string;
  component: string;
  follow: boolean;
  /** Last lines to show; all without it. */
  tail?: number;
}

/** Offset of the last `lines` lines of a file. */
export function tailOffset(content: Buffer, lines: number): number {
  let offset = content.length;
  // The newline that ends the last line does not start another one.
  if (content[offset - 1] === 0x0a) offset--;
  for (let left = lines; left > 0 && offset >= 0; left--)
    offset = offset <= 0 ? -1 : content.lastIndexOf(0x0a, offset - 1);
  return offset + 1;
}

/** Prints a component's log; with `follow` until interrupted, across the log being turned over. */
export async function logs(options: LogsOptions): Promise<void> {
  const paths = pathsOf(options.dataDir);
  const path = paths.log(options.component);
  if (!existsSync(path) || basename(path) !== `${options.component}.log`) {
    const known = existsSync(paths.logs)
      ? readdirSync(paths.logs)
          .filter((file) => file.endsWith('.log'))
          .map((file) => file.slice(0, -4))
      : [];
    throw new UserError(
      `no log of ${JSON.stringify(options.component)} in ${paths.logs}` +
        (known.length ? `; there are: ${known.sort().join(', ')}` : ''),
    );
  }
  const file = openSync(path, 'r');
  let position = 0;
  const copy = () => {
    // Turned over: the file starts again.
    if (statSync(path).size < position) position = 0;
    const buffer = Buffer.alloc(65_536);
    for (let read = readSync(file, buffer, 0, buffer.length, position); read > 0; ) {
      process.stdout.write(buffer.subarray(0, read));
      position += read;
      read = readSync(file, buffer, 0, buffer.length, position);
    }
  };
  if (options.tail !== undefined) {
    const content = Buffer.alloc(statSync(path).size);
    readSync(file, content, 0, content.length, 0);
    position = tailOffset(content, options.tail);
  }
  copy();
  if (!options.follow) return closeSync(file);
  const watcher = watch(path, copy);
  copy();
  await new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  watcher.close();
  closeSync(file);
}
