import type { Probe } from '../../api/types/core-v1.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

/** What a probe knows so far; `count` results like the last have come in a row. */
export interface ProbeState {
  /** The verdict that thresholds let through; undefined: none yet. */
  verdict: boolean | undefined;
  last: boolean | undefined;
  count: number;
}

export const freshProbe: ProbeState = { verdict: undefined, last: undefined, count: 0 };

/**
 * The state after one more result: the verdict changes once enough equal results came in a row.
 * https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
 */
export function afterProbe(state: ProbeState, success: boolean, probe: Probe): ProbeState {
  const count = state.last === success ? state.count + 1 : 1;
  const threshold = success ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  return { verdict: count >= threshold ? success : state.verdict, last: success, count };
}

/** Milliseconds until the first probe of a container that started at `startedAt`. */
export const firstProbeDelay = (probe: Probe, startedAt: number, now: number): number =>
  Math.max(0, startedAt + (probe.initialDelaySeconds ?? 0) * 1000 - now);

export const probePeriod = (probe: Probe): number => (probe.periodSeconds ?? 10) * 1000;

export const probeTimeout = (probe: Probe): number => (probe.timeoutSeconds ?? 1) * 1000;
