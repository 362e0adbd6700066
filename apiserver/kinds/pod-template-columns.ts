import { formatLabelSelector } from '../../api/selectors.ts';
import type { PodTemplateSpec } from '../../api/types/core-v1.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';
import type { TableColumn } from '../registry/kind.ts';

interface Templated {
  spec?: { template?: PodTemplateSpec; selector?: LabelSelector };
}

/** The wide columns that every workload has: its containers, their images and its selector. */
export const templateColumns: readonly TableColumn<Templated>[] = [
  {
    name: 'Containers',
    type: 'string',
    priority: 1,
    description: 'Names of each container in the template.',
    value: (object) =>
      object.spec?.template?.spec?.containers.map((container) => container.name).join(',') ?? '',
  },
  {
    name: 'Images',
    type: 'string',
    priority: 1,
    description: 'Images referenced by each container in the template.',
    value: (object) =>
      object.spec?.template?.spec?.containers.map((container) => container.image).join(',') ?? '',
  },
  {
    name: 'Selector',
    type: 'string',
    priority: 1,
    description: 'Label selector of the pods that belong to it.',
    value: (object) => formatLabelSelector(object.spec?.selector),
  },
];
