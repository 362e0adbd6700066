import type { PodTemplateSpec } from '../../api/types/core-v1.ts';
import { defaultPodSpec } from './pod-defaults.ts';

/** Fills the absent fields of a workload's pod template, in place. */
export function defaultPodTemplate(template: PodTemplateSpec | undefined): void {
  if (template?.spec) defaultPodSpec(template.spec);
}
