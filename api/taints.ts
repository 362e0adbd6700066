import type { Taint, Toleration } from './types/core-v1.ts';

/** The effects by which a taint keeps pods off a node; `PreferNoSchedule` only advises. */
export type TaintEffect = 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';

/**
 * Whether a toleration covers a taint.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
 */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator || 'Equal') {
    case 'Exists':
      return true;
    case 'Equal':
      // Without a key only `Exists` covers every taint.
      return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
    default:
      return false;
  }
}

export const toleratesTaint = (tolerations: readonly Toleration[] | undefined, taint: Taint): boolean =>
  tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;

/** The first taint of one of the effects that no toleration covers. */
export const untoleratedTaint = (
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
  effects: readonly TaintEffect[],
): Taint | undefined =>
  taints?.find(
    (taint) => (effects as readonly string[]).includes(taint.effect) && !toleratesTaint(tolerations, taint),
  );
