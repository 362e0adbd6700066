import t from 'tap';
import { Expectations, expectationsTimeout } from './expectations.ts';

const world = () => {
  const clock = { now: 0 };
  return { clock, expectations: new Expectations(() => clock.now) };
};

t.test('an owner waits until all of its own writes have been seen', async (t) => {
  const { expectations } = world();
  t.equal(expectations.pending('a'), 0);
  expectations.expectCreations('a', 2);
  expectations.expectDeletion('a', 'pod');
  expectations.creationObserved('a');
  t.ok(expectations.pending('a') > 0);
  expectations.creationObserved('a');
  t.ok(expectations.pending('a') > 0, 'a deletion is still open');
  expectations.deletionObserved('a', 'pod');
  t.equal(expectations.pending('a'), 0);
});

t.test('the same deletion is counted once, and foreign ones not at all', async (t) => {
  const { expectations } = world();
  expectations.expectDeletion('a', 'one');
  expectations.expectDeletion('a', 'two');
  expectations.deletionObserved('a', 'one');
  expectations.deletionObserved('a', 'one');
  expectations.deletionObserved('a', 'three');
  t.ok(expectations.pending('a') > 0);
  expectations.deletionObserved('a', 'two');
  t.equal(expectations.pending('a'), 0);
});

t.test('writes that failed are not waited for', async (t) => {
  const { expectations } = world();
  expectations.expectCreations('a', 3);
  expectations.creationObserved('a');
  expectations.creationFailed('a', 2);
  t.equal(expectations.pending('a'), 0);
});

t.test('what is not seen within five minutes is taken as lost', async (t) => {
  const { clock, expectations } = world();
  expectations.expectCreations('a', 1);
  clock.now = expectationsTimeout - 1;
  t.equal(expectations.pending('a'), 1);
  clock.now = expectationsTimeout;
  t.equal(expectations.pending('a'), 0);
});

t.test('creations seen without being announced do not count for later ones', async (t) => {
  const { expectations } = world();
  expectations.creationObserved('a');
  expectations.expectCreations('a', 1);
  t.ok(expectations.pending('a') > 0);
});
