import { constants, write as writeCallback, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { syncFile } from '../sync-file.ts';
import {
  type JournalRecord,
  latestRecord,
  type Operation,
  RecordKind,
  readRecord,
  readRecords,
  recordSize,
  writeRecord,
} from './journal-record.ts';

const write = promisify(writeCallback);
const segmentNames = ['0', '1'] as const;
const segmentBytes = 32 * 1024 * 1024;
const fillBytes = 1024 * 1024;
const stagingBytes = 256 * 1024;
/**
 * So little, on a disk that has lately been so fast, is written without handing it to another thread: that would
 * take longer than the write.
 */
const shortBytes = 64 * 1024;
const shortMilliseconds = 0.5;

/** What an earlier run has left. */
export interface JournalContents {
  /** The newest records, oldest first, without a gap. */
  records: JournalRecord[];
  /** A record that is newer than those, behind damage. */
  beyond: JournalRecord | undefined;
  /** The segment to go on in: what it holds is not needed any more once the records are dealt with. */
  next: number;
}

/** Reads what a journal in a directory holds; nothing when there is none. */
export async function readJournal(directory: string): Promise<JournalContents> {
  for (const [next, name] of segmentNames.entries()) {
    const first = readRecord(await readStart(join(directory, name)), 0)?.record;
    if (first?.kind === RecordKind.end) return { records: [first], beyond: undefined, next };
  }
  const segments = await Promise.all(segmentNames.map((name) => readWhole(join(directory, name))));
  const [a, b] = segments.map((segment) => readRecords(segment)) as [Records, Records];
  const newest = lastSequence(b) > lastSequence(a) ? 1 : 0;
  const [older, newer] = newest === 1 ? [a, b] : [b, a];
  const joined = older.records.length > 0 && newer.records[0]?.sequence === lastSequence(older) + 1;
  const records = joined ? [...older.records, ...newer.records] : newer.records;
  let beyond: JournalRecord | undefined;
  for (const [index, segment] of segments.entries()) {
    const found = latestRecord(segment, (index === 0 ? a : b).end);
    if (found && found.sequence > Math.max(lastSequence(newer), beyond?.sequence ?? 0)) beyond = found;
  }
  return { records, beyond, next: 1 - newest };
}

type Records = ReturnType<typeof readRecords>;
const lastSequence = ({ records }: Records) => records.at(-1)?.sequence ?? -1;

async function readWhole(path: string): Promise<Buffer> {
  return readFile(path).catch(ignoreMissing);
}

async function readStart(path: string): Promise<Buffer> {
  const file = await open(path).catch(ignoreMissing);
  if (Buffer.isBuffer(file)) return file;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): Buffer {
  if (error.code === 'ENOENT') return Buffer.alloc(0);
  throw error;
}

/**
 * What makes a write durable: two files of fixed size, written in turn, each write synced. Their blocks exist
 * before they are needed, so a sync has no metadata to write and costs half of one of a growing file.
 *
 * Invariants: {@link append} is never called while another is running; a segment is only written over when
 * LevelDB durably holds all that is in it.
 */
export class Journal {
  private readonly segments: readonly FileHandle[];
  private readonly checkpoint: () => Promise<void>;
  private current: number;
  private position = 0;
  private staging = Buffer.alloc(stagingBytes);
  /** Milliseconds that a write takes these days. */
  private typical = 0;
  /** Until the segment that is not being written can be. */
  private preparing = Promise.resolve();

  private constructor(options: {
    segments: readonly FileHandle[];
    current: number;
    checkpoint: () => Promise<void>;
  }) {
    this.segments = options.segments;
    this.current = options.current;
    this.checkpoint = options.checkpoint;
  }

  /**
   * Begins a journal in a directory, over what {@link readJournal} found there. `head` is the state to begin at;
   * `checkpoint` makes durable elsewhere all that was appended before it is called.
   */
  static async begin(options: {
    directory: string;
    next: number;
    sequence: number;
    head: Operation;
    checkpoint: () => Promise<void>;
  }): Promise<Journal> {
    const { directory, next, sequence, head, checkpoint } = options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const paths = segmentNames.map((name) => join(directory, name));
    // Both at once: later, the second could take the last of a full disk from LevelDB.
    await Promise.all(paths.map(allocate));
    // With O_DSYNC a write is one call that returns when it is durable.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC;
    const segments = await Promise.all(paths.map((path) => open(path, flags, 0o600)));
    const journal = new Journal({ segments, current: next, checkpoint });
    await journal.write({ kind: RecordKind.checkpoint, sequence, operations: [head] });
    await syncFile(directory);
    await syncFile(dirname(directory));
    return journal;
  }

  /** Makes a group durable. */
  async append(sequence: number, operations: Operation[]): Promise<void> {
    await this.write({ kind: RecordKind.group, sequence, operations });
  }

  private async write(record: JournalRecord): Promise<void> {
    const size = recordSize(record.operations);
    // A record that is larger than a segment makes its segment grow.
    if (this.position > 0 && this.position + size > segmentBytes) await this.turn();
    if (size > this.staging.length) this.staging = Buffer.alloc(size);
    writeRecord(this.staging, record);
    const { fd } = this.segments[this.current]!;
    const begin = performance.now();
    for (let done = 0; done < size; ) {
      const left = [done, size - done, this.position + done] as const;
      if (size <= shortBytes && this.typical < shortMilliseconds)
        done += writeSync(fd, this.staging, ...left);
      else done += (await write(fd, this.staging, ...left)).bytesWritten;
    }
    this.typical += (performance.now() - begin - this.typical) / 16;
    this.position += size;
    if (size > stagingBytes * 16) this.staging = Buffer.alloc(stagingBytes);
  }

  /** Goes on at the start of the other segment. */
  private async turn(): Promise<void> {
    await this.goOver();
    this.preparing = this.checkpoint();
    this.preparing.catch(() => undefined);
  }

  private async goOver(): Promise<void> {
    await this.preparing;
    this.current = 1 - this.current;
    this.position = 0;
  }

  /** Ends the journal, after a last checkpoint. */
  async end(sequence: number, head: Operation): Promise<void> {
    await this.checkpoint();
    await this.goOver();
    await this.write({ kind: RecordKind.end, sequence, operations: [head] });
    await this.close();
  }

  async close(): Promise<void> {
    await this.preparing.catch(() => undefined);
    await Promise.all(this.segments.map((segment) => segment.close()));
  }
}

/** Gives a segment its blocks. They are written, as blocks that are only reserved cost as much as new ones. */
async function allocate(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const { size } = await file.stat();
    if (size >= segmentBytes) return;
    const zeros = Buffer.alloc(fillBytes);
    for (let at = size; at < segmentBytes; at += zeros.length)
      await file.write(zeros, 0, Math.min(zeros.length, segmentBytes - at), at);
    await file.datasync();
  } catch (error) {
    // A disk that is too small for all of it is not filled up with a part.
    await file.truncate(0);
    throw error;
  } finally {
    await file.close();
  }
}
