import t from 'tap';
import { aJob, at } from '../testing/objects.ts';
import { timeToLive } from './plan.ts';

const finished = (type: string, status = 'True') => ({
  conditions: [{ type, status, lastTransitionTime: at(100) }],
});

t.test('a finished job lives for as long as it was given', async (t) => {
  const spec = { ttlSecondsAfterFinished: 30 };
  t.equal(timeToLive(aJob(spec, finished('Complete')), 110_000), 20_000);
  t.equal(timeToLive(aJob(spec, finished('Failed')), 200_000), 0);
  t.equal(timeToLive(aJob({ ttlSecondsAfterFinished: 0 }, finished('Complete')), 100_000), 0);
  t.equal(timeToLive(aJob(spec, finished('Suspended')), 200_000), undefined, 'not finished');
  t.equal(timeToLive(aJob(spec, finished('Complete', 'False')), 200_000), undefined);
  t.equal(timeToLive(aJob({}, finished('Complete')), 200_000), undefined, 'no limit');
});
