import t from 'tap';
import { parseLogOptions } from './log-options.ts';

const now = Date.parse('2026-01-02T03:04:05Z');
const parse = (query: string) => parseLogOptions(new URLSearchParams(query), now);

t.test('the query of a log is read', async (t) => {
  const cases: [string, object][] = [
    ['', { follow: false, previous: false, timestamps: false, tailLines: undefined, stream: 'All' }],
    ['follow=true&previous=1&timestamps=true', { follow: true, previous: true, timestamps: true }],
    ['follow=false&timestamps=0', { follow: false, timestamps: false }],
    ['tailLines=0', { tailLines: 0 }],
    ['tailLines=10&limitBytes=5', { tailLines: 10, limitBytes: 5 }],
    ['tail=7', { tailLines: 7 }],
    ['tail=all', { tailLines: undefined }],
    ['sinceSeconds=60', { since: now / 1000 - 60 }],
    ['sinceTime=2026-01-02T03:04:05.5Z', { since: now / 1000 + 0.499999 }],
    ['sinceTime=2026-01-02T04:04:05%2B01:00', { since: now / 1000 }],
    ['stream=Stderr', { stream: 'Stderr' }],
  ];
  for (const [query, expected] of cases) t.match(parse(query), expected, query);
});

t.test('what is malformed is 400, what is out of range is 422', async (t) => {
  const cases: [string, number][] = [
    ['tailLines=x', 400],
    ['tailLines=1.5', 400],
    ['tailLines=-1', 422],
    ['limitBytes=0', 422],
    ['sinceSeconds=0', 422],
    ['sinceSeconds=-5', 422],
    ['sinceTime=yesterday', 400],
    ['sinceTime=2026-13-02T03:04:05Z', 400],
    ['sinceSeconds=5&sinceTime=2026-01-02T03:04:05Z', 422],
    ['stream=Both', 422],
  ];
  for (const [query, code] of cases) t.throws(() => parse(query), { code }, query);
});
