import t, { type Test } from 'tap';
import type { KubeObject, Status } from '../api/object.ts';
import type { Node, Pod } from '../api/types/core-v1.ts';
import { StatusError } from '../client/status-error.ts';
import { SchedulerMetrics } from './metrics.ts';
import { Scheduler, type SchedulerOptions } from './scheduler.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const node = (name: string, cpu = '1'): Node => ({
  metadata: { name },
  status: { allocatable: { cpu, memory: '1Gi', pods: '10' } },
});

const pod = (name: string, nodeName?: string): Pod => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}` },
  spec: {
    containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }],
    ...(nodeName && { nodeName }),
  },
});

const failure = (code: number, reason: string): StatusError =>
  new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: reason,
    reason,
    code,
  } satisfies Status);

/** Answers that a real server gives only when connections break at the wrong moment. */
interface Answers {
  bind: () => Promise<void>;
  get?: () => Promise<Pod>;
}

function scheduler(t: Test, answers: Answers) {
  const bindings: string[] = [];
  const told: string[] = [];
  const client = {
    createSub: async (_resource: unknown, _key: unknown, _subresource: string, body: KubeObject) => {
      bindings.push((body as { target: { name: string } }).target.name);
      await answers.bind();
      return {};
    },
    get: async () => (await answers.get?.()) ?? {},
    patch: async (_resource: unknown, _key: unknown, { body }: { body: unknown }) => {
      told.push((body as Pod).status!.conditions![0]!.reason!);
      return {};
    },
  } as unknown as SchedulerOptions['client'];
  const clock = { now: 0 };
  const made = new Scheduler({
    client,
    recorder: { event: (_object, _type, reason) => void told.push(reason) },
    log: quiet,
    metrics: new SchedulerMetrics(),
    schedulerName: 'default-scheduler',
    now: () => clock.now,
  });
  made.start();
  t.teardown(() => made.stop());
  return { scheduler: made, bindings, told, clock };
}

/** Lets everything that is ready to run have run. */
async function idle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

t.test('a pod that is being bound counts on its node at once', async (t) => {
  const { scheduler: made, bindings } = scheduler(t, { bind: () => new Promise(() => undefined) });
  made.setNode(node('a'));
  made.setPod(pod('one'));
  made.setPod(pod('two'));
  await idle();
  t.same(bindings, ['a'], 'the second does not fit beside the first');
  t.same(
    [...made.queue.unschedulable].map((item) => item.info.uid),
    ['uid-two'],
  );
});

t.test('a binding whose answer was lost but that was made is kept', async (t) => {
  const { scheduler: made, bindings } = scheduler(t, {
    bind: () => Promise.reject(new Error('socket hang up')),
    get: async () => pod('one', 'a'),
  });
  made.setNode(node('a'));
  made.setPod(pod('one'));
  await idle();
  t.same(bindings, ['a']);
  t.equal(made.cluster.nodeOf('uid-one'), 'a');
  t.equal(made.cluster.isAssumed('uid-one'), false);
});

t.test(
  'a binding that was refused frees the node, and the pod is tried again after its back-off',
  async (t) => {
    const {
      scheduler: made,
      bindings,
      told,
      clock,
    } = scheduler(t, {
      bind: () => Promise.reject(failure(500, 'InternalError')),
      get: async () => pod('one'),
    });
    made.setNode(node('a', '2'));
    made.setPod(pod('one'));
    await idle();
    t.equal(made.cluster.nodeOf('uid-one'), undefined);
    t.equal(made.queue.counts.backOff, 1);
    t.ok(told.includes('SchedulerError'));
    clock.now = 1_000;
    made.setPod(pod('two'));
    await idle();
    t.equal(bindings.length, 3, 'both are tried');
  },
);

t.test('a pod that is gone when it should be bound is forgotten', async (t) => {
  const { scheduler: made } = scheduler(t, {
    bind: () => Promise.reject(failure(404, 'NotFound')),
    get: () => Promise.reject(failure(404, 'NotFound')),
  });
  made.setNode(node('a'));
  made.setPod(pod('one'));
  await idle();
  t.equal(made.cluster.nodeOf('uid-one'), undefined);
  t.equal(made.queue.get('uid-one'), undefined);
});

t.test('a pod whose name another has taken meanwhile is not bound', async (t) => {
  const { scheduler: made } = scheduler(t, {
    bind: () => Promise.reject(failure(409, 'Conflict')),
    get: async () => ({ ...pod('one'), metadata: { name: 'one', namespace: 'default', uid: 'another' } }),
  });
  made.setNode(node('a'));
  made.setPod(pod('one'));
  await idle();
  t.equal(made.queue.get('uid-one'), undefined);
  t.equal(made.cluster.nodeOf('uid-one'), undefined);
});

t.test('a rejected pod is tried again only when a change helps it', async (t) => {
  const { scheduler: made, bindings, clock } = scheduler(t, { bind: async () => undefined });
  made.setNode(node('a'));
  made.setPod(pod('there', 'a'));
  made.setPod(pod('one'));
  await idle();
  t.same([...made.queue.unschedulable].length, 1);
  clock.now = 60_000;
  const heartbeat = node('a');
  made.setNode(heartbeat, node('a'));
  made.setNode({ ...node('b'), spec: { unschedulable: true } });
  await idle();
  t.same(bindings, [], 'neither a heartbeat nor a cordoned node helps');
  made.setNode(node('b'), { ...node('b'), spec: { unschedulable: true } });
  await idle();
  t.same(bindings, ['b'], 'the cordon is taken off, which it waits for since it met that node');
});

t.test('a pod that ends frees its place', async (t) => {
  const { scheduler: made, bindings, clock } = scheduler(t, { bind: async () => undefined });
  made.setNode(node('a'));
  made.setPod(pod('there', 'a'));
  made.setPod(pod('one'));
  await idle();
  clock.now = 60_000;
  made.setPod({ ...pod('there', 'a'), status: { phase: 'Succeeded' } });
  await idle();
  t.same(bindings, ['a']);
});

t.test('stopped, it binds nothing', async (t) => {
  const { scheduler: made, bindings } = scheduler(t, { bind: async () => undefined });
  made.stop();
  made.setNode(node('a'));
  made.setPod(pod('one'));
  await idle();
  t.same(bindings, []);
  made.start();
  await idle();
  t.same(bindings, ['a']);
});
