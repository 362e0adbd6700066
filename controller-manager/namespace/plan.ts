import { findCondition } from '../../api/conditions.ts';
import type { Namespace, NamespaceCondition } from '../../api/types/core-v1.ts';
import type { Discovery } from '../common/discovery.ts';
import { timestamp } from '../common/time.ts';

/** What one pass over a terminating namespace has found. */
export interface ContentReport {
  discoveryFailures: Discovery['failures'];
  /** Messages of deletions and lists that failed. */
  deletionFailures: readonly string[];
  /** Objects left, by `plural.group`. */
  remaining: ReadonlyMap<string, number>;
  /** Objects left that wait for a finalizer, by finalizer. */
  finalizers: ReadonlyMap<string, number>;
}

export const isEmpty = (report: ContentReport): boolean =>
  report.discoveryFailures.length === 0 &&
  report.deletionFailures.length === 0 &&
  report.remaining.size === 0;

interface Finding {
  reason: string;
  message: string;
}

const listed = (counts: ReadonlyMap<string, number>, text: (name: string, count: number) => string): string =>
  [...counts]
    .map(([name, count]) => text(name, count))
    .sort()
    .join(', ');

/** Each condition with what makes it `True`, and how it reads when it is `False`. */
function findings(report: ContentReport): [type: string, problem: Finding | undefined, fine: Finding][] {
  const { discoveryFailures, deletionFailures, remaining, finalizers } = report;
  const removed = { reason: 'ContentRemoved', message: 'All content successfully removed' };
  return [
    [
      'NamespaceDeletionDiscoveryFailure',
      discoveryFailures.length > 0
        ? {
            reason: 'DiscoveryFailed',
            message: `Discovery failed for some groups, ${discoveryFailures.length} failing: unable to retrieve the complete list of server APIs: ${discoveryFailures.map(({ groupVersion, message }) => `${groupVersion}: ${message}`).join(', ')}`,
          }
        : undefined,
      { reason: 'ResourcesDiscovered', message: 'All resources successfully discovered' },
    ],
    [
      'NamespaceDeletionGroupVersionParsingFailure',
      undefined,
      { reason: 'ParsedGroupVersions', message: 'All legacy kube types successfully parsed' },
    ],
    [
      'NamespaceDeletionContentFailure',
      deletionFailures.length > 0
        ? {
            reason: 'ContentDeletionFailed',
            message: `Failed to delete all resource types, ${deletionFailures.length} remaining: ${[...deletionFailures].sort().join(', ')}`,
          }
        : undefined,
      {
        reason: 'ContentDeleted',
        message: 'All content successfully deleted, may be waiting on finalization',
      },
    ],
    [
      'NamespaceContentRemaining',
      remaining.size > 0
        ? {
            reason: 'SomeResourcesRemain',
            message: `Some resources are remaining: ${listed(remaining, (name, count) => `${name} has ${count} resource instances`)}`,
          }
        : undefined,
      removed,
    ],
    [
      'NamespaceFinalizersRemaining',
      finalizers.size > 0
        ? {
            reason: 'SomeFinalizersRemain',
            message: `Some content in the namespace has finalizers remaining: ${listed(finalizers, (name, count) => `${name} in ${count} resource instances`)}`,
          }
        : undefined,
      removed,
    ],
  ];
}

/** The namespace's conditions after a pass; the same array if nothing changes. */
export function planConditions(
  namespace: Namespace,
  report: ContentReport,
  now: number,
): NamespaceCondition[] {
  const before = namespace.status?.conditions ?? [];
  let changed = false;
  const next = [...before];
  for (const [type, problem, fine] of findings(report)) {
    const status = problem ? 'True' : 'False';
    const { reason, message } = problem ?? fine;
    const old = findCondition(before, type);
    if (old?.status === status && old.reason === reason && old.message === message) continue;
    changed = true;
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : timestamp(now);
    const condition = { type, status, lastTransitionTime, reason, message };
    const index = next.findIndex((item) => item.type === type);
    if (index >= 0) next[index] = condition;
    else next.push(condition);
  }
  return changed ? next : before;
}
