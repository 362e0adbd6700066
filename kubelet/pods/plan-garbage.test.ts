import t from 'tap';
import type { PodRuntimeState, RuntimeContainer } from '../runtime/types.ts';
import { planGarbage } from './plan-garbage.ts';

const one = (id: string, name: string, attempt: number, state: RuntimeContainer['state']) =>
  ({ id, name, attempt, state }) as RuntimeContainer;

t.test(
  'the newest attempt of a container and the one before it are kept, and the newest sandbox',
  async (t) => {
    const state = {
      sandboxes: [
        { id: 's2', attempt: 2, state: 'running' },
        { id: 's1', attempt: 1, state: 'exited' },
      ],
      containers: [
        one('a3', 'a', 3, 'running'),
        one('a2', 'a', 2, 'exited'),
        one('a1', 'a', 1, 'exited'),
        one('b1', 'b', 1, 'exited'),
        one('a0', 'a', 0, 'exited'),
        one('b0', 'b', 0, 'exited'),
      ],
    } as PodRuntimeState;
    t.same(planGarbage(state), ['a1', 'a0', 's1']);
  },
);

t.test('what runs is never garbage', async (t) => {
  const state = {
    sandboxes: [],
    containers: [2, 1, 0].map((attempt) => one(`a${attempt}`, 'a', attempt, 'running')),
  } as unknown as PodRuntimeState;
  t.same(planGarbage(state), []);
});
