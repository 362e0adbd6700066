import { test } from 'tap';
import { startApiFixture } from '../testing/api-fixture.ts';

test('requests are counted and timed under the names of kube-apiserver', async (t) => {
  const api = await startApiFixture();
  await api.call({ path: '/api/v1/namespaces/default/pods/none' });
  await api.call({ path: '/apis/made.up/v1/things' });
  const { text, code } = await api.call({ path: '/metrics' });
  t.equal(code, 200);
  t.match(
    text,
    /^apiserver_request_total\{verb="GET",group="",version="v1",resource="pods",subresource="",code="404"\} 1$/m,
  );
  t.match(text, /^apiserver_request_duration_seconds_count\{verb="GET",.*resource="pods".*\} 1$/m);
  t.match(text, /^apiserver_storage_objects\{resource="namespaces"\} 4$/m);
  t.notMatch(text, 'made.up', 'unknown resources make no series');
  await api.stop();
});

test('requests beyond the limit are sent away with a time to come back', async (t) => {
  const api = await startApiFixture(['--max-requests-inflight=1', '--max-mutating-requests-inflight=1']);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => api.call<{ reason: string }>({ path: '/api/v1/pods' })),
  );
  const refused = answers.filter((answer) => answer.code === 429);
  t.ok(refused.length > 0);
  t.ok(answers.some((answer) => answer.code === 200));
  t.match(refused[0]?.body, { reason: 'TooManyRequests' });
  t.equal(refused[0]?.headers['retry-after'], '1');
  t.equal((await api.call({ path: '/livez' })).code, 200, 'health is always answered');
  await api.stop();
});
