import { type FlagDeclarations, FlagError, type FlagValues } from '../api/flags.ts';
import { namespaces, nodes, pods } from '../api/resources.ts';
import type { Namespace } from '../api/types/core-v1.ts';
import { ApiClient } from '../client/api-client.ts';
import { type ComponentContext, runComponent } from '../client/component.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import { Informer } from '../client/informer.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { runLeaderElection } from '../client/leader-election.ts';
import { leaderIdentity } from '../client/leader-identity.ts';
import { serveHealth } from '../client/serving.ts';
import { SchedulerMetrics } from './metrics.ts';
import { Scheduler } from './scheduler.ts';
import { slimNode, slimPod } from './slim.ts';

const flags = {
  kubeconfig: { type: 'string', required: true, help: 'kubeconfig file of the API server' },
  'leader-elect': { type: 'boolean', default: true, help: 'work only while elected leader' },
  'leader-elect-lease-duration': {
    type: 'duration',
    default: '15s',
    help: 'how long others wait for a silent leader',
  },
  'leader-elect-renew-deadline': {
    type: 'duration',
    default: '10s',
    help: 'how long a leader tries to renew',
  },
  'leader-elect-retry-period': { type: 'duration', default: '2s', help: 'time between tries' },
  'secure-port': { type: 'number', default: 10259, help: 'port of health and metrics; 0 for none' },
  'bind-address': { type: 'string', default: '127.0.0.1', help: 'address of health and metrics' },
  'tls-cert-file': { type: 'string', help: 'certificate for serving; plain HTTP without' },
  'tls-private-key-file': { type: 'string', help: 'key of the certificate' },
  'scheduler-name': {
    type: 'string',
    default: 'default-scheduler',
    help: 'pods with this schedulerName are placed',
  },
} as const satisfies FlagDeclarations;

async function start(values: FlagValues<typeof flags>, { log, signal }: ComponentContext): Promise<void> {
  const [lease, renew] = [values['leader-elect-lease-duration'], values['leader-elect-renew-deadline']];
  if (renew >= lease)
    throw new FlagError('--leader-elect-renew-deadline must be less than --leader-elect-lease-duration');
  const client = new ApiClient({
    config: await loadKubeconfig(values.kubeconfig),
    userAgent: 'kube-scheduler',
  });
  const recorder = new EventRecorder({ client, component: values['scheduler-name'], log });
  const metrics = new SchedulerMetrics();
  const namespaceInformer = new Informer<Namespace>({ client, resource: namespaces, log });
  const scheduler = new Scheduler({
    client,
    recorder,
    log,
    metrics,
    schedulerName: values['scheduler-name'],
    namespaceLabels: (name) => namespaceInformer.get(name)?.metadata?.labels,
  });
  const nodeInformer = new Informer({ client, resource: nodes, log, transform: slimNode }).on({
    add: (node) => scheduler.setNode(node),
    update: (node, old) => scheduler.setNode(node, old),
    delete: (node) => scheduler.removeNode(node),
  });
  const podInformer = new Informer({
    client,
    resource: pods,
    log,
    // Pods that have ended use nothing; the server tells when one ends as if it were deleted.
    fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
    transform: slimPod,
  }).on({
    add: (pod) => scheduler.setPod(pod),
    update: (pod, old) => scheduler.setPod(pod, old),
    delete: (pod) => scheduler.removePod(pod),
  });
  const informers = [namespaceInformer, nodeInformer, podInformer];
  const synced = Promise.all(informers.map((informer) => informer.synced));
  const health = await serve(values, {
    ready: () => informers.every((informer) => informer.hasSynced),
    metrics: () => metrics.format({ ...scheduler.queue.counts }),
  });
  for (const informer of informers) informer.start(signal);

  // The informers run before the election, so that a new leader starts with a full picture.
  const lead = async (leading: AbortSignal) => {
    await synced;
    if (leading.aborted) return;
    leading.addEventListener('abort', () => scheduler.stop(), { once: true });
    scheduler.start();
    log.info({ nodes: scheduler.cluster.nodes.length, ...scheduler.queue.counts }, 'scheduling');
  };
  if (values['leader-elect'])
    await runLeaderElection({
      client,
      namespace: 'kube-system',
      name: 'kube-scheduler',
      identity: leaderIdentity(health && { address: values['bind-address'], port: health.port }),
      leaseDuration: lease,
      renewDeadline: renew,
      retryPeriod: values['leader-elect-retry-period'],
      onStartedLeading: (leading) => void lead(leading),
      // The leading signal has stopped it; elected again, it starts again on a picture that went on.
      onStoppedLeading: () => undefined,
      log,
      signal,
    });
  else {
    void lead(signal);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  scheduler.stop();
  health?.close();
  await recorder.flushed();
  client.close();
}

async function serve(
  values: FlagValues<typeof flags>,
  state: { ready: () => boolean; metrics: () => string },
) {
  if (!values['secure-port']) return undefined;
  return serveHealth({
    host: values['bind-address'],
    port: values['secure-port'],
    ...(values['tls-cert-file'] && { certFile: values['tls-cert-file'] }),
    ...(values['tls-private-key-file'] && { keyFile: values['tls-private-key-file'] }),
    checks: [
      {
        name: 'informer-sync',
        readinessOnly: true,
        check: () => (state.ready() ? undefined : 'not synced'),
      },
    ],
    metrics: state.metrics,
  });
}

await runComponent({ name: 'kube-scheduler', flags, start });
