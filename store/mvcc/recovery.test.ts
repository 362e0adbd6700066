import t from 'tap';
import { Head } from './head.ts';
import type { JournalContents } from './journal.ts';
import { type JournalRecord, RecordKind } from './journal-record.ts';
import { crcSize, headKey, seal } from './record.ts';
import { planRecovery } from './recovery.ts';

/** The state after a group; revision 100 more than the group, so that they cannot be mistaken. */
const headAt = (sequence: number): Head => ({
  revision: 100 + sequence,
  compact_revision: -1,
  count: 0,
  sum: 0,
  sequence,
});

function record(kind: RecordKind, sequence: number): JournalRecord {
  const head = headAt(sequence);
  const key = headKey(head.revision);
  const value = Head.encode(head, crcSize);
  seal(key, value);
  return { kind, sequence, operations: [{ key, value }] };
}
const { group: g, checkpoint: c, end: e } = RecordKind;
const records = (...list: [RecordKind, number][]) => list.map(([kind, sequence]) => record(kind, sequence));

interface Case {
  title: string;
  /** Group that LevelDB ends at. */
  stored?: number;
  records?: JournalRecord[];
  beyond?: number;
  groups: number[];
  lost?: RegExp;
}

const cases: Case[] = [
  { title: 'nothing at all: a new disk', groups: [] },
  { title: 'a journal that had just begun', records: records([c, 0]), groups: [] },
  { title: 'stopped in order', stored: 7, records: records([e, 7]), groups: [] },
  {
    title: 'all is carried out again after a crash',
    stored: 5,
    records: records([c, 5], [g, 6], [g, 7]),
    groups: [6, 7],
  },
  {
    title: 'even what LevelDB seems to have, as groups may be missing in the middle',
    stored: 7,
    records: records([c, 4], [g, 5], [g, 6], [g, 7]),
    groups: [5, 6, 7],
  },
  { title: 'a chain without its checkpoint', stored: 5, records: records([g, 6], [g, 7]), groups: [6, 7] },
  {
    title: 'LevelDB has more than is left of the journal',
    stored: 9,
    records: records([c, 4], [g, 5]),
    groups: [],
  },
  {
    title: 'LevelDB has more than is damaged',
    stored: 9,
    records: records([c, 4], [g, 5]),
    beyond: 8,
    groups: [],
  },
  {
    title: 'LevelDB lost what it had at the stop',
    stored: 5,
    records: records([e, 7]),
    groups: [],
    lost: /data end at revision 105, but writes up to revision 107 were acknowledged/,
  },
  {
    title: 'a gap between LevelDB and the journal',
    stored: 3,
    records: records([g, 5], [g, 6]),
    groups: [],
    lost: /data end at revision 103, but writes up to revision 106 were acknowledged/,
  },
  {
    title: 'damage within the journal: what is before it is used',
    stored: 4,
    records: records([c, 4], [g, 5]),
    beyond: 8,
    groups: [5],
    lost: /data end at revision 105, but writes up to revision 108 were acknowledged/,
  },
  {
    title: 'only what is behind damage is left',
    stored: 4,
    beyond: 8,
    groups: [],
    lost: /data end at revision 104, but writes up to revision 108/,
  },
  {
    title: 'no journal',
    stored: 4,
    groups: [],
    lost: /data end at revision 104, and the journal.* is missing/,
  },
  {
    title: 'no LevelDB',
    records: records([c, 4], [g, 5]),
    groups: [],
    lost: /data end at revision 1, but writes up to revision 105/,
  },
];

for (const { title, stored, records = [], beyond, groups, lost } of cases)
  t.test(title, async (t) => {
    const contents: JournalContents = {
      records,
      beyond: beyond === undefined ? undefined : record(g, beyond),
      next: 0,
    };
    const plan = planRecovery(stored === undefined ? undefined : headAt(stored), contents);
    t.same(
      plan.groups.map(({ sequence }) => sequence),
      groups,
    );
    if (lost) t.match(plan.lost, lost);
    else t.equal(plan.lost, undefined);
    t.equal(
      plan.revision,
      groups.length > 0 ? 100 + groups.at(-1)! : stored === undefined ? 1 : 100 + stored,
    );
  });
