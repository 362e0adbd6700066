import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { bytes, milliCPU } from '../../api/quantity.ts';
import type { Container, Pod, SecurityContext } from '../../api/types/core-v1.ts';
import { qosClass } from '../status/qos.ts';
import {
  type ContainerConfig,
  containerName,
  labels,
  type Mount,
  type SandboxConfig,
  sandboxContainerName,
} from './types.ts';

/** What every container of this kubelet carries. */
export interface Owner {
  cluster: string;
  node: string;
}

/** Logs are kept in the engine's json-file driver, rotated like the kubelet's own (10 MiB, 5 files). */
const logConfig = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } };

const cpuPeriod = 100_000;
const minimumShares = 2;
const minimumQuota = 1000;

/** cgroup CPU shares for a request. https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/ */
export const cpuShares = (milli: number): number =>
  Math.max(minimumShares, Math.floor((milli * 1024) / 1000));

/** Microseconds of CPU a period of 100 ms; 0: no limit. */
export const cpuQuota = (milli: number): number =>
  milli === 0 ? 0 : Math.max(minimumQuota, Math.floor((milli * cpuPeriod) / 1000));

const graceOf = (pod: Pod): number => pod.spec?.terminationGracePeriodSeconds ?? 30;

function podLabels(owner: Owner, pod: Pod): Record<string, string> {
  return {
    [labels.cluster]: owner.cluster,
    [labels.node]: owner.node,
    [labels.podName]: pod.metadata?.name ?? '',
    [labels.podNamespace]: pod.metadata?.namespace ?? '',
    [labels.podUID]: pod.metadata?.uid ?? '',
    [labels.gracePeriod]: String(graceOf(pod)),
  };
}

const identity = (pod: Pod, container: string, attempt: number) => ({
  container,
  pod: pod.metadata?.name ?? '',
  namespace: pod.metadata?.namespace ?? '',
  uid: pod.metadata?.uid ?? '',
  attempt,
});

/** `hostPort`s are published by the sandbox, which owns the pod's network namespace. */
function portBindings(
  pod: Pod,
): Pick<ContainerCreateOptions, 'ExposedPorts'> & Pick<HostConfig, 'PortBindings'> {
  const exposed: Record<string, object> = {};
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])])
    for (const port of container.ports ?? []) {
      if (!port.hostPort) continue;
      const key = `${port.containerPort}/${(port.protocol ?? 'TCP').toLowerCase()}`;
      exposed[key] = {};
      bindings[key] = [{ HostIp: port.hostIP ?? '', HostPort: String(port.hostPort) }];
    }
  return Object.keys(exposed).length > 0 ? { ExposedPorts: exposed, PortBindings: bindings } : {};
}

/** Docker's request for a sandbox: the container that holds the pod's namespaces. */
export function sandboxCreateOptions(
  owner: Owner,
  config: SandboxConfig,
  networkName: string,
): ContainerCreateOptions {
  const { pod, attempt, ip } = config;
  const spec = pod.spec;
  const hostNetwork = spec?.hostNetwork === true;
  const { ExposedPorts, PortBindings } = hostNetwork ? {} : portBindings(pod);
  const sysctls = Object.fromEntries(
    (spec?.securityContext?.sysctls ?? []).map((item) => [item.name, item.value]),
  );
  return {
    name: containerName(identity(pod, sandboxContainerName, attempt)),
    Image: config.image,
    ...(!hostNetwork && { Hostname: config.hostname }),
    Labels: {
      ...podLabels(owner, pod),
      [labels.containerName]: sandboxContainerName,
      [labels.type]: 'podsandbox',
      [labels.attempt]: String(attempt),
      ...(ip && { [labels.podIP]: ip }),
    },
    ...(ExposedPorts && { ExposedPorts }),
    HostConfig: {
      NetworkMode: hostNetwork ? 'host' : networkName,
      IpcMode: spec?.hostIPC ? 'host' : 'shareable',
      ...(spec?.hostPID && { PidMode: 'host' }),
      ...(PortBindings && { PortBindings }),
      ...(Object.keys(sysctls).length > 0 && { Sysctls: sysctls }),
      LogConfig: { Type: 'none', Config: {} },
      CpuShares: minimumShares,
    },
    ...(ip && {
      NetworkingConfig: { EndpointsConfig: { [networkName]: { IPAMConfig: { IPv4Address: ip } } } },
    }),
  };
}

/**
 * How eagerly the kernel kills this container when the node runs out of memory, by quality of service.
 * Guaranteed pods keep the engine's own score: a lower one needs a capability that not every node has.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior
 */
export function oomScoreAdjustment(
  pod: Pod,
  container: Container,
  nodeMemoryBytes: number,
): number | undefined {
  const qos = qosClass(pod.spec ?? { containers: [] });
  if (qos === 'Guaranteed') return undefined;
  if (qos === 'BestEffort') return 1000;
  const request = bytes(container.resources?.requests?.memory);
  const score = Math.floor(1000 - (1000 * request) / Math.max(1, nodeMemoryBytes));
  return Math.min(999, Math.max(3, score));
}

function securityOptions(pod: Pod, security: SecurityContext | undefined): string[] {
  const options: string[] = [];
  if (security?.allowPrivilegeEscalation === false) options.push('no-new-privileges');
  const seccomp = security?.seccompProfile ?? pod.spec?.securityContext?.seccompProfile;
  if (seccomp?.type === 'Unconfined') options.push('seccomp=unconfined');
  const selinux = security?.seLinuxOptions ?? pod.spec?.securityContext?.seLinuxOptions;
  for (const field of ['user', 'role', 'type', 'level'] as const)
    if (selinux?.[field]) options.push(`label=${field}:${selinux[field]}`);
  return options;
}

/** Docker writes capabilities without the kernel's prefix; Kubernetes accepts both. */
const capability = (name: string): string => name.replace(/^CAP_/, '');

const bind = (mount: Mount) => ({
  Type: 'bind' as const,
  Source: mount.source,
  Target: mount.target,
  ReadOnly: mount.readOnly,
  ...(mount.propagation && { BindOptions: { Propagation: mount.propagation } }),
});

/** Docker's request for a container that joins the sandbox's namespaces. */
export function containerCreateOptions(
  owner: Owner,
  config: ContainerConfig,
  nodeMemoryBytes: number,
): ContainerCreateOptions {
  const { pod, container, attempt, sandboxID } = config;
  const security = container.securityContext;
  const limits = container.resources?.limits;
  const requests = container.resources?.requests;
  const memory = bytes(limits?.memory);
  const quota = cpuQuota(milliCPU(limits?.cpu));
  const joined = `container:${sandboxID}`;
  const groups = [
    ...(pod.spec?.securityContext?.supplementalGroups ?? []),
    ...(pod.spec?.securityContext?.fsGroup === undefined ? [] : [pod.spec.securityContext.fsGroup]),
  ];
  const oomScore = oomScoreAdjustment(pod, container, nodeMemoryBytes);
  const options = securityOptions(pod, security);
  return {
    name: containerName(identity(pod, container.name, attempt)),
    Image: config.imageID,
    Env: config.env,
    ...(config.command && { Entrypoint: config.command }),
    ...(config.args ? { Cmd: config.args } : config.command && { Cmd: [] }),
    ...(container.workingDir && { WorkingDir: container.workingDir }),
    ...(config.user !== undefined && { User: config.user }),
    Tty: container.tty ?? false,
    OpenStdin: container.stdin ?? false,
    StdinOnce: container.stdinOnce ?? false,
    // Probes are the kubelet's; an image's own health check would run beside them.
    Healthcheck: { Test: ['NONE'] },
    Labels: {
      ...podLabels(owner, pod),
      [labels.containerName]: container.name,
      [labels.type]: 'container',
      [labels.attempt]: String(attempt),
      [labels.hash]: config.hash,
      [labels.sandboxID]: sandboxID,
      [labels.image]: container.image ?? '',
      [labels.terminationMessagePath]: container.terminationMessagePath ?? '',
      [labels.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
    },
    HostConfig: {
      NetworkMode: joined,
      IpcMode: pod.spec?.hostIPC ? 'host' : joined,
      ...(pod.spec?.hostPID ? { PidMode: 'host' } : pod.spec?.shareProcessNamespace && { PidMode: joined }),
      LogConfig: logConfig,
      Mounts: config.mounts.map(bind),
      CpuShares: cpuShares(milliCPU(requests?.cpu ?? limits?.cpu)),
      ...(quota > 0 && { CpuPeriod: cpuPeriod, CpuQuota: quota }),
      ...(memory > 0 && { Memory: memory, MemorySwap: memory }),
      ...(oomScore !== undefined && { OomScoreAdj: oomScore }),
      ...(security?.privileged && { Privileged: true }),
      ...(security?.readOnlyRootFilesystem && { ReadonlyRootfs: true }),
      ...(security?.capabilities?.add && { CapAdd: security.capabilities.add.map(capability) }),
      ...(security?.capabilities?.drop && { CapDrop: security.capabilities.drop.map(capability) }),
      ...(groups.length > 0 && { GroupAdd: groups.map(String) }),
      ...(options.length > 0 && { SecurityOpt: options }),
      ...(security?.procMount === 'Unmasked' && { MaskedPaths: [], ReadonlyPaths: [] }),
    },
  };
}
