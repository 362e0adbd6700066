import type { Stats } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { HostPathVolumeSource } from '../../api/types/core-v1.ts';
import { VolumeError } from './volume-error.ts';

interface TypeCheck {
  is(stats: Stats): boolean;
  what: string;
}

const directory: TypeCheck = { is: (stats) => stats.isDirectory(), what: 'directory' };
const file: TypeCheck = { is: (stats) => stats.isFile(), what: 'file' };
const checks: Readonly<Record<string, TypeCheck>> = {
  Directory: directory,
  DirectoryOrCreate: directory,
  File: file,
  FileOrCreate: file,
  Socket: { is: (stats) => stats.isSocket(), what: 'socket file' },
  CharDevice: { is: (stats) => stats.isCharacterDevice(), what: 'character device' },
  BlockDevice: { is: (stats) => stats.isBlockDevice(), what: 'block device' },
};

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes sure that a hostPath is what its type says, creating it where the type (or no type) allows.
 * https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types
 * @throws {VolumeError} if it is not
 */
export async function prepareHostPath(source: HostPathVolumeSource): Promise<void> {
  const type = source.type ?? '';
  const found = await statOf(source.path);
  if (!found) {
    if (type === '' || type === 'DirectoryOrCreate') {
      await mkdir(source.path, { recursive: true, mode: 0o755 });
      return;
    }
    if (type === 'FileOrCreate' && (await statOf(dirname(source.path)))) {
      await (await open(source.path, 'a', 0o644)).close();
      return;
    }
  }
  const check = checks[type];
  if (!check || (found && check.is(found))) return;
  throw new VolumeError(`hostPath type check failed: ${source.path} is not a ${check.what}`);
}
