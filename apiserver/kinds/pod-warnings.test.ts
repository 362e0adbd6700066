import t from 'tap';
import type { PodSpec } from '../../api/types/core-v1.ts';
import { podWarnings, workloadWarnings } from './pod-warnings.ts';

const c = { name: 'c', image: 'x:1' };
const cases: [spec: Partial<PodSpec>, warnings: string[]][] = [
  [{}, []],
  [
    { containers: [{ ...c, env: [{ name: 'A' }, { name: 'A' }] }] },
    ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
  ],
  [
    { containers: [{ ...c, resources: { limits: { memory: '1500m', cpu: '500m' } } }] },
    [
      'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer',
    ],
  ],
  [
    {
      containers: [
        {
          ...c,
          ports: [
            { containerPort: 80, name: 'a' },
            { containerPort: 80, name: 'b' },
          ],
        },
        { ...c, name: 'd', ports: [{ containerPort: 81, name: 'a' }] },
      ],
    },
    [
      'spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]',
      'spec.containers[1].ports[0]: duplicate port name "a" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]',
    ],
  ],
  [
    { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } },
    ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
  ],
  [
    { terminationGracePeriodSeconds: -1 },
    [
      'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
    ],
  ],
  [{ imagePullSecrets: [{}] }, ['spec.imagePullSecrets[0].name: invalid empty name ""']],
];

for (const [spec, warnings] of cases)
  t.test(`advice about a pod: ${JSON.stringify(spec)}`, async (t) => {
    const full = { containers: [c], ...spec };
    t.same(podWarnings({ metadata: { name: 'p' }, spec: full }), warnings);
    t.same(
      workloadWarnings({ metadata: { name: 'd' }, spec: { template: { spec: full } } }),
      warnings.map((text) =>
        text
          .replaceAll('spec.', 'spec.template.spec.')
          .replace('spec.template.spec.template', 'spec.template'),
      ),
      'and about a template with the same spec',
    );
  });

t.test('a name that is no good host name is warned of', async (t) => {
  t.same(podWarnings({ metadata: { name: 'a.b' } }), [
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
  ]);
});
