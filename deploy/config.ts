import { addressAt, cidrContains, parseCIDR, parseIPv4 } from '../api/net.ts';

/** TCP ports of the processes. All but the API server's, the kubelet's and proxyHealth's are loopback only. */
export interface Ports {
  apiserver: number;
  store: number;
  storeMetrics: number;
  kubelet: number;
  kubeletHealth: number;
  scheduler: number;
  controllerManager: number;
  proxyHealth: number;
  proxyMetrics: number;
}

/** An etcd outside of this cluster's care, in place of its own store. */
export interface ExternalEtcd {
  servers: string[];
  caFile?: string;
  certFile?: string;
  keyFile?: string;
}

/** All that decides what a cluster on this machine looks like; kept in `<data-dir>/config.yaml`. */
export interface ClusterConfig {
  clusterName: string;
  nodeName: string;
  nodeIP: string;
  clusterCIDR: string;
  serviceCIDR: string;
  serviceNodePortRange: string;
  clusterDomain: string;
  clusterDNS: string;
  bridgeName: string;
  dockerHost: string;
  ports: Ports;
  etcd?: ExternalEtcd;
}

/** Kubernetes' well-known ports. https://kubernetes.io/docs/reference/networking/ports-and-protocols/ */
export const defaultPorts: Readonly<Ports> = {
  apiserver: 6443,
  store: 2379,
  storeMetrics: 2381,
  kubelet: 10250,
  kubeletHealth: 10248,
  scheduler: 10259,
  controllerManager: 10257,
  proxyHealth: 10256,
  proxyMetrics: 10249,
};

/** What the user asked for: options of `nkube up`, absent where nothing was said. */
export interface ConfigRequest extends Partial<Omit<ClusterConfig, 'ports' | 'etcd'>> {
  apiserverPort?: number;
  /** Added to every port that is not named itself. */
  portOffset?: number;
  /** Without servers: the own store, whatever was saved. */
  etcd?: ExternalEtcd;
}

/** A configuration that cannot work. The message names the flag and is meant for the user as it is. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** Facts of the machine that stand in for what nobody configured. */
export interface MachineDefaults {
  hostname: string;
  nodeIP: string | undefined;
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const dnsName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * Completes a request with the saved configuration of an earlier `up`, then with defaults.
 * @throws {ConfigError} if a value is malformed or two of them contradict each other.
 */
export function completeConfig(
  request: ConfigRequest,
  saved: ClusterConfig | undefined,
  machine: MachineDefaults,
): ClusterConfig {
  const serviceCIDR = request.serviceCIDR ?? saved?.serviceCIDR ?? '10.96.0.0/16';
  const nodeIP = request.nodeIP ?? saved?.nodeIP ?? machine.nodeIP;
  if (!nodeIP)
    throw new ConfigError('this machine has no network address besides loopback: set one with --node-ip');
  const services = parseCIDR(serviceCIDR);
  if (!services || services.prefix > 24)
    throw new ConfigError(`--service-cidr ${serviceCIDR}: must be an IPv4 network of at least a /24`);
  const clusterName = request.clusterName ?? saved?.clusterName ?? 'nekalakube';
  const etcd = request.etcd ?? saved?.etcd;
  const config: ClusterConfig = {
    clusterName,
    nodeName: request.nodeName ?? saved?.nodeName ?? machine.hostname.toLowerCase(),
    nodeIP,
    clusterCIDR: request.clusterCIDR ?? saved?.clusterCIDR ?? '10.244.0.0/16',
    serviceCIDR,
    serviceNodePortRange: request.serviceNodePortRange ?? saved?.serviceNodePortRange ?? '30000-32767',
    clusterDomain: request.clusterDomain ?? saved?.clusterDomain ?? 'cluster.local',
    clusterDNS:
      request.clusterDNS ?? (serviceCIDR === saved?.serviceCIDR ? saved.clusterDNS : addressAt(services, 10)),
    bridgeName: request.bridgeName ?? saved?.bridgeName ?? 'nkube0',
    dockerHost: request.dockerHost ?? saved?.dockerHost ?? 'unix:///var/run/docker.sock',
    ports: completePorts(request, saved?.ports),
    ...(etcd?.servers.length && { etcd }),
  };
  validate(config);
  return config;
}

function completePorts(request: ConfigRequest, saved: Ports | undefined): Ports {
  const asked = request.portOffset !== undefined;
  const ports = Object.fromEntries(
    Object.entries(defaultPorts).map(([name, port]) => [
      name,
      asked || !saved ? port + (request.portOffset ?? 0) : saved[name as keyof Ports],
    ]),
  ) as unknown as Ports;
  if (request.apiserverPort !== undefined) ports.apiserver = request.apiserverPort;
  return ports;
}

function validate(config: ClusterConfig): void {
  if (!dnsLabel.test(config.clusterName))
    throw new ConfigError(
      `--cluster-name ${config.clusterName}: must be lower case letters, digits and '-', at most 63`,
    );
  if (!dnsName.test(config.nodeName))
    throw new ConfigError(`--node-name ${config.nodeName}: must be a lower case DNS name (RFC 1123)`);
  if (!dnsName.test(config.clusterDomain))
    throw new ConfigError(`--cluster-domain ${config.clusterDomain}: must be a lower case DNS name`);
  if (parseIPv4(config.nodeIP) === undefined)
    throw new ConfigError(`--node-ip ${config.nodeIP}: must be an IPv4 address`);
  const services = parseCIDR(config.serviceCIDR)!;
  const pods = parseCIDR(config.clusterCIDR);
  if (!pods || pods.prefix > 24)
    throw new ConfigError(`--cluster-cidr ${config.clusterCIDR}: must be an IPv4 network of at least a /24`);
  if (cidrContains(services, addressAt(pods, 0)) || cidrContains(pods, addressAt(services, 0)))
    throw new ConfigError(
      `--cluster-cidr ${config.clusterCIDR} and --service-cidr ${config.serviceCIDR} overlap`,
    );
  for (const [flag, network] of [
    ['--service-cidr', services],
    ['--cluster-cidr', pods],
  ] as const)
    if (cidrContains(network, config.nodeIP))
      throw new ConfigError(`${flag}: contains this node's own address ${config.nodeIP}`);
  if (parseIPv4(config.clusterDNS) === undefined || !cidrContains(services, config.clusterDNS))
    throw new ConfigError(
      `--cluster-dns ${config.clusterDNS}: must be an address in --service-cidr ${config.serviceCIDR}`,
    );
  // IFNAMSIZ is 16 with the closing zero byte.
  if (!/^[a-zA-Z][\w.-]{0,14}$/.test(config.bridgeName))
    throw new ConfigError(
      `--bridge-name ${config.bridgeName}: must be an interface name of at most 15 letters`,
    );
  if (!/^(unix:\/\/\/|tcp:\/\/).+/.test(config.dockerHost))
    throw new ConfigError(`--docker-host ${config.dockerHost}: must be unix:///PATH or tcp://HOST:PORT`);
  const range = /^(\d+)-(\d+)$/.exec(config.serviceNodePortRange);
  if (!range || Number(range[1]) < 1 || Number(range[2]) > 65535 || Number(range[1]) > Number(range[2]))
    throw new ConfigError(
      `--service-node-port-range ${config.serviceNodePortRange}: must be like 30000-32767`,
    );
  const seen = new Map<number, string>();
  for (const [name, port] of Object.entries(config.ports)) {
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      throw new ConfigError(`port of ${name}: ${port} is not between 1 and 65535`);
    const other = seen.get(port);
    if (other) throw new ConfigError(`port ${port} is used twice: by ${other} and ${name}`);
    if (port >= Number(range[1]) && port <= Number(range[2]))
      throw new ConfigError(
        `port ${port} of ${name} lies in --service-node-port-range ${config.serviceNodePortRange}`,
      );
    seen.set(port, name);
  }
  for (const url of config.etcd?.servers ?? [])
    if (!/^https?:\/\/[^/]+$/.test(url))
      throw new ConfigError(`--etcd-servers ${url}: must be http(s)://HOST:PORT`);
}

/** Fields that objects in the store, containers or routes already depend on. */
const immutable = {
  clusterName: '--cluster-name',
  nodeName: '--node-name',
  clusterCIDR: '--cluster-cidr',
  serviceCIDR: '--service-cidr',
  clusterDomain: '--cluster-domain',
  clusterDNS: '--cluster-dns',
  bridgeName: '--bridge-name',
} as const satisfies Partial<Record<keyof ClusterConfig, string>>;

const flagOf: Record<keyof ClusterConfig, string> = {
  ...immutable,
  nodeIP: '--node-ip',
  serviceNodePortRange: '--service-node-port-range',
  dockerHost: '--docker-host',
  // Objects move between the store and an etcd by a snapshot.
  etcd: '--etcd-servers',
  ports: '--port-offset/--apiserver-port',
};

export interface ConfigChanges {
  /** Flags whose change no restart can carry out. */
  impossible: string[];
  /** Flags whose change needs the processes to be started anew. */
  restart: string[];
}

/** What differs between the saved configuration and the wanted one, by flag. */
export function configChanges(saved: ClusterConfig, wanted: ClusterConfig): ConfigChanges {
  const changes: ConfigChanges = { impossible: [], restart: [] };
  for (const key of Object.keys(flagOf) as (keyof ClusterConfig)[]) {
    if (JSON.stringify(saved[key]) === JSON.stringify(wanted[key])) continue;
    (Object.hasOwn(immutable, key) ? changes.impossible : changes.restart).push(flagOf[key]);
  }
  return changes;
}
