import { Head } from './head.ts';
import type { JournalContents } from './journal.ts';
import { type JournalRecord, RecordKind } from './journal-record.ts';
import { unseal } from './record.ts';

export interface Recovery {
  /** What acknowledged writes are missing in both LevelDB and the journal, in words. */
  lost: string | undefined;
  /** The revision at which the data end then. */
  revision: number;
  /** The groups to carry out, in order. */
  groups: JournalRecord[];
}

/** What has to be done so that LevelDB, which ends at `stored`, has everything that was acknowledged. */
export function planRecovery(stored: Head | undefined, { records, beyond }: JournalContents): Recovery {
  const sequence = stored?.sequence ?? 0;
  const last = records.at(-1);
  const newest = beyond ?? last;
  const groups = goOn(records, sequence) ? records.filter(({ kind }) => kind === RecordKind.group) : [];
  const revision = groups.length > 0 ? revisionOf(last!) : (stored?.revision ?? 1);
  if (!newest) {
    if (!stored) return { lost: undefined, revision, groups };
    const lost = 'the journal, which may hold later writes, is missing or damaged';
    return { lost: `the data end at revision ${revision}, and ${lost}`, revision, groups };
  }
  const reached = groups.length > 0 ? last!.sequence : sequence;
  if (reached >= newest.sequence) return { lost: undefined, revision, groups };
  const lost = `writes up to revision ${revisionOf(newest)} were acknowledged`;
  const cause = 'a file was cut off, damaged or replaced by an older one';
  return { lost: `the data end at revision ${revision}, but ${lost}: ${cause}`, revision, groups };
}

/** Whether the records lead from a LevelDB that ends at group `sequence` to something newer, or as new. */
function goOn(records: readonly JournalRecord[], sequence: number): boolean {
  const [first] = records;
  if (!first || records.at(-1)!.sequence < sequence) return false;
  return first.sequence <= sequence + (first.kind === RecordKind.group ? 1 : 0);
}

/** Every record ends with the head after it. */
function revisionOf({ operations }: JournalRecord): number {
  const { key, value } = operations.at(-1)!;
  return Head.decode(unseal(key, value!)).revision;
}
