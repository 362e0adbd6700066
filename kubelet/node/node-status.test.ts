import t from 'tap';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { FlagValueError } from '../flags.ts';
import { parseTaint } from '../settings.ts';
import { admitPod } from './admission.ts';
import { defaultNodeIP, type Headroom, parseMemAvailable, prettyName } from './node-facts.ts';
import {
  allocatableOf,
  buildNodeStatus,
  type NodeStatusInput,
  nodeTransitions,
  pressureOf,
  sameNodeStatus,
} from './node-status.ts';

const gibi = 2 ** 30;
const capacity = { cpus: 2, memoryBytes: 4 * gibi, ephemeralStorageBytes: 100 * gibi, pods: 110 };
const reserved = { milliCPU: 200, memoryBytes: gibi, ephemeralStorageBytes: 0 };

const input = (more: Partial<NodeStatusInput> = {}): NodeStatusInput => ({
  old: undefined,
  nodeIP: '192.0.2.1',
  hostname: 'node-1',
  port: 10250,
  capacity,
  reserved,
  systemInfo: {} as NodeStatusInput['systemInfo'],
  images: [],
  pressure: { memory: false, disk: false, pid: false },
  problems: [],
  now: '2026-01-01T12:00:00Z',
  ...more,
});

const shown = (more: Partial<NodeStatusInput>) =>
  buildNodeStatus(input(more)).conditions?.map(
    ({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`,
  );

t.test('a node that is well', async (t) => {
  t.same(shown({}), [
    'MemoryPressure False KubeletHasSufficientMemory: kubelet has sufficient memory available',
    'DiskPressure False KubeletHasNoDiskPressure: kubelet has no disk pressure',
    'PIDPressure False KubeletHasSufficientPID: kubelet has sufficient PID available',
    'Ready True KubeletReady: kubelet is posting ready status',
  ]);
  t.match(buildNodeStatus(input()), {
    capacity: { cpu: '2', memory: `${4 * 2 ** 20}Ki`, pods: '110' },
    allocatable: { cpu: '1800m', memory: `${3 * 2 ** 20 - 100 * 1024}Ki` },
    addresses: [
      { type: 'InternalIP', address: '192.0.2.1' },
      { type: 'Hostname', address: 'node-1' },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
  });
});

t.test('a node in trouble', async (t) => {
  t.same(
    shown({
      pressure: { memory: true, disk: true, pid: true },
      problems: ['[engine is down]', 'no network'],
    }),
    [
      'MemoryPressure True KubeletHasInsufficientMemory: kubelet has insufficient memory available',
      'DiskPressure True KubeletHasDiskPressure: kubelet has disk pressure',
      'PIDPressure True KubeletHasInsufficientPID: kubelet has insufficient PID available',
      'Ready False KubeletNotReady: [engine is down], no network',
    ],
  );
});

t.test('thresholds', async (t) => {
  const well: Headroom = {
    memoryAvailableBytes: gibi,
    diskAvailableBytes: 50,
    diskTotalBytes: 100,
    inodesFree: 50,
    inodesTotal: 100,
    pidsLeft: 1000,
  };
  const none = { memory: false, disk: false, pid: false };
  t.same(pressureOf(well), none);
  t.same(pressureOf({ ...well, memoryAvailableBytes: 2 ** 20 }), { ...none, memory: true });
  t.same(pressureOf({ ...well, diskAvailableBytes: 9 }), { ...none, disk: true });
  t.same(pressureOf({ ...well, inodesFree: 4 }), { ...none, disk: true });
  t.same(pressureOf({ ...well, inodesFree: 0, inodesTotal: 0 }), none);
  t.same(pressureOf({ ...well, pidsLeft: 1 }), { ...none, pid: true });
});

t.test(
  'heartbeats alone are no change, transitions keep their time, others’ conditions are kept',
  async (t) => {
    const network = { type: 'NetworkUnavailable', status: 'False' };
    const first = buildNodeStatus(input({ old: { conditions: [network] } }));
    const second = buildNodeStatus(input({ old: first, now: '2026-01-01T12:05:00Z' }));
    t.ok(sameNodeStatus(first, second));
    t.match(second.conditions?.at(-1), {
      lastHeartbeatTime: '2026-01-01T12:05:00Z',
      lastTransitionTime: '2026-01-01T12:00:00Z',
    });
    t.match(second.conditions?.[0], network);
    const third = buildNodeStatus(input({ old: second, now: '2026-01-01T12:06:00Z', problems: ['x'] }));
    t.notOk(sameNodeStatus(second, third));
    t.equal(third.conditions?.at(-1)?.lastTransitionTime, '2026-01-01T12:06:00Z');
  },
);

t.test('events tell of conditions that changed', async (t) => {
  const well = buildNodeStatus(input());
  const ill = buildNodeStatus(
    input({ old: well, problems: ['x'], pressure: { memory: true, disk: false, pid: false } }),
  );
  t.same(nodeTransitions(well, well), []);
  t.same(nodeTransitions(well, ill), ['NodeHasInsufficientMemory', 'NodeNotReady']);
  t.same(nodeTransitions(ill, well), ['NodeHasSufficientMemory', 'NodeReady']);
});

const pod = (cpu: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  spec: { containers: [{ name: 'c', resources: { requests: { cpu } } }], ...spec },
});

const admit = (of: Pod, node: Node = {}, others: Pod[] = []) =>
  admitPod({ pod: of, node, others, allocatable: allocatableOf(capacity, reserved) });

t.test('a pod that does not fit is refused in the kubelet’s words', async (t) => {
  t.equal(admit(pod('1800m')), undefined);
  t.same(admit(pod('1'), {}, [pod('1')]), {
    reason: 'OutOfcpu',
    message:
      "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000, used: 1000, capacity: 1800",
  });
  t.equal(
    admit(
      pod('1m'),
      {},
      Array.from({ length: 110 }, () => pod('0')),
    )?.reason,
    'OutOfpods',
  );
  t.equal(admit(pod('0'), {}, [pod('5')]), undefined, 'what asks for nothing fits beside what asks too much');
});

t.test('a pod must match the node', async (t) => {
  const node: Node = { metadata: { name: 'node-1', labels: { disk: 'ssd', size: '5' } } };
  t.equal(admit(pod('1', { nodeSelector: { disk: 'ssd' } }), node), undefined);
  t.equal(admit(pod('1', { nodeSelector: { disk: 'hdd' } }), node)?.reason, 'NodeAffinity');
  const affinity = (key: string, operator: string, values?: string[], fields = false) => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ [fields ? 'matchFields' : 'matchExpressions']: [{ key, operator, values }] }],
        },
      },
    },
  });
  t.equal(admit(pod('1', affinity('disk', 'In', ['ssd'])), node), undefined);
  t.equal(admit(pod('1', affinity('disk', 'NotIn', ['ssd'])), node)?.reason, 'NodeAffinity');
  t.equal(admit(pod('1', affinity('size', 'Gt', ['4'])), node), undefined);
  t.equal(admit(pod('1', affinity('metadata.name', 'In', ['node-1'], true)), node), undefined);
  t.equal(admit(pod('1', affinity('metadata.name', 'In', ['node-2'], true)), node)?.reason, 'NodeAffinity');
  const tainted: Node = { spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } };
  t.equal(admit(pod('1'), tainted)?.reason, 'TaintToleration');
  t.equal(admit(pod('1', { tolerations: [{ operator: 'Exists' }] }), tainted), undefined);
});

t.test('facts of the machine', async (t) => {
  t.equal(parseMemAvailable('MemTotal: 10 kB\nMemAvailable:    2 kB\n'), 2048);
  t.equal(
    prettyName('NAME="X"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'),
    'Debian GNU/Linux 12 (bookworm)',
  );
  const address = (text: string, internal = false) =>
    [{ family: 'IPv4', address: text, internal }] as ReturnType<
      typeof import('node:os').networkInterfaces
    >[string];
  t.equal(
    defaultNodeIP({
      lo: address('127.0.0.1', true),
      docker0: address('172.17.0.1'),
      eth0: address('192.0.2.7'),
    }),
    '192.0.2.7',
  );
  t.equal(defaultNodeIP({ lo: address('127.0.0.1', true) }), '127.0.0.1');
});

t.test('taints of the command line', async (t) => {
  t.same(parseTaint('a=b:NoSchedule'), { key: 'a', value: 'b', effect: 'NoSchedule' });
  t.same(parseTaint('a:NoExecute'), { key: 'a', effect: 'NoExecute' });
  for (const text of ['a', 'a=b', 'a=b:Sometimes', ':NoSchedule'])
    t.throws(() => parseTaint(text), FlagValueError, text);
});
