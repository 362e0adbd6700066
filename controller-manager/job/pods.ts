import { jobs } from '../../api/resources.ts';
import type { Job } from '../../api/types/batch-v1.ts';
import type { Container, EnvVar, Pod } from '../../api/types/core-v1.ts';
import { podFromTemplate } from '../common/pod-control.ts';
import { indexAnnotation } from './indexes.ts';
import { failureCountAnnotation, trackingFinalizer } from './view.ts';

const indexVariable: EnvVar = {
  name: 'JOB_COMPLETION_INDEX',
  valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } },
};

/** Longest base that the server keeps when it adds five characters. */
const longestBase = 58;

const withIndexVariable = (container: Container): Container =>
  container.env?.some(({ name }) => name === indexVariable.name)
    ? container
    : { ...container, env: [...(container.env ?? []), indexVariable] };

/** A pod of the job; `failures` is how often its index has failed before, if the job counts that. */
export function jobPod(job: Job, index: number | undefined, failures: number | undefined): Pod {
  const pod = podFromTemplate(job.spec!.template, job, jobs);
  const metadata = pod.metadata!;
  metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), trackingFinalizer])];
  if (index === undefined) return pod;
  const name = job.metadata?.name ?? '';
  const suffix = `-${index}-`;
  metadata.generateName = name.slice(0, longestBase - suffix.length) + suffix;
  metadata.annotations = {
    ...metadata.annotations,
    [indexAnnotation]: String(index),
    ...(failures !== undefined && { [failureCountAnnotation]: String(failures) }),
  };
  metadata.labels = { ...metadata.labels, [indexAnnotation]: String(index) };
  const spec = pod.spec!;
  const { initContainers } = spec;
  pod.spec = {
    ...spec,
    hostname: `${name}-${index}`,
    containers: spec.containers.map(withIndexVariable),
    ...(initContainers && { initContainers: initContainers.map(withIndexVariable) }),
  };
  return pod;
}
