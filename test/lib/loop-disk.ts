import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isMounted, runSystem, unmount } from './mounts.ts';

const prefix = 'nekalakube-disk-';
const sector = 512;
const chunk = 1024 * 1024;
/** The kernel must not commit by itself what nobody has synced: it would hide a missing sync. */
const mountOptions = 'commit=300,noatime';

/** What is to be left of a power cut. */
export interface PowerCut {
  /**
   * The share, 0 to 1, of sectors that survive of what the file system has handed to the disk without a flush.
   * A disk may lose all of it, keep all, or keep some in any order.
   */
  kept: number;
  /** Numbers from 0 to 1 that choose the sectors. */
  random: () => number;
}

/**
 * An ext4 file system on a disk that can lose its power. Data take the way they take in a machine: from the
 * page cache of the file system to the disk's volatile cache (one loop device upon another, and the page cache
 * between them), and by a flush from there to the image file, which is all that outlasts {@link LoopDisk.cut}.
 * Needs root. Goes away with the process, also when it is interrupted; what a killed process left behind is
 * removed by the next.
 */
export class LoopDisk {
  /** Where it is mounted, before and after a power cut. */
  readonly directory: string;
  private readonly root: string;
  private readonly image: string;
  private readonly onExit = () => this.remove();
  /** Names of the loop devices: the one on the image, and the one on that, which the file system is on. */
  private devices: { cache: string; disk: string } = { cache: '', disk: '' };
  private removed = false;

  private constructor(root: string) {
    this.root = root;
    this.directory = join(root, 'mounted');
    this.image = join(root, 'image');
  }

  /** @throws {Error} with the words of the program that failed: mkfs.ext4, losetup or mount. */
  static create(megabytes: number): LoopDisk {
    removeLeftovers();
    endOnSignals();
    const disk = new LoopDisk(mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`)));
    process.once('exit', disk.onExit);
    try {
      mkdirSync(disk.directory);
      writeFileSync(disk.image, '');
      truncateSync(disk.image, megabytes * 1024 * 1024);
      // All is written now: nothing works in the background later.
      const options = ['-E', 'lazy_itable_init=0,lazy_journal_init=0', '-b', '4096', '-N', '1024', '-m', '0'];
      runSystem('mkfs.ext4', ['-q', '-F', ...options, disk.image]);
      disk.attach();
    } catch (error) {
      disk.remove();
      throw error;
    }
    return disk;
  }

  /** The reason in words why such disks cannot be made here; undefined when they can. */
  static unavailable(): string | undefined {
    if (process.getuid?.() !== 0) return 'a power cut needs loop devices, and those need root';
    try {
      LoopDisk.create(16).remove();
      return undefined;
    } catch (error) {
      return `a power cut needs loop devices and mkfs.ext4: ${(error as Error).message.trim()}`;
    }
  }

  /**
   * Cuts the power and turns it on again: the file system is mounted anew from what had reached the disk. No
   * process may use it any more; what those before have left unsynced is lost.
   */
  cut({ kept, random }: PowerCut): void {
    const next = join(this.root, 'next');
    this.copyImage(next);
    if (kept > 0) {
      // Now the image is given what it would lose, and is what the disk would be if it kept all.
      flush(`/dev/${this.devices.cache}`);
      keepSectors(this.image, next, { kept, random });
    }
    this.detach();
    renameSync(next, this.image);
    this.attach();
  }

  /** Unmounts and removes it. */
  remove(): void {
    if (this.removed) return;
    this.removed = true;
    process.off('exit', this.onExit);
    this.detach();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** The copy is of one moment: it is made again when something was written meanwhile. */
  private copyImage(to: string): void {
    for (let attempt = 0; attempt < 50; attempt++) {
      const before = this.written();
      runSystem('cp', ['--sparse=always', this.image, to]);
      if (before !== undefined && before === this.written()) return;
    }
    throw new Error('the disk does not come to rest, is a process still writing?');
  }

  /** What the devices have written and flushed until now; undefined while they are at work. */
  private written(): string | undefined {
    // https://docs.kernel.org/block/stat.html
    const counts = [this.devices.cache, this.devices.disk].map((name) => {
      const fields = readFileSync(`/sys/block/${name}/stat`, 'utf8').trim().split(/\s+/);
      return { inFlight: fields[8], written: `${fields[4]} ${fields[6]} ${fields[11]} ${fields[15]}` };
    });
    if (counts.some(({ inFlight }) => inFlight !== '0')) return undefined;
    return counts.map(({ written }) => written).join();
  }

  private attach(): void {
    const open = (on: string) => basename(runSystem('losetup', ['--find', '--show', on]).trim());
    const cache = open(this.image);
    this.devices = { cache, disk: '' };
    const disk = open(`/dev/${cache}`);
    this.devices = { cache, disk };
    runSystem('mount', ['-t', 'ext4', '-o', mountOptions, `/dev/${disk}`, this.directory]);
    // From now on the devices go when the mount goes.
    release(disk);
    release(cache);
  }

  private detach(): void {
    const { cache, disk } = this.devices;
    this.devices = { cache: '', disk: '' };
    const mounted = isMounted(this.directory);
    unmount(this.directory);
    if (mounted) return;
    for (const name of [disk, cache]) if (name) release(name);
  }
}

/** Frees a loop device, or has the kernel free it when its last user is gone. */
function release(name: string): void {
  execFileSync('losetup', ['--detach', `/dev/${name}`], { stdio: 'ignore' });
}

function flush(device: string): void {
  const fd = openSync(device, 'r+');
  fsyncSync(fd);
  closeSync(fd);
}

/** Takes over sectors of one disk into another, each with the probability `kept`. */
function keepSectors(from: string, to: string, { kept, random }: PowerCut): void {
  const source = openSync(from, 'r');
  const target = openSync(to, 'r+');
  const theirs = Buffer.alloc(chunk);
  const ours = Buffer.alloc(chunk);
  try {
    for (let at = 0; ; at += chunk) {
      const length = readSync(source, theirs, 0, chunk, at);
      if (length === 0) return;
      ours.fill(0);
      readSync(target, ours, 0, length, at);
      if (ours.equals(theirs)) continue;
      for (let start = 0; start < length; start += sector) {
        const end = start + sector;
        if (theirs.compare(ours, start, end, start, end) !== 0 && random() < kept)
          writeSync(target, theirs, start, sector, at + start);
      }
    }
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

/** Disks of processes that were killed. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length).split('-')[0] : undefined;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    unmount(join(tmpdir(), name, 'mounted'));
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

let signalsEnd = false;

/** A signal must run what is to be done at exit. */
function endOnSignals(): void {
  if (signalsEnd) return;
  signalsEnd = true;
  for (const [signal, code] of [
    ['SIGINT', 130] as const,
    ['SIGTERM', 143] as const,
    ['SIGHUP', 129] as const,
  ])
    process.once(signal, () => process.exit(code));
}
