import t from 'tap';
import { configMaps, events, leases, namespaces } from '../../api/resources.ts';
import type { ConfigMap } from '../../api/types/core-v1.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { Informer } from '../../client/informer.ts';
import { runLeaderElection } from '../../client/leader-election.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../client/status-error.ts';
import { startControlPlane } from '../lib/control-plane.ts';
import { waitUntil } from '../lib/wait-until.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const namespace = 'default';
const map = (name: string, value: string): ConfigMap => ({ metadata: { name, namespace }, data: { value } });

t.test('client library against the real API server', async (t) => {
  const plane = await startControlPlane(t.testdir());
  t.teardown(() => plane.stop());
  const client = await plane.client();
  await waitUntil('the default namespace', () => client.get(namespaces, { name: namespace }));

  t.test(
    'an informer sees every change once and in order, through restarts of server and store',
    async (t) => {
      const stopping = new AbortController();
      const informer = new Informer({
        client: await plane.client(),
        resource: configMaps,
        namespace,
        log: quiet,
      });
      const seen: string[] = [];
      informer.addIndex('value', (object) => [object.data?.value ?? '']);
      informer.on({
        add: (object) => seen.push(`+${object.metadata?.name}=${object.data?.value}`),
        update: (object) => seen.push(`~${object.metadata?.name}=${object.data?.value}`),
        delete: (object) => seen.push(`-${object.metadata?.name}`),
      });
      await client.create(configMaps, map('before', '0'));
      informer.start(stopping.signal);
      await informer.synced;
      const created = await client.create(configMaps, map('a', '1'));
      await client.update(configMaps, { ...created, data: { value: '2' } });
      await waitUntil('the update', () => seen.includes('~a=2'));
      t.same(informer.byIndex('value', '1'), [], 'the index forgets the old value');
      t.equal(informer.byIndex('value', '2')[0]?.metadata?.name, 'a');

      await plane.kill('apiserver', 'SIGKILL');
      plane.start('apiserver');
      await waitUntil('the server to be back', () => client.get(configMaps, { name: 'a', namespace }));
      await client.delete(configMaps, { name: 'a', namespace });
      await client.create(configMaps, map('b', '3'));
      await waitUntil('changes after the restart', () => seen.includes('+b=3'));
      t.notOk(informer.get(`${namespace}/a`));

      await plane.kill('store', 'SIGKILL');
      plane.start('store');
      await waitUntil('the store to be back', () =>
        client.create(configMaps, map('c', '4')).catch((error: unknown) => isAlreadyExists(error)),
      );
      await waitUntil('changes after the restart of the store', () => seen.includes('+c=4'));
      const ours = seen.filter((line) => !line.includes('kube-root-ca'));
      t.strictSame(ours, ['+before=0', '+a=1', '~a=2', '-a', '+b=3', '+c=4']);
      stopping.abort();
      await informer.stopped();
    },
  );

  t.test('errors are told apart', async (t) => {
    const stale = await client.create(configMaps, map('errors', '1'));
    await client.update(configMaps, { ...stale, data: { value: '2' } });
    const caught = (promise: Promise<unknown>) => promise.catch((error: unknown) => error);
    t.ok(isConflict(await caught(client.update(configMaps, { ...stale, data: { value: '3' } }))));
    t.ok(isAlreadyExists(await caught(client.create(configMaps, map('errors', '1')))));
    t.ok(isNotFound(await caught(client.get(configMaps, { name: 'absent', namespace }))));
  });

  t.test('one leads, and the next takes over when it stops', async (t) => {
    const leaders: string[] = [];
    const election = async (identity: string) => {
      const stopping = new AbortController();
      const done = runLeaderElection({
        client: await plane.client(),
        namespace,
        name: 'election',
        identity,
        leaseDuration: 15_000,
        renewDeadline: 10_000,
        retryPeriod: 20,
        onStartedLeading: () => leaders.push(identity),
        onStoppedLeading: () => leaders.push(`not ${identity}`),
        log: quiet,
        signal: stopping.signal,
      });
      return async () => {
        stopping.abort();
        await done;
      };
    };
    const stopFirst = await election('first');
    await waitUntil('the first to lead', () => leaders.includes('first'));
    const stopSecond = await election('second');
    await stopFirst();
    await waitUntil('the second to lead', () => leaders.includes('second'));
    t.strictSame(leaders, ['first', 'not first', 'second']);
    const lease = await client.get(leases, { name: 'election', namespace });
    t.match(lease.spec, { holderIdentity: 'second', leaseTransitions: 1 });
    await stopSecond();
  });

  t.test('an event told again counts up on one Event', async (t) => {
    const recorder = new EventRecorder({ client, component: 'test', host: 'node-1', log: quiet });
    const about = await client.create(configMaps, map('subject', '1'));
    for (let i = 0; i < 3; i++) recorder.event(about, 'Warning', 'Tested', 'it was tested', 'data{value}');
    await recorder.flushed();
    const { items } = await client.list(events, {
      namespace,
      fieldSelector: `involvedObject.uid=${about.metadata?.uid}`,
    });
    t.equal(items.length, 1);
    t.match(items[0], {
      reason: 'Tested',
      message: 'it was tested',
      type: 'Warning',
      count: 3,
      source: { component: 'test', host: 'node-1' },
      involvedObject: { kind: 'ConfigMap', name: 'subject', fieldPath: 'data{value}' },
    });
  });
});
