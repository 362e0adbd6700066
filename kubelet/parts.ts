import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { FlagValues } from '../api/flags.ts';
import { nodes, pods, services as serviceResource } from '../api/resources.ts';
import type { Node, Pod } from '../api/types/core-v1.ts';
import { ApiClient } from '../client/api-client.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import { Informer } from '../client/informer.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import type { Log } from '../client/log.ts';
import type { flags } from './flags.ts';
import { DockerImageManager } from './images/docker-image-manager.ts';
import { ImageCollector } from './images/image-collector.ts';
import { DockerPodNetwork } from './network/docker-pod-network.ts';
import { admitPod } from './node/admission.ts';
import { type EvictionCandidate, Evictor } from './node/eviction.ts';
import { NetworkKeeper } from './node/network-keeper.ts';
import { NodeAgent } from './node/node-agent.ts';
import { readCapacity } from './node/node-facts.ts';
import { NodeObserver } from './node/node-observer.ts';
import { allocatableOf } from './node/node-status.ts';
import { PodManager } from './pods/pod-manager.ts';
import type { PodServices } from './pods/pod-services.ts';
import { connectDocker } from './runtime/docker-client.ts';
import { DockerRuntime } from './runtime/docker-runtime.ts';
import { readUsage, type UsageParts } from './server/reports/usage.ts';
import type { KubeletSettings } from './settings.ts';
import { StatusManager } from './status/status-manager.ts';
import { ObjectCache } from './volumes/object-cache.ts';
import { TokenCache } from './volumes/token-cache.ts';

async function readOptional(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Builds the kubelet's parts and wires them; nothing runs yet. */
export async function buildParts(values: FlagValues<typeof flags>, settings: KubeletSettings, log: Log) {
  const { nodeName, nodeIP } = settings;
  const rootDirectory = values['root-dir'];
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
    networkProblem: () => keeper.problem && `network is not ready: ${keeper.problem}`,
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

  const evictor = new Evictor({
    candidates: () => memoryUse({ lookup: manager, runtime, rootDirectory }),
    evict: (pod, failure) => manager.evict(pod, failure),
  });
  const observer = new NodeObserver({
    runtime,
    images,
    rootDirectory,
    nodeName,
    nodeIP,
    port: values.port,
    capacity,
    reserved: settings.reserved,
    networkProblem: () => keeper.problem,
    memoryShort: (availableBytes) =>
      void evictor
        .relieve(availableBytes)
        .catch((error: Error) => log.warn({ err: error.message }, 'no pod could be evicted')),
  });
  const agent = new NodeAgent({
    client,
    log,
    name: nodeName,
    labels: settings.labels,
    taints: settings.taints,
    status: (old) => observer.status(old),
    event: (reason, message) =>
      events.event(
        { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName },
        'Normal',
        reason,
        message,
      ),
    checkEvery: values['node-status-update-frequency'],
  });

  const keeper = new NetworkKeeper({
    network,
    nodeName,
    nodes: nodeInformer,
    log,
    changed: async () => {
      await agent.report();
      manager.wakeAll();
    },
  });
  nodeInformer.on({
    add: (node) => {
      if (node.metadata?.name === nodeName) agent.observe(node);
      keeper.nodeChanged(node);
    },
    update: (node, old) => {
      if (node.metadata?.name === nodeName) agent.observe(node);
      keeper.nodeChanged(node, old);
    },
    delete: (node) => keeper.nodeChanged(node),
  });

  return {
    client,
    runtime,
    events,
    objects: secrets,
    collector,
    manager,
    agent,
    keeper,
    informers: { pods: podInformer, nodes: nodeInformer, services: serviceInformer },
  };
}

/** What each pod uses of the node's memory. */
async function memoryUse(parts: UsageParts): Promise<EvictionCandidate[]> {
  const { pods } = await readUsage(parts);
  return pods.map(({ pod, containers }) => ({
    pod,
    memoryBytes: containers.reduce((sum, { stats }) => sum + stats.memoryWorkingSetBytes, 0),
  }));
}
