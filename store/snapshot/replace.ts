import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lockData } from '../data-lock.ts';
import { syncFile } from '../sync-file.ts';
import { SnapshotError } from './file.ts';

const isEmpty = (directory: string) => !existsSync(directory) || readdirSync(directory).length === 0;

/**
 * Makes a data directory with `fill`, which is given another directory to work in: the data directory has all of
 * it or, whenever the process ends, what it had before. Data that are there already are kept beside it.
 * Returns what `fill` gave and where the data of before are.
 * @throws {SnapshotError} if there are data and no `replaceAt`
 * @throws {DataLockedError} if a store runs on the directory, or another restore
 */
export async function replaceData<T>(options: {
  dataDir: string;
  /** Put data that are there already aside, under a name with this time. */
  replaceAt: Date | undefined;
  fill: (directory: string) => Promise<T>;
}): Promise<{ result: T; before: string | undefined }> {
  const { dataDir, replaceAt, fill } = options;
  const used = !isEmpty(dataDir);
  if (used && !replaceAt)
    throw new SnapshotError(`the data directory ${dataDir} is not empty: --replace puts its data aside`);
  const working = `${dataDir}.restoring`;
  mkdirSync(dirname(dataDir), { recursive: true });
  const locks = [used ? await lockData(dataDir) : undefined];
  try {
    locks.push(await lockData(working));
    for (const left of readdirSync(working)) rmSync(join(working, left), { recursive: true });
    const result = await fill(working).catch((error: unknown) => {
      rmSync(working, { recursive: true, force: true });
      throw error;
    });
    const before = used && replaceAt ? freeName(`${dataDir}.before-${stamp(replaceAt)}`) : undefined;
    if (before) renameSync(dataDir, before);
    else if (existsSync(dataDir)) rmdirSync(dataDir);
    renameSync(working, dataDir);
    // The renames outlast a power cut.
    await syncFile(dirname(dataDir));
    return { result, before };
  } finally {
    for (const lock of locks) lock?.close();
  }
}

/** `20261123T014500Z` */
const stamp = (now: Date) => now.toISOString().replace(/[-:]|\.\d+/g, '');

function freeName(wanted: string): string {
  let name = wanted;
  for (let count = 2; existsSync(name); count++) name = `${wanted}-${count}`;
  return name;
}
