import { type FieldProblem, invalid } from '../../api/field-error.ts';
import { dns1123Subdomain } from '../../api/names.ts';
import { events } from '../../api/resources.ts';
import type { Event } from '../../api/types/core-v1.ts';
import type { KindDeclaration, TableColumn } from '../registry/kind.ts';
import { age, allVerbs, nameColumn } from './common.ts';
import { validateMetadata, validateMetadataUpdate } from './metadata-validation.ts';

/** An event stands in the namespace of what it is about; about a cluster-wide object, in `default`. */
function validateEvent(object: Event): FieldProblem[] {
  const errors = validateMetadata(object, true, dns1123Subdomain);
  const namespace = object.metadata?.namespace ?? '';
  const about = object.involvedObject?.namespace ?? '';
  if (about ? about !== namespace : namespace !== 'default' && namespace !== 'kube-system')
    errors.push(invalid('involvedObject.namespace', about, 'does not match event.namespace'));
  return errors;
}

const firstSeen = (event: Event): string | undefined => event.firstTimestamp ?? event.eventTime;

/** A repeated event was last seen when its series was; a single one when it happened. */
const lastSeen = (event: Event): string | undefined =>
  event.series?.lastObservedTime ?? event.lastTimestamp ?? firstSeen(event);

function sourceText({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || '';
  const host = source?.host || reportingInstance || '';
  return [component, host].filter(Boolean).join(', ');
}

/** The columns of `kubectl get events`. */
export const eventColumns: readonly TableColumn<Event>[] = [
  {
    name: 'Last Seen',
    type: 'string',
    description: 'Time since the event was last seen.',
    value: (event, now) => age(lastSeen(event), now),
  },
  { name: 'Type', type: 'string', description: 'Normal or Warning.', value: (event) => event.type ?? '' },
  {
    name: 'Reason',
    type: 'string',
    description: 'Why it happened, in one word.',
    value: (event) => event.reason ?? '',
  },
  {
    name: 'Object',
    type: 'string',
    description: 'What the event is about.',
    value: ({ involvedObject: { kind, name } }) =>
      name ? `${(kind ?? '').toLowerCase()}/${name}` : (kind ?? '').toLowerCase(),
  },
  {
    name: 'Subobject',
    type: 'string',
    priority: 1,
    description: 'The part of the object that it is about.',
    value: (event) => event.involvedObject.fieldPath ?? '',
  },
  { name: 'Source', type: 'string', priority: 1, description: 'Who reported it.', value: sourceText },
  {
    name: 'Message',
    type: 'string',
    description: 'What happened.',
    value: (event) => (event.message ?? '').trim(),
  },
  {
    name: 'First Seen',
    type: 'string',
    priority: 1,
    description: 'Time since the event was first seen.',
    value: (event, now) => age(firstSeen(event), now),
  },
  {
    name: 'Count',
    type: 'string',
    priority: 1,
    description: 'How often it was seen.',
    value: (event) => event.series?.count ?? (event.count || 1),
  },
  { ...nameColumn, priority: 1 },
];

/** The fields by which events can be selected, as `kubectl describe` does. */
export const eventFields: Readonly<Record<string, (event: Event) => string>> = {
  'involvedObject.kind': (event) => event.involvedObject.kind ?? '',
  'involvedObject.namespace': (event) => event.involvedObject.namespace ?? '',
  'involvedObject.name': (event) => event.involvedObject.name ?? '',
  'involvedObject.uid': (event) => event.involvedObject.uid ?? '',
  'involvedObject.apiVersion': (event) => event.involvedObject.apiVersion ?? '',
  'involvedObject.resourceVersion': (event) => event.involvedObject.resourceVersion ?? '',
  'involvedObject.fieldPath': (event) => event.involvedObject.fieldPath ?? '',
  reason: (event) => event.reason ?? '',
  reportingComponent: (event) => event.reportingComponent || event.source?.component || '',
  source: (event) => event.source?.component || event.reportingComponent || '',
  type: (event) => event.type ?? '',
};

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ */
export const event: KindDeclaration<Event> = {
  ...events,
  singular: 'event',
  listKind: 'EventList',
  shortNames: ['ev'],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.Event',
  validate: validateEvent,
  validateUpdate: validateMetadataUpdate,
  ttlSeconds: 3600,
  allowCreateOnUpdate: true,
  defaults(object) {
    object.involvedObject ??= {};
  },
  selectableFields: eventFields,
  columns: eventColumns,
};
