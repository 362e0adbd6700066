import { setTimeout as delay } from 'node:timers/promises';
import { leases } from '../api/resources.ts';
import type { Lease } from '../api/types/coordination-v1.ts';
import type { ApiClient } from './api-client.ts';
import type { Log } from './log.ts';
import { isAlreadyExists, isConflict, isNotFound } from './status-error.ts';

export interface LeaderElectionOptions {
  client: ApiClient;
  namespace: string;
  /** Name of the Lease. */
  name: string;
  /** Unique to this process, such as `host_uuid`. */
  identity: string;
  /** Milliseconds that others wait after the last observed renewal before they take over. */
  leaseDuration: number;
  /** Milliseconds after which a leader that cannot renew stops leading. Less than `leaseDuration`. */
  renewDeadline: number;
  /** Milliseconds between tries. */
  retryPeriod: number;
  /** Called on election; `signal` aborts when leadership ends. */
  onStartedLeading(signal: AbortSignal): void;
  onStoppedLeading(): void;
  log: Log;
  signal: AbortSignal;
}

/** What this process last saw of the Lease, and when by its own clock: other clocks are not trusted. */
export interface LeaseObservation {
  lease: Lease | undefined;
  /** `performance.now()` of the moment when the record last changed. */
  changedAt: number;
}

export type LeaseAction = { type: 'create' } | { type: 'renew' } | { type: 'take' } | { type: 'wait' };

/** Decides the next step of an election. */
export function planLease(
  observation: LeaseObservation,
  options: { identity: string; leaseDuration: number; now: number },
): LeaseAction {
  const { lease, changedAt } = observation;
  if (!lease) return { type: 'create' };
  const holder = lease.spec?.holderIdentity;
  if (holder === options.identity) return { type: 'renew' };
  if (!holder) return { type: 'take' };
  const held = (lease.spec?.leaseDurationSeconds ?? options.leaseDuration / 1000) * 1000;
  return options.now - changedAt >= held ? { type: 'take' } : { type: 'wait' };
}

const microTime = (milliseconds: number) => new Date(milliseconds).toISOString().replace('Z', '000Z');

/** The Lease that carries out an action. */
export function nextLease(
  previous: Lease | undefined,
  action: LeaseAction,
  options: Pick<LeaderElectionOptions, 'namespace' | 'name' | 'identity' | 'leaseDuration'>,
  now: number,
): Lease {
  const taken = action.type !== 'renew';
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: previous?.metadata ?? { name: options.name, namespace: options.namespace },
    spec: {
      ...previous?.spec,
      holderIdentity: options.identity,
      leaseDurationSeconds: Math.ceil(options.leaseDuration / 1000),
      acquireTime: taken ? microTime(now) : previous?.spec?.acquireTime,
      renewTime: microTime(now),
      leaseTransitions: (previous?.spec?.leaseTransitions ?? 0) + (action.type === 'take' ? 1 : 0),
    },
  };
}

/**
 * Takes part in the election of one leader until `signal` aborts, then gives the Lease up.
 * At most one process leads at a time as long as clocks run at about the same rate.
 * https://kubernetes.io/docs/concepts/architecture/leases/
 */
export async function runLeaderElection(options: LeaderElectionOptions): Promise<void> {
  const { client, namespace, name, identity, leaseDuration, renewDeadline, retryPeriod, log, signal } =
    options;
  let observation: LeaseObservation = { lease: undefined, changedAt: performance.now() };
  let leading: AbortController | undefined;
  let renewedAt = 0;

  const observe = (lease: Lease | undefined) => {
    if (lease?.metadata?.resourceVersion === observation.lease?.metadata?.resourceVersion && lease) return;
    observation = { lease, changedAt: performance.now() };
  };
  const stop = (why: string) => {
    if (!leading) return;
    log.info({ lease: `${namespace}/${name}`, why }, 'stopped leading');
    leading.abort();
    leading = undefined;
    options.onStoppedLeading();
  };

  const attempt = async (): Promise<void> => {
    if (!leading) observe(await client.get(leases, { namespace, name }).catch(absentIfNotFound));
    const action = planLease(observation, { identity, leaseDuration, now: performance.now() });
    if (action.type === 'wait') {
      stop('another process holds the lease');
      return;
    }
    const began = performance.now();
    const lease = nextLease(observation.lease, action, options, Date.now());
    observe(
      action.type === 'create' ? await client.create(leases, lease) : await client.update(leases, lease),
    );
    renewedAt = began;
    if (!leading) {
      leading = new AbortController();
      log.info({ lease: `${namespace}/${name}`, identity }, 'started leading');
      options.onStartedLeading(leading.signal);
    }
  };

  while (!signal.aborted) {
    try {
      await attempt();
    } catch (error) {
      // Somebody else wrote the record, or it is gone: look at it before the next step.
      if (isConflict(error) || isNotFound(error) || isAlreadyExists(error)) {
        observe(await client.get(leases, { namespace, name }).catch(() => observation.lease));
        if (observation.lease?.spec?.holderIdentity !== identity) stop('the lease was taken');
      } else
        log.warn({ lease: `${namespace}/${name}`, err: (error as Error).message }, 'cannot renew the lease');
      if (leading && performance.now() - renewedAt > renewDeadline) stop('renew deadline exceeded');
    }
    await delay(retryPeriod, undefined, { signal }).catch(() => undefined);
  }
  if (leading && observation.lease) {
    stop('shutting down');
    await release(client, observation.lease).catch((error: Error) =>
      log.warn({ lease: `${namespace}/${name}`, err: error.message }, 'cannot release the lease'),
    );
  }
}

/** Empties the holder, so that the next process need not wait for the lease to run out. */
async function release(client: ApiClient, lease: Lease): Promise<void> {
  await client.update(leases, {
    ...lease,
    spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(Date.now()) },
  });
}

function absentIfNotFound(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
