import t from 'tap';
import { summaryOf } from './tap-summary.ts';

const output = `# Subtest: a.test.ts
    # Subtest: adds
        ok 1 - should be equal
        not ok 2 - should be equal
          ---
          compare: ===
          ...
        1..2
    not ok 1 - adds # time=5ms

not ok 1 - a.test.ts # time=10ms
  ---
  exitCode: 1
  ...
ok 2 - b.test.ts # time=3ms
# { total: 4, pass: 3, fail: 1 }
# time=20ms`;

t.test('counts are those of the closing line, and failures are shown with their diagnosis', async (t) => {
  const summary = summaryOf();
  const shown = output.split('\n').filter((line) => {
    summary.read(line);
    return summary.inFailure;
  });
  t.same(summary.counts(1), { passed: 3, failed: 1 });
  t.same(
    shown.map((line) => line.trim()),
    [
      'not ok 2 - should be equal',
      '---',
      'compare: ===',
      '...',
      'not ok 1 - adds # time=5ms',
      'not ok 1 - a.test.ts # time=10ms',
      '---',
      'exitCode: 1',
      '...',
    ],
  );
});

t.test('a runner that dies without a failed test is a failure', async (t) => {
  t.same(summaryOf().counts(1), { passed: 0, failed: 1 });
  t.same(summaryOf().counts(0), { passed: 0, failed: 0 });
});
