import t from 'tap';
import { parseRetention, planCompaction, type Retention } from './auto-compaction.ts';

const flags: [string, string, Retention][] = [
  ['periodic', '0', { mode: 'none' }],
  ['revision', '0', { mode: 'none' }],
  ['periodic', '2', { mode: 'periodic', milliseconds: 7_200_000 }],
  ['periodic', '30m', { mode: 'periodic', milliseconds: 1_800_000 }],
  ['revision', '1000', { mode: 'revision', revisions: 1000 }],
];
for (const [mode, text, expected] of flags)
  t.test(`--auto-compaction-mode=${mode} --auto-compaction-retention=${text}`, (t) => {
    t.same(parseRetention(mode, text), expected);
    t.end();
  });

for (const [mode, text, flag] of [
  ['weekly', '1', 'auto-compaction-mode'],
  ['periodic', 'soon', 'auto-compaction-retention'],
  ['revision', '5m', 'auto-compaction-retention'],
] as const)
  t.test(`${mode} ${text} is refused, naming --${flag}`, (t) => {
    t.throws(() => parseRetention(mode, text), new RegExp(`--${flag}`));
    t.end();
  });

const periodic: Retention = { mode: 'periodic', milliseconds: 100 };
const sample = (time: number, revision: number) => ({ time, revision });

t.test('periodic: nothing is old enough', (t) => {
  const samples = [sample(0, 5), sample(50, 8)];
  t.same(planCompaction(periodic, samples), { compact: undefined, samples });
  t.end();
});

t.test('periodic: compacts to the newest look that is old enough, and keeps the later ones', (t) => {
  const samples = [sample(0, 5), sample(20, 6), sample(60, 8), sample(125, 9)];
  t.same(planCompaction(periodic, samples), { compact: 6, samples: samples.slice(2) });
  t.end();
});

t.test('revision: keeps so many revisions', (t) => {
  const retention: Retention = { mode: 'revision', revisions: 10 };
  t.equal(planCompaction(retention, [sample(0, 25)]).compact, 15);
  t.equal(planCompaction(retention, [sample(0, 9)]).compact, undefined);
  t.end();
});
