import { ApiClient } from '../client/api-client.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import { InformerFactory } from '../client/informer-factory.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { runLeaderElection } from '../client/leader-election.ts';
import { leaderIdentity } from '../client/leader-identity.ts';
import type { Log } from '../client/log.ts';
import { serveHealth } from '../client/serving.ts';
import type { ControllerContext, ControllerDeclaration } from './common/context.ts';
import { controllers, selectControllers } from './controllers.ts';
import type { ControllerManagerFlags } from './flags.ts';
import { metricsText, type RunningController } from './metrics.ts';
import { poolFromFlags } from './node-ipam/controller.ts';

/** Losing the Lease ends the process: what was begun under it must not go on, and a restart starts clean. */
class LeadershipLostError extends Error {
  override name = 'LeadershipLostError';
}

/** Runs the elected controllers until `signal` aborts. */
export async function runControllerManager(
  flags: ControllerManagerFlags,
  context: { log: Log; signal: AbortSignal },
): Promise<void> {
  const { log, signal } = context;
  const selected = selectControllers(controllers, flags.controllers);
  // Wrong ranges are told at once, not when this process is elected.
  if (flags['allocate-node-cidrs']) poolFromFlags(flags);
  const client = new ApiClient({
    config: await loadKubeconfig(flags.kubeconfig),
    userAgent: 'kube-controller-manager',
  });
  const running: RunningController[] = [];
  let leading = false;
  const health = await serveHealth({
    host: flags['bind-address'],
    port: flags['secure-port'],
    ...(flags['tls-cert-file'] && { certFile: flags['tls-cert-file'] }),
    ...(flags['tls-private-key-file'] && { keyFile: flags['tls-private-key-file'] }),
    checks: [{ name: 'ping', check: () => undefined }],
    metrics: () => metricsText({ running, leading, lease: flags['leader-elect-resource-name'] }),
  });
  log.info({ port: health.port, controllers: selected.map((item) => item.name) }, 'serving');
  try {
    if (!flags['leader-elect']) {
      leading = true;
      await runControllers(selected, { client, flags, log, signal, running });
      return;
    }
    const ended = Promise.withResolvers<void>();
    const election = runLeaderElection({
      client,
      namespace: flags['leader-elect-resource-namespace'],
      name: flags['leader-elect-resource-name'],
      identity: leaderIdentity({ address: flags['bind-address'], port: health.port }),
      leaseDuration: flags['leader-elect-lease-duration'],
      renewDeadline: flags['leader-elect-renew-deadline'],
      retryPeriod: flags['leader-elect-retry-period'],
      onStartedLeading: (term) => {
        leading = true;
        runControllers(selected, { client, flags, log, signal: term, running }).catch(ended.reject);
      },
      onStoppedLeading: () => {
        leading = false;
        if (!signal.aborted) ended.reject(new LeadershipLostError('leader election lost'));
      },
      log,
      signal,
    });
    election.then(ended.resolve, ended.reject);
    await ended.promise;
  } finally {
    health.close();
    client.close();
  }
}

interface RunOptions {
  client: ApiClient;
  flags: ControllerManagerFlags;
  log: Log;
  signal: AbortSignal;
  /** Filled with what runs, for the metrics. */
  running: RunningController[];
}

/** Sets controllers up on one informer factory, waits until all informers are in sync, and runs them. */
export async function runControllers(
  declarations: readonly ControllerDeclaration[],
  options: RunOptions,
): Promise<void> {
  const { client, flags, log, signal } = options;
  const informers = new InformerFactory({ client, log });
  for (const { name, setUp } of declarations) {
    const controllerLog = named(log, name);
    const context: ControllerContext = {
      client,
      informers,
      events: (component) => new EventRecorder({ client, component, log: controllerLog }),
      log: controllerLog,
      now: Date.now,
      flags,
    };
    const controller = setUp(context);
    if (controller) options.running.push({ name, controller });
  }
  informers.start(signal);
  await Promise.race([informers.synced(), aborted(signal)]);
  if (signal.aborted) return;
  log.info({}, 'informers in sync, controllers start');
  await Promise.all(options.running.map(({ controller }) => controller.run(signal)));
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** A log whose lines carry the controller's name. */
function named(log: Log, controller: string): Log {
  return {
    debug: (fields, message) => log.debug({ controller, ...fields }, message),
    info: (fields, message) => log.info({ controller, ...fields }, message),
    warn: (fields, message) => log.warn({ controller, ...fields }, message),
    error: (fields, message) => log.error({ controller, ...fields }, message),
  };
}
