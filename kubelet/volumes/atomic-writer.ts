import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface ProjectedFile {
  data: Buffer;
  mode: number;
}

/** Files by their path in the volume, with `/` between folders. */
export type Projection = ReadonlyMap<string, ProjectedFile>;

const dataLink = '..data';
const newDataLink = '..data_tmp';

/** The first part of each path: what users see at the top of the volume. */
const topNames = (projection: Projection): Set<string> =>
  new Set([...projection.keys()].map((path) => path.split('/')[0]!));

async function currentDirectory(target: string): Promise<string | undefined> {
  try {
    return await readlink(join(target, dataLink));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function agrees(directory: string, projection: Projection): Promise<boolean> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  if (files.length !== projection.size) return false;
  for (const [path, { data, mode }] of projection) {
    const file = join(directory, path);
    try {
      if (((await stat(file)).mode & 0o777) !== (mode & 0o777)) return false;
      if (!(await readFile(file)).equals(data)) return false;
    } catch {
      // Missing or of another kind: it is written anew.
      return false;
    }
  }
  return true;
}

/** `..2026_01_31_12_00_00.` and six random characters, as the kubelet names the data's folder. */
const directoryPrefix = (now: Date): string =>
  `..${now.toISOString().slice(0, 19).replaceAll('-', '_').replace('T', '_').replaceAll(':', '_')}.`;

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    // Not there, or not a link: it is made.
    return undefined;
  }
}

/**
 * Makes a folder show exactly these files, all at once: a reader sees the old set or the new one, never a mix.
 * The data lies in a folder of its own; `..data` points to it and is swapped by a rename; what users open are
 * links through `..data`. Does nothing when the files agree already, and may be cut off at any step.
 * @returns whether anything was written
 */
export async function writeAtomically(
  target: string,
  projection: Projection,
  options: { group?: number } = {},
): Promise<boolean> {
  const current = await currentDirectory(target);
  const wanted = topNames(projection);
  if (current !== undefined && (await agrees(join(target, current), projection).catch(() => false))) {
    await Promise.all([...wanted].map((name) => ensureLink(target, name)));
    return false;
  }
  const directory = await mkdtemp(join(target, directoryPrefix(new Date())));
  await chmod(directory, 0o755);
  for (const [path, { data, mode }] of projection) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, data);
    // The mode of writeFile is subject to the umask.
    await chmod(file, mode);
    if (options.group !== undefined) await chown(file, 0, options.group);
  }
  await rm(join(target, newDataLink), { force: true });
  await symlink(directory.slice(target.length + 1), join(target, newDataLink));
  await rename(join(target, newDataLink), join(target, dataLink));
  await Promise.all([...wanted].map((name) => ensureLink(target, name)));
  const kept = new Set([...wanted, dataLink, directory.slice(target.length + 1)]);
  for (const name of await readdir(target))
    if (!kept.has(name)) await rm(join(target, name), { recursive: true, force: true });
  return true;
}

async function ensureLink(target: string, name: string): Promise<void> {
  const link = join(target, name);
  const through = `${dataLink}/${name}`;
  if ((await linkTarget(link)) === through) return;
  await rm(link, { recursive: true, force: true });
  await symlink(through, link);
}
