/** What every condition of a status has. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/condition/ */
export interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** The condition of this type, if there is one. */
export const findCondition = <C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined => conditions?.find((condition) => condition.type === type);

/** Whether the condition of this type is there and `True`. */
export const isConditionTrue = (conditions: readonly ConditionLike[] | undefined, type: string): boolean =>
  findCondition(conditions, type)?.status === 'True';

/**
 * The list with this condition set. `lastTransitionTime` (RFC 3339) is taken over only when the status changes;
 * otherwise the earlier one stays. Returns the same array if nothing changes, so callers can compare by identity.
 */
export function setCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  condition: C,
  transitionTime: string,
): C[] {
  const list = (conditions ?? []) as C[];
  const index = list.findIndex((item) => item.type === condition.type);
  const before = list[index];
  if (!before) return [...list, { ...condition, lastTransitionTime: transitionTime }];
  const next: C = {
    ...before,
    ...condition,
    lastTransitionTime: before.status === condition.status ? before.lastTransitionTime : transitionTime,
  };
  const changed = Object.keys(next).some((key) => next[key as keyof C] !== before[key as keyof C]);
  return changed ? list.with(index, next) : list;
}

/** The list without the condition of this type; the same array if it has none. */
export const removeCondition = <C extends ConditionLike>(conditions: C[] | undefined, type: string): C[] =>
  conditions?.some((condition) => condition.type === type)
    ? conditions.filter((condition) => condition.type !== type)
    : (conditions ?? []);
