import type { PodRuntimeState } from '../runtime/types.ts';

/** Attempts of a container that are kept: the newest, and the one before it for `logs --previous`. */
const keptAttempts = 2;

/** Ids of a pod's dead containers that nobody needs any more: older attempts and sandboxes that were replaced. */
export function planGarbage(observed: PodRuntimeState): string[] {
  const seen = new Map<string, number>();
  const garbage: string[] = [];
  for (const { id, name, state } of observed.containers) {
    const newer = seen.get(name) ?? 0;
    seen.set(name, newer + 1);
    if (newer >= keptAttempts && state !== 'running') garbage.push(id);
  }
  for (const { id, state } of observed.sandboxes.slice(1)) if (state !== 'running') garbage.push(id);
  return garbage;
}
