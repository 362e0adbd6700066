import t from 'tap';
import type { Node, Pod, PodSpec, Taint } from '../api/types/core-v1.ts';
import { Cluster } from './cluster.ts';
import { Decider, type Decision } from './decide.ts';
import { placementInfoOf, podInfoOf } from './pod-info.ts';

let uids = 0;

function pod(
  spec: Partial<PodSpec> & { cpu?: string; memory?: string } = {},
  labels?: Record<string, string>,
): Pod {
  const { cpu, memory, ...rest } = spec;
  const requests = { ...(cpu && { cpu }), ...(memory && { memory }) };
  const uid = `pod-${++uids}`;
  return {
    metadata: { name: uid, namespace: 'default', uid, ...(labels && { labels }) },
    spec: { containers: [{ name: 'c', image: 'web', resources: { requests } }], ...rest },
  };
}

interface NodeShape {
  labels?: Record<string, string>;
  taints?: Taint[];
  unschedulable?: boolean;
  allocatable?: Record<string, string>;
  images?: { names: string[]; sizeBytes: number }[];
}

function node(name: string, shape: NodeShape = {}): Node {
  const { labels, taints, unschedulable, allocatable, images } = shape;
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { ...(taints && { taints }), ...(unschedulable && { unschedulable }) },
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110', ...allocatable },
      ...(images && { images }),
    },
  };
}

function cluster(nodes: Node[], placed: [Pod, string][] = []): Cluster {
  const made = new Cluster({ namespaceLabels: (name) => ({ team: name }) });
  for (const item of nodes) made.setNode(item);
  for (const [item, name] of placed) made.place(podInfoOf(item), name);
  return made;
}

const choose = (where: Cluster, item: Pod): Decision =>
  new Decider().decide({ info: podInfoOf(item), wants: placementInfoOf(item), cluster: where });

/** The chosen node, or the words before `preemption:`. */
function outcome(where: Cluster, item: Pod): string {
  const decision = choose(where, item);
  if (decision.node) return decision.node.name;
  return decision.message.replace(/ preemption: .*/, '');
}

const taint: Taint = { key: 'dedicated', value: 'gpu', effect: 'NoSchedule' };
const inTerm = (key: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator: 'In', values }],
});
const requireNode = (...nodeSelectorTerms: object[]): Partial<PodSpec> => ({
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
  },
});
const near = (topologyKey: string, app: string) => ({ topologyKey, labelSelector: { matchLabels: { app } } });

t.test('a pod that fits nowhere says why, in Kubernetes’ words', async (t) => {
  const cases: [name: string, Node[], Pod, string, [Pod, string][]?][] = [
    ['no nodes', [], pod(), 'no nodes available to schedule pods'],
    ['cpu', [node('a')], pod({ cpu: '5' }), '0/1 nodes are available: 1 Insufficient cpu.'],
    [
      'cpu and memory',
      [node('a')],
      pod({ cpu: '5', memory: '9Gi' }),
      '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.',
    ],
    [
      'what other pods left',
      [node('a')],
      pod({ cpu: '3' }),
      '0/1 nodes are available: 1 Insufficient cpu.',
      [[pod({ cpu: '2' }), 'a']],
    ],
    [
      'too many pods',
      [node('a', { allocatable: { pods: '1' } })],
      pod(),
      '0/1 nodes are available: 1 Too many pods.',
      [[pod(), 'a']],
    ],
    [
      'extended resources',
      [node('a')],
      pod({
        containers: [{ name: 'c', resources: { requests: { 'example.com/gpu': '1' } } }],
      }),
      '0/1 nodes are available: 1 Insufficient example.com/gpu.',
    ],
    [
      'node selector',
      [node('a'), node('b')],
      pod({ nodeSelector: { disk: 'ssd' } }),
      "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    ],
    [
      'taints, each by itself, and cordons',
      [
        node('a', { taints: [taint] }),
        node('b', { taints: [{ key: 'x', effect: 'NoExecute' }] }),
        node('c', { unschedulable: true }),
      ],
      pod(),
      '0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}, 1 node(s) had untolerated taint {x: }, 1 node(s) were unschedulable.',
    ],
    [
      'host ports',
      [node('a')],
      pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, hostIP: '10.0.0.1' }] }] }),
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
      [[pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] }), 'a']],
    ],
    [
      'pod affinity',
      [node('a')],
      pod({
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [near('kubernetes.io/hostname', 'db')],
          },
        },
      }),
      "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
    ],
    [
      'pod anti-affinity',
      [node('a')],
      pod(
        {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [near('kubernetes.io/hostname', 'web')],
            },
          },
        },
        { app: 'web' },
      ),
      "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
      [[pod({}, { app: 'web' }), 'a']],
    ],
    [
      'the anti-affinity of others',
      [node('a')],
      pod({}, { app: 'web' }),
      "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
      [
        [
          pod({
            affinity: {
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [near('kubernetes.io/hostname', 'web')],
              },
            },
          }),
          'a',
        ],
      ],
    ],
    [
      'topology spread without the label',
      [node('a')],
      pod({
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
      }),
      "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
    ],
  ];
  for (const [name, nodes, item, expected, placed] of cases)
    t.equal(outcome(cluster(nodes, placed), item), expected, name);
});

t.test('what is said of preemption', async (t) => {
  const message = (item: Pod, placed: [Pod, string][] = []) => {
    const decision = choose(cluster([node('a')], placed), item);
    return decision.node ? '' : decision.message;
  };
  t.equal(
    message(pod({ cpu: '3' }), [[pod({ cpu: '2' }), 'a']]),
    '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  );
  t.equal(
    message(pod({ cpu: '5' })),
    '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    'more than the whole node',
  );
  t.equal(
    message(pod({ cpu: '5', preemptionPolicy: 'Never' })),
    '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
  );
  const mixed = choose(
    cluster(
      [node('a', { taints: [taint] }), node('b'), node('c')],
      [
        [pod({ cpu: '4' }), 'b'],
        [pod({ cpu: '4' }), 'c'],
      ],
    ),
    pod({ cpu: '1' }),
  );
  t.equal(
    mixed.node ? '' : mixed.message,
    '0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}, 2 Insufficient cpu. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.',
  );
});

t.test('where a pod may go', async (t) => {
  const cases: [name: string, Node[], Pod, string, [Pod, string][]?][] = [
    [
      'a tolerated taint',
      [node('a', { taints: [taint] })],
      pod({ tolerations: [{ key: 'dedicated', operator: 'Exists' }] }),
      'a',
    ],
    [
      'a cordoned node that is tolerated, as by daemons',
      [node('a', { unschedulable: true })],
      pod({ tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] }),
      'a',
    ],
    [
      'node selector',
      [node('a'), node('b', { labels: { disk: 'ssd' } })],
      pod({ nodeSelector: { disk: 'ssd' } }),
      'b',
    ],
    [
      'any of several node terms',
      [node('a'), node('b', { labels: { zone: 'two' } })],
      pod(requireNode(inTerm('zone', 'one'), inTerm('zone', 'two'))),
      'b',
    ],
    [
      'the node named by field, as daemons are',
      [node('a'), node('b')],
      pod(requireNode({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] })),
      'b',
    ],
    [
      'greater than a number',
      [node('a', { labels: { cores: '4' } }), node('b', { labels: { cores: '16' } })],
      pod(requireNode({ matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['8'] }] })),
      'b',
    ],
    [
      'the same host port on another address',
      [node('a')],
      pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, hostIP: '10.0.0.1' }] }] }),
      'a',
      [
        [
          pod({
            containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, hostIP: '10.0.0.2' }] }],
          }),
          'a',
        ],
      ],
    ],
    [
      'near the pods it wants',
      [node('a'), node('b')],
      pod({
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [near('kubernetes.io/hostname', 'db')],
          },
        },
      }),
      'b',
      [[pod({}, { app: 'db' }), 'b']],
    ],
    [
      'the first of a group that wants to be near itself',
      [node('a')],
      pod(
        {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [near('kubernetes.io/hostname', 'db')],
            },
          },
        },
        { app: 'db' },
      ),
      'a',
    ],
    [
      'evenly over zones',
      [node('a', { labels: { zone: 'one' } }), node('b', { labels: { zone: 'two' } })],
      pod(
        {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'zone',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: { app: 'web' } },
            },
          ],
        },
        { app: 'web' },
      ),
      'b',
      [[pod({}, { app: 'web' }), 'a']],
    ],
  ];
  for (const [name, nodes, item, expected, placed] of cases)
    t.equal(outcome(cluster(nodes, placed), item), expected, name);
});

t.test('a node term without requirements matches nothing', async (t) => {
  t.match(outcome(cluster([node('a')]), pod(requireNode({}))), /didn't match Pod's node affinity/);
});

t.test('affinity speaks of the pod’s namespace unless it names others', async (t) => {
  const elsewhere = pod({}, { app: 'db' });
  elsewhere.metadata!.namespace = 'other';
  const where = cluster([node('a')], [[elsewhere, 'a']]);
  const wants = (more: object) =>
    pod({
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { ...near('kubernetes.io/hostname', 'db'), ...more },
          ],
        },
      },
    });
  t.match(outcome(where, wants({})), /pod affinity rules/);
  t.equal(outcome(where, wants({ namespaces: ['other'] })), 'a');
  t.equal(outcome(where, wants({ namespaceSelector: { matchLabels: { team: 'other' } } })), 'a');
  t.equal(outcome(where, wants({ namespaceSelector: {} })), 'a');
});

t.test('which of the possible nodes is best', async (t) => {
  const soft: Taint = { key: 'soft', effect: 'PreferNoSchedule' };
  const big = { names: ['registry/web:1'], sizeBytes: 900 << 20 };
  const cases: [name: string, Node[], Pod, string, [Pod, string][]?][] = [
    [
      'the fuller one',
      [node('a'), node('b')],
      pod({ cpu: '1', memory: '1Gi' }),
      'b',
      [[pod({ cpu: '1', memory: '1Gi' }), 'b']],
    ],
    ['of equals the first by name', [node('b'), node('a')], pod(), 'a'],
    ['one without an advising taint', [node('a', { taints: [soft] }), node('b')], pod(), 'b'],
    [
      'one that it prefers',
      [node('a'), node('b', { labels: { disk: 'ssd' } })],
      pod({
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, preference: inTerm('disk', 'ssd') },
            ],
          },
        },
      }),
      'b',
    ],
    [
      'one with the pods it likes',
      [node('a'), node('b')],
      pod({
        affinity: {
          podAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 100, podAffinityTerm: near('kubernetes.io/hostname', 'db') },
            ],
          },
        },
      }),
      'b',
      [[pod({}, { app: 'db' }), 'b']],
    ],
    [
      'one without the pods it dislikes',
      [node('a'), node('b')],
      pod({
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 100, podAffinityTerm: near('kubernetes.io/hostname', 'db') },
            ],
          },
        },
      }),
      'b',
      [[pod({}, { app: 'db' }), 'a']],
    ],
    [
      'one with fewer of its kind, if it asks for that',
      [node('a'), node('b')],
      pod(
        {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: { app: 'web' } },
            },
          ],
        },
        { app: 'web' },
      ),
      'b',
      [[pod({}, { app: 'web' }), 'a']],
    ],
    [
      'one that has the image',
      [node('a'), node('b', { images: [big] })],
      pod({ containers: [{ name: 'c', image: 'registry/web:1' }] }),
      'b',
    ],
  ];
  for (const [name, nodes, item, expected, placed] of cases)
    t.equal(outcome(cluster(nodes, placed), item), expected, name);
});

t.test('pods pack onto few nodes', async (t) => {
  const where = cluster(['a', 'b', 'c'].map((name) => node(name)));
  const used = new Set<string>();
  for (let i = 0; i < 8; i++) {
    const item = pod({ cpu: '500m', memory: '1Gi' });
    const decision = choose(where, item);
    if (!decision.node) throw new Error(decision.message);
    where.assume(podInfoOf(item), decision.node.name);
    used.add(decision.node.name);
  }
  t.same([...used], ['a'], 'eight halves fill four CPUs');
  t.equal(outcome(where, pod({ cpu: '500m' })), 'b');
});

t.test('an unreachable rejection names the filters for waking', async (t) => {
  const decision = choose(cluster([node('a', { taints: [taint] }), node('b')]), pod({ cpu: '5' }));
  t.same(decision.node ? [] : [...decision.rejectedBy].sort(), ['NodeResourcesFit', 'TaintToleration']);
});

t.test('what pods use is counted up and down with them', async (t) => {
  const where = cluster([node('a')]);
  const item = podInfoOf(
    pod({
      cpu: '3',
      containers: [
        { name: 'c', resources: { requests: { cpu: '3' } }, ports: [{ containerPort: 1, hostPort: 1 }] },
      ],
    }),
  );
  where.assume(item, 'a');
  where.place(item, 'a');
  t.match(where.node('a'), { cpu: 3000 }, 'once, when assumed and then seen');
  t.equal(where.isAssumed(item.uid), false);
  t.equal(where.remove(item.uid), 'a');
  t.match(where.node('a'), { cpu: 0, weighedCPU: 0, memory: 0 });
  t.notOk(where.node('a')!.hasPort({ ip: '0.0.0.0', protocol: 'TCP', port: 1 }));
});

t.test('pods on a node that is not known yet count when it comes', async (t) => {
  const where = cluster([], [[pod({ cpu: '3' }), 'a']]);
  t.equal(where.node('a'), undefined);
  where.setNode(node('a'));
  t.equal(where.node('a')?.cpu, 3000);
  where.removeNode('a');
  t.equal(where.nodes.length, 0);
  where.setNode(node('a'));
  t.equal(where.node('a')?.cpu, 3000, 'and when it comes back');
});
