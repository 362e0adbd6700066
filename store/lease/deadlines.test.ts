import t from 'tap';
import { Deadlines } from './deadlines.ts';

const reached = async (condition: () => boolean) => {
  const end = Date.now() + 60_000;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  return condition();
};

t.test('each id is due once, in order, and not before its time', async (t) => {
  const due: string[] = [];
  const early: string[] = [];
  const times = new Map<string, number>();
  const now = () => performance.now();
  const deadlines = new Deadlines<string>(now, (id) => {
    if (now() < times.get(id)!) early.push(id);
    due.push(id);
  });
  // All from one moment: the process may be held up between two of them.
  const start = now();
  const set = (id: string, after: number) => {
    times.set(id, start + after);
    deadlines.set(id, times.get(id)!);
  };
  set('c', 60);
  set('a', 10);
  set('b', 30);
  set('moved later', 5);
  set('moved later', 90);
  set('moved earlier', 10_000);
  set('moved earlier', 45);
  set('deleted', 20);
  deadlines.delete('deleted');
  // The timers do not keep a process alive.
  t.ok(await reached(() => due.length === 5));
  t.same(due, ['a', 'b', 'moved earlier', 'c', 'moved later']);
  t.same(early, []);
  deadlines.clear();
});
