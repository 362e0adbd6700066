import { ConfigError, type ConfigRequest } from './config.ts';

/** Options of `nkube up` as the command line names them. */
export interface UpFlags {
  clusterName?: string;
  nodeName?: string;
  nodeIp?: string;
  clusterCidr?: string;
  podCidr?: string;
  serviceCidr?: string;
  serviceNodePortRange?: string;
  clusterDomain?: string;
  clusterDns?: string;
  apiserverPort?: number;
  portOffset?: number;
  bridgeName?: string;
  dockerHost?: string;
  etcdServers?: string[];
  etcdCafile?: string;
  etcdCertfile?: string;
  etcdKeyfile?: string;
}

/**
 * The request that the flags make; what was not said stays absent.
 * @throws {ConfigError} if certificates are given without the etcd that they are for
 */
export function requestFrom(flags: UpFlags): ConfigRequest {
  const etcdFiles = {
    caFile: flags.etcdCafile,
    certFile: flags.etcdCertfile,
    keyFile: flags.etcdKeyfile,
  };
  if (!flags.etcdServers && Object.values(etcdFiles).some((file) => file !== undefined))
    throw new ConfigError('--etcd-cafile, --etcd-certfile and --etcd-keyfile need --etcd-servers');
  const request: ConfigRequest = {
    clusterName: flags.clusterName,
    nodeName: flags.nodeName,
    nodeIP: flags.nodeIp,
    clusterCIDR: flags.clusterCidr ?? flags.podCidr,
    serviceCIDR: flags.serviceCidr,
    serviceNodePortRange: flags.serviceNodePortRange,
    clusterDomain: flags.clusterDomain,
    clusterDNS: flags.clusterDns,
    bridgeName: flags.bridgeName,
    dockerHost: flags.dockerHost,
    apiserverPort: flags.apiserverPort,
    portOffset: flags.portOffset,
    ...(flags.etcdServers && { etcd: { servers: flags.etcdServers, ...defined(etcdFiles) } }),
  };
  return defined(request);
}

const defined = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
