/** Restart back-off of one container. Times are milliseconds since the epoch. */
export interface BackOff {
  /** Length of the wait in milliseconds. */
  duration: number;
  /** When this wait was set. */
  since: number;
}

const first = 10_000;
const longest = 300_000;
/** A container that has not been restarted for this long begins again with the shortest wait. */
const forgetAfter = 2 * longest;

/**
 * When a container that exited at `exitedAt` may start again; undefined if it may now.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
 */
export function waitingUntil(
  backOff: BackOff | undefined,
  exitedAt: number,
  now: number,
): number | undefined {
  if (!backOff || exitedAt - backOff.since > forgetAfter) return undefined;
  const until = exitedAt + backOff.duration;
  return until > now ? until : undefined;
}

/** The wait after the next exit, given that the container starts now: 10 s, then double, up to 5 minutes. */
export function nextBackOff(backOff: BackOff | undefined, exitedAt: number, now: number): BackOff {
  if (!backOff || exitedAt - backOff.since > forgetAfter) return { duration: first, since: now };
  return { duration: Math.min(backOff.duration * 2, longest), since: now };
}

/**
 * The wait that a container must be in, judged by its attempts alone: after a restart of the kubelet, which
 * remembers nothing, a container that keeps failing does not start over with the shortest wait.
 * @param ran milliseconds that the last attempt ran
 */
export function backOffOfAttempt(attempt: number, ran: number, exitedAt: number): BackOff | undefined {
  if (attempt === 0 || ran > forgetAfter) return undefined;
  return { duration: Math.min(first * 2 ** (attempt - 1), longest), since: exitedAt - ran };
}

/** A wait as Go prints it: `10s`, `1m20s`, `5m0s`. */
export function backOffText(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
