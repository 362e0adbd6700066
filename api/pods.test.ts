import t from 'tap';
import { isPodReady, isPodTerminal, podRequests } from './pods.ts';
import type { Container, PodSpec } from './types/core-v1.ts';

const container = (cpu: string | undefined, more: Partial<Container> = {}): Container => ({
  name: 'c',
  ...(cpu && { resources: { requests: { cpu } } }),
  ...more,
});
const sidecar = (cpu: string) => container(cpu, { restartPolicy: 'Always' });
const cpuOf = (spec: PodSpec) => podRequests({ spec }).cpu ?? 0;

t.test('what a pod asks of its node', async (t) => {
  const cases: [string, PodSpec, number][] = [
    ['nothing', { containers: [container(undefined)] }, 0],
    ['the sum of its containers', { containers: [container('100m'), container('1')] }, 1100],
    [
      'the largest init container if that is more',
      { containers: [container('100m')], initContainers: [container('300m'), container('500m')] },
      500,
    ],
    [
      'not the init containers if they are less',
      { containers: [container('1')], initContainers: [container('300m')] },
      1000,
    ],
    ['sidecars too', { containers: [container('1')], initContainers: [sidecar('200m')] }, 1200],
    [
      'an init container with the sidecars started before it',
      {
        containers: [container('100m')],
        initContainers: [sidecar('200m'), container('500m'), sidecar('50m')],
      },
      700,
    ],
    ['the overhead', { containers: [container('100m')], overhead: { cpu: '50m' } }, 150],
    [
      'what is stated for the pod as a whole, with the overhead',
      { containers: [container('100m')], resources: { requests: { cpu: '2' } }, overhead: { cpu: '50m' } },
      2050,
    ],
  ];
  for (const [name, spec, expected] of cases) t.equal(cpuOf(spec), expected, name);
});

t.test('memory is in bytes, other resources in units', async (t) => {
  const resources = { requests: { memory: '1Mi', 'example.com/gpu': '2' } };
  t.same(podRequests({ spec: { containers: [{ name: 'c', resources }] } }), {
    memory: 1 << 20,
    'example.com/gpu': 2,
  });
});

t.test('what a container that asks nothing counts when pods are weighed', async (t) => {
  const spec = { containers: [container(undefined), container('300m')] };
  t.same(podRequests({ spec }, { absent: { cpu: 100, memory: 10 } }), { cpu: 400, memory: 20 });
});

t.test('limits are summed the same way', async (t) => {
  const spec = { containers: [{ name: 'c', resources: { limits: { cpu: '1' }, requests: { cpu: '1m' } } }] };
  t.same(podRequests({ spec }, { of: 'limits' }), { cpu: 1000 });
});

t.test('phases and readiness', async (t) => {
  t.same(
    ['Pending', 'Running', 'Succeeded', 'Failed'].map((phase) => isPodTerminal({ status: { phase } })),
    [false, false, true, true],
  );
  t.ok(isPodReady({ status: { conditions: [{ type: 'Ready', status: 'True' }] } }));
  t.notOk(isPodReady({ status: { conditions: [{ type: 'Ready', status: 'False' }] } }));
  t.notOk(isPodReady({}));
});
