import t from 'tap';
import { restartDelay } from './restart-delay.ts';

t.test(
  'a process that ran well comes back at once, one that keeps failing ever later, up to 30 s',
  async (t) => {
    t.same([0, 1, 2, 3, 4, 5, 6, 50].map(restartDelay), [0, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  },
);
