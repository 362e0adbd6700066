import { jobs } from '../../api/resources.ts';
import type { Job } from '../../api/types/batch-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import {
  age,
  ageColumn,
  allVerbs,
  humanDuration,
  keepStatusAndCount,
  nameColumn,
  startGeneration,
} from './common.ts';
import { jobLabels, validateJob, validateJobStatusUpdate, validateJobUpdate } from './job-validation.ts';
import { defaultPodTemplate } from './pod-template.ts';
import { templateColumns } from './pod-template-columns.ts';
import { workloadWarnings } from './pod-warnings.ts';

/** Gives a job that does not bring its own selector one that only its pods match. */
function generateSelector(job: Job, uid: string): void {
  const { spec, metadata } = job;
  if (!spec || spec.manualSelector) return;
  spec.template ??= {};
  spec.template.metadata ??= {};
  spec.template.metadata.labels ??= {};
  const labels = spec.template.metadata.labels;
  const name = metadata?.name ?? '';
  const wanted: [string, string][] = [
    [jobLabels.oldUID, uid],
    [jobLabels.uid, uid],
    [jobLabels.oldName, name],
    [jobLabels.name, name],
  ];
  // A label that the user set to something else is left for validation to refuse.
  for (const [key, value] of wanted) labels[key] ??= value;
  spec.selector ??= {};
  spec.selector.matchLabels ??= {};
  spec.selector.matchLabels[jobLabels.uid] ??= uid;
}

const condition = (job: Job, type: string): boolean =>
  job.status?.conditions?.some((item) => item.type === type && item.status === 'True') ?? false;

function statusText(job: Job): string {
  if (condition(job, 'Complete')) return 'Complete';
  if (condition(job, 'Failed')) return 'Failed';
  if (job.metadata?.deletionTimestamp) return 'Terminating';
  if (condition(job, 'Suspended')) return 'Suspended';
  if (condition(job, 'FailureTarget')) return 'FailureTarget';
  if (condition(job, 'SuccessCriteriaMet')) return 'SuccessCriteriaMet';
  return 'Running';
}

function completionsText(job: Job): string {
  const succeeded = job.status?.succeeded ?? 0;
  if (job.spec?.completions !== undefined) return `${succeeded}/${job.spec.completions}`;
  const parallelism = job.spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText(job: Job, now: number): string {
  const { startTime, completionTime } = job.status ?? {};
  if (!startTime) return '';
  return completionTime
    ? humanDuration(Date.parse(completionTime) - Date.parse(startTime))
    : age(startTime, now);
}

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ */
export const job: KindDeclaration<Job> = {
  ...jobs,
  singular: 'job',
  listKind: 'JobList',
  shortNames: [],
  categories: ['all'],
  verbs: allVerbs,
  schema: 'io.k8s.api.batch.v1.Job',
  defaults({ spec }) {
    if (!spec) return;
    // Without either, one pod must succeed; with only parallelism it is a work queue of any size.
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
    spec.parallelism ??= 1;
    spec.completionMode ??= 'NonIndexed';
    spec.suspend ??= false;
    if (spec.backoffLimitPerIndex !== undefined) spec.backoffLimit ??= 2_147_483_647;
    spec.backoffLimit ??= 6;
    spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
    for (const rule of spec.podFailurePolicy?.rules ?? [])
      for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
    defaultPodTemplate(spec.template);
  },
  prepareForCreate(object, context) {
    startGeneration(object);
    object.status = {};
    object.metadata ??= {};
    object.metadata.uid ??= context.newUID();
    generateSelector(object, object.metadata.uid);
  },
  prepareForUpdate: keepStatusAndCount,
  warnings: workloadWarnings,
  validate: validateJob,
  validateUpdate: validateJobUpdate,
  status: {
    validateUpdate: validateJobStatusUpdate,
    prepareForUpdate(next, previous) {
      next.spec = previous.spec;
    },
  },
  selectableFields: { 'status.successful': (object) => String(object.status?.succeeded ?? 0) },
  // In batch/v1 the pods of a job outlive it unless the client says otherwise; kubectl does.
  defaultDeletionPropagation: 'orphan',
  columns: [
    nameColumn,
    { name: 'Status', type: 'string', description: 'Status of the job.', value: statusText },
    {
      name: 'Completions',
      type: 'string',
      description: 'Number of pods that succeeded, of those wanted.',
      value: completionsText,
    },
    {
      name: 'Duration',
      type: 'string',
      description: 'Time required to complete the job.',
      value: durationText,
    },
    ageColumn,
    ...templateColumns,
  ],
};
