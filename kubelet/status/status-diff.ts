import { isDeepStrictEqual } from 'node:util';
import type { PodCondition, PodStatus } from '../../api/types/core-v1.ts';

/** Fields that the kubelet takes away again; what it never writes is another writer's and stays. */
const removable = new Set(['reason', 'message', 'podIP', 'podIPs', 'initContainerStatuses', 'conditions']);

type StatusPatch = { [K in keyof PodStatus]?: PodStatus[K] | null };

/** Drops fields that are undefined, as JSON does, so that comparing is not fooled by them. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** Conditions that differ; a reason or message that went away is named as null, for the merge by type. */
function conditionChanges(old: readonly PodCondition[], next: readonly PodCondition[]): object[] {
  return next.flatMap((condition) => {
    const before = old.find((one) => one.type === condition.type);
    if (isDeepStrictEqual(before, condition)) return [];
    const gone = Object.keys(before ?? {}).filter((key) => !(key in condition));
    return [{ ...condition, ...Object.fromEntries(gone.map((key) => [key, null])) }];
  });
}

/**
 * The strategic merge patch of `status` that makes the old one the new one; undefined if they agree. Conditions
 * merge by type, so those of other writers are not touched; all other lists are replaced whole.
 */
export function statusPatch(
  oldStatus: PodStatus | undefined,
  nextStatus: PodStatus,
): StatusPatch | undefined {
  const old = plain(oldStatus ?? {});
  const next = plain(nextStatus);
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
    const before = old[key as keyof PodStatus];
    const after = next[key as keyof PodStatus];
    if (key === 'conditions') {
      const changes = conditionChanges(old.conditions ?? [], next.conditions ?? []);
      if (changes.length > 0) patch.conditions = changes;
    } else if (after === undefined) {
      if (removable.has(key)) patch[key] = null;
    } else if (!isDeepStrictEqual(before, after)) patch[key] = after;
  }
  return Object.keys(patch).length > 0 ? (patch as StatusPatch) : undefined;
}
