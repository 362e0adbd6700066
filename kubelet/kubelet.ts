import { mkdir, readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { FlagValues } from '../api/flags.ts';
import { nodes, pods, services as serviceResource } from '../api/resources.ts';
import type { Node, NodeStatus, Pod } from '../api/types/core-v1.ts';
import { ApiClient } from '../client/api-client.ts';
import type { ComponentContext } from '../client/component.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import { Informer } from '../client/informer.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { serveHealth } from '../client/serving.ts';
import type { flags } from './flags.ts';
import { DockerImageManager } from './images/docker-image-manager.ts';
import { ImageCollector } from './images/image-collector.ts';
import { DockerPodNetwork } from './network/docker-pod-network.ts';
import { admitPod } from './node/admission.ts';
import { NodeAgent } from './node/node-agent.ts';
import { readCapacity, readHeadroom, readSystemInfo } from './node/node-facts.ts';
import { allocatableOf, buildNodeStatus, pressureOf } from './node/node-status.ts';
import { PodManager } from './pods/pod-manager.ts';
import type { PodServices } from './pods/pod-services.ts';
import { connectDocker } from './runtime/docker-client.ts';
import { DockerRuntime } from './runtime/docker-runtime.ts';
import { serveKubelet } from './server/kubelet-server.ts';
import { createReports } from './server/reports.ts';
import { readSettings } from './settings.ts';
import { StatusManager } from './status/status-manager.ts';
import { ObjectCache } from './volumes/object-cache.ts';
import { TokenCache } from './volumes/token-cache.ts';

/** Milliseconds for which the list of images is taken as it was. */
const imagesKeptFor = 60_000;
/** Milliseconds between repairs of the pod network, whose rules others may have flushed. */
const networkCheckEvery = 60_000;
/** Milliseconds between looks whether images fill the disk. */
const imageCollectionEvery = 300_000;

async function readOptional(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Builds the kubelet's parts, wires them and runs until the context's signal aborts. */
export async function runKubelet(values: FlagValues<typeof flags>, context: ComponentContext): Promise<void> {
  const { log, signal } = context;
  const settings = readSettings(values);
  const { nodeName, nodeIP } = settings;
  const rootDirectory = values['root-dir'];
  await mkdir(rootDirectory, { recursive: true, mode: 0o750 });
  const client = new ApiClient({
    config: await loadKubeconfig(values.kubeconfig),
    userAgent: 'kubelet',
  });
  const events = new EventRecorder({ client, component: 'kubelet', host: nodeName, log });
  const docker = connectDocker(values['container-runtime-endpoint']);
  const network = new DockerPodNetwork({
    docker,
    clusterName: values['cluster-name'],
    nodeName,
    bridge: values['bridge-name'],
    clusterCIDR: values['cluster-cidr'],
    nodeIP,
  });
  const runtime = new DockerRuntime({
    docker,
    owner: { cluster: values['cluster-name'], node: nodeName },
    networkName: () => network.networkName,
    nodeMemoryBytes: totalmem(),
  });
  const capacity = await readCapacity(rootDirectory, values['max-pods']);
  const allocatable = allocatableOf(capacity, settings.reserved);
  const podInformer = new Informer<Pod>({
    client,
    resource: pods,
    fieldSelector: `spec.nodeName=${nodeName}`,
    log,
  });
  const nodeInformer = new Informer<Node>({ client, resource: nodes, log });
  const serviceInformer = new Informer({ client, resource: serviceResource, log });
  const secrets = new ObjectCache({ client, log, changed: (uid) => manager.wake(uid) });
  const collector = new ImageCollector({
    docker,
    recordFile: join(rootDirectory, 'pulled-images.json'),
    now: Date.now,
  });
  const images = new DockerImageManager({
    docker,
    events,
    pulled: (id) =>
      void collector
        .pulled(id)
        .catch((error: Error) => log.warn({ err: error.message }, 'image not recorded')),
    secret: (namespace, name) => secrets.secret(namespace, name),
    now: Date.now,
    ...(values['pod-infra-container-image'] && { sandboxImage: values['pod-infra-container-image'] }),
  });

  let networkProblem: string | undefined = 'no podCIDR is assigned to the node yet';
  let runtimeProblem: string | undefined;
  const services: PodServices = {
    runtime,
    images,
    network,
    objects: secrets,
    tokens: new TokenCache({ client, now: Date.now }),
    statuses: new StatusManager({ client, log }),
    events,
    log,
    imageIDs: new Map(),
    rootDirectory,
    dns: {
      clusterDNS: values['cluster-dns'],
      clusterDomain: values['cluster-domain'],
      hostResolvConf: await readOptional('/etc/resolv.conf'),
    },
    facts: () => ({ nodeName, hostIP: nodeIP, allocatable }),
    services: async () => {
      await serviceInformer.synced;
      return serviceInformer.values();
    },
    networkProblem: () =>
      networkProblem === undefined
        ? undefined
        : `network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${networkProblem}`,
    now: Date.now,
  };
  const ownNode = () => nodeInformer.get(nodeName);
  const manager = new PodManager({
    services,
    client,
    informer: podInformer,
    admit: (pod, others) => {
      const node = ownNode();
      return node && admitPod({ pod, node, others, allocatable });
    },
  });

  let knownImages: { at: number; list: { names: string[]; sizeBytes: number }[] } = { at: 0, list: [] };
  let dockerVersion = '';
  async function nodeStatus(old: NodeStatus | undefined): Promise<NodeStatus> {
    try {
      dockerVersion = (await runtime.version()).version;
      runtimeProblem = undefined;
      const now = Date.now();
      if (now - knownImages.at > imagesKeptFor) knownImages = { at: now, list: await images.listImages() };
    } catch (error) {
      runtimeProblem = (error as Error).message;
    }
    const problems = [
      ...(runtimeProblem ? [`[container runtime is down: ${runtimeProblem}]`] : []),
      ...(networkProblem
        ? [
            `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${networkProblem}`,
          ]
        : []),
    ];
    return buildNodeStatus({
      old,
      nodeIP,
      hostname: nodeName,
      port: values.port,
      capacity,
      reserved: settings.reserved,
      systemInfo: await readSystemInfo(dockerVersion),
      images: knownImages.list,
      pressure: pressureOf(await readHeadroom(rootDirectory)),
      problems,
      now: `${new Date().toISOString().slice(0, 19)}Z`,
    });
  }
  const agent = new NodeAgent({
    client,
    log,
    name: nodeName,
    labels: settings.labels,
    taints: settings.taints,
    status: nodeStatus,
    checkEvery: values['node-status-update-frequency'],
  });

  let ensuring: Promise<void> | undefined;
  /** Brings the pod network to what the node's object says; one at a time. */
  function ensureNetwork(): Promise<void> {
    ensuring ??= ensureNetworkOnce().finally(() => {
      ensuring = undefined;
    });
    return ensuring;
  }
  async function ensureNetworkOnce(): Promise<void> {
    const podCIDR = ownNode()?.spec?.podCIDR;
    if (!podCIDR) return;
    const before = networkProblem;
    try {
      await network.ensurePodNetwork(podCIDR);
      networkProblem = undefined;
      for (const error of await network.ensureRoutes(nodeInformer.list()))
        log.warn({ err: error.message }, 'route to another node not made');
    } catch (error) {
      networkProblem = (error as Error).message;
      log.warn({ err: networkProblem }, 'pod network not ready');
    }
    if (before === networkProblem) return;
    await agent.report();
    if (networkProblem === undefined) manager.wakeAll();
  }
  const networkChanged = (node: Node, old?: Node) => {
    if (node.metadata?.name === nodeName) agent.observe(node);
    const routing = ({ spec, status }: Node) => JSON.stringify([spec?.podCIDR, status?.addresses]);
    if (!old || routing(old) !== routing(node)) void ensureNetwork();
  };
  nodeInformer.on({ add: networkChanged, update: networkChanged, delete: () => void ensureNetwork() });

  const health =
    values['healthz-port'] > 0
      ? await serveHealth({ host: values['healthz-bind-address'], port: values['healthz-port'] })
      : undefined;
  const server = settings.tls
    ? await serveKubelet({
        lookup: manager,
        runtime,
        log,
        address: values.address,
        port: values.port,
        tls: settings.tls,
        reports: createReports({ lookup: manager, runtime, nodeName, rootDirectory, startedAt: Date.now() }),
      })
    : undefined;
  podInformer.start(signal);
  nodeInformer.start(signal);
  serviceInformer.start(signal);
  await agent.start(signal);
  await nodeInformer.synced;
  await ensureNetwork();
  await whileUnavailable(() => manager.start(signal), context);
  const repair = setInterval(() => void ensureNetwork(), networkCheckEvery);
  const collectImages = async () => {
    try {
      const { removed, problem } = await collector.collect();
      if (removed.length) log.info({ removed }, 'images removed, the disk was filling up');
      const node = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName };
      if (problem) events.event(node, 'Warning', 'FreeDiskSpaceFailed', problem);
    } catch (error) {
      log.warn({ err: (error as Error).message }, 'image garbage collection failed');
    }
  };
  const collection = setInterval(() => void collectImages(), imageCollectionEvery);
  log.info({ node: nodeName, address: nodeIP }, 'kubelet started');
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(repair);
  clearInterval(collection);
  await manager.stop();
  secrets.close();
  server?.close();
  health?.close();
  client.close();
}

/** Tries again every second while the container engine does not answer. */
async function whileUnavailable(
  start: () => Promise<void>,
  { log, signal }: ComponentContext,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await start();
      return;
    } catch (error) {
      log.warn({ err: (error as Error).message }, 'container runtime not ready, trying again');
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
