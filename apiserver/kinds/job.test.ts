import t from 'tap';
import { job } from './job.ts';
import { created, problems, row, statusUpdated, uid, updated } from './test-support.ts';

const pod = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x:1' }] };
const spec = { template: { spec: pod } };

t.test('a job gets the defaults of Kubernetes, and a selector of its own', async (t) => {
  const object = created(job, { spec });
  const labels = {
    'controller-uid': uid,
    'batch.kubernetes.io/controller-uid': uid,
    'job-name': 'x',
    'batch.kubernetes.io/job-name': 'x',
  };
  t.match(object.spec, {
    completions: 1,
    parallelism: 1,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    suspend: false,
    podReplacementPolicy: 'TerminatingOrFailed',
    selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
  });
  t.same(object.spec?.template.metadata?.labels, labels);
  t.equal(
    created(job, { spec: { ...spec, parallelism: 3 } }).spec?.completions,
    undefined,
    'a work queue has no count',
  );
});

const refused: [spec: object, errors: string[]][] = [
  [spec, []],
  [
    { template: { spec: { ...pod, restartPolicy: undefined } } },
    ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  ],
  [
    { ...spec, backoffLimit: -1 },
    ['spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    { ...spec, completionMode: 'Indexed', parallelism: 2 },
    ['spec.completions: Required value: when completion mode is Indexed'],
  ],
  [
    { ...spec, completionMode: 'Sorted' },
    ['spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"'],
  ],
  [
    { template: { metadata: { labels: { 'job-name': 'other' } }, spec: pod } },
    [
      `spec.template.metadata.labels[job-name]: Invalid value: {"job-name":"other","controller-uid":"${uid}","batch.kubernetes.io/controller-uid":"${uid}","batch.kubernetes.io/job-name":"x"}: must be 'x'`,
    ],
  ],
];

for (const [object, errors] of refused)
  t.test(`a job ${errors.length ? 'is refused' : 'is good'}: ${JSON.stringify(object)}`, async (t) => {
    t.same(problems(job, { spec: object }), errors);
  });

t.test(
  'the template, the selector and the completions of a job are fixed; its parallelism is not',
  async (t) => {
    const before = created(job, { spec });
    const fields = (change: (next: typeof before) => void) =>
      updated(job, before, change).problems.map((text) => text.replace(/: .*field is immutable$/, ''));
    t.same(
      fields((next) => {
        next.spec!.template.spec!.containers[0]!.image = 'y';
      }),
      ['spec.template'],
    );
    t.same(
      fields((next) => {
        next.spec!.completions = 5;
      }),
      ['spec.completions'],
    );
    t.same(
      fields((next) => {
        next.spec!.parallelism = 5;
        next.spec!.suspend = true;
      }),
      [],
    );
  },
);

t.test('a suspended job that has not started may still be told where to run', async (t) => {
  const before = created(job, { spec: { ...spec, suspend: true } });
  t.same(
    updated(job, before, (next) => {
      next.spec!.template.spec!.nodeSelector = { disk: 'ssd' };
      next.spec!.template.metadata!.annotations = { a: 'b' };
    }).problems,
    [],
  );
});

t.test('a job that is complete stays so', async (t) => {
  const before = created(job, { spec });
  before.status = { conditions: [{ type: 'Complete', status: 'True' }] };
  t.same(
    statusUpdated(job, before, (next) => {
      next.status = { active: 1 };
    }).problems,
    ['status.conditions: Invalid value: []: cannot disable the terminal Complete condition'],
  );
});

const start = '2024-01-02T03:00:05Z';
const rows: [status: object, cells: Record<string, string>][] = [
  [{}, { Status: 'Running', Completions: '0/1', Duration: '' }],
  [
    { startTime: start, active: 1 },
    { Status: 'Running', Completions: '0/1', Duration: '4m' },
  ],
  [
    {
      startTime: start,
      completionTime: '2024-01-02T03:00:12Z',
      succeeded: 1,
      conditions: [{ type: 'Complete', status: 'True' }],
    },
    { Status: 'Complete', Completions: '1/1', Duration: '7s' },
  ],
  [{ conditions: [{ type: 'Failed', status: 'True' }] }, { Status: 'Failed' }],
  [{ conditions: [{ type: 'Suspended', status: 'True' }] }, { Status: 'Suspended' }],
];

for (const [status, cells] of rows)
  t.test(`kubectl get shows a job with status ${JSON.stringify(status)}`, async (t) => {
    t.match(row(job, { ...created(job, { spec }), status }), cells);
  });

t.test('a work queue shows its parallelism', async (t) => {
  t.match(row(job, created(job, { spec: { ...spec, parallelism: 3 } })), { Completions: '0/1 of 3' });
});
