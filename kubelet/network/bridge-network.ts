import type { NetworkCreateOptions, NetworkInspectInfo } from 'dockerode';
import { addressAt, parseCIDR } from '../../api/net.ts';
import { labels } from '../runtime/types.ts';
import { gatewayIndex } from './address-pool.ts';

export interface BridgeNetworkConfig {
  clusterName: string;
  nodeName: string;
  bridge: string;
  podCIDR: string;
  /** Of the interface to the other nodes; absent: Docker's default of 1500. */
  mtu?: number;
  /** Of the engine: `1.41`. */
  apiVersion: string;
}

export type BridgeNetworkAction =
  | { type: 'remove'; id: string }
  | { type: 'create'; options: NetworkCreateOptions };

/** From this version on the engine drops what is routed to a container's address unless told otherwise. */
const firstWithDirectRoutingFilter = 48;

/** The pod network as Docker's API wants it. Docker must not masquerade: pods see each other's addresses. */
export function networkOptions(config: BridgeNetworkConfig): NetworkCreateOptions {
  const cidr = parseCIDR(config.podCIDR);
  if (!cidr)
    throw new Error(`spec.podCIDR: Invalid value: ${JSON.stringify(config.podCIDR)}: must be an IPv4 CIDR`);
  const [, minor] = config.apiVersion.split('.').map(Number);
  return {
    Name: config.clusterName,
    CheckDuplicate: true,
    Driver: 'bridge',
    IPAM: { Driver: 'default', Config: [{ Subnet: config.podCIDR, Gateway: addressAt(cidr, gatewayIndex) }] },
    Labels: { [labels.cluster]: config.clusterName, [labels.node]: config.nodeName },
    Options: {
      'com.docker.network.bridge.name': config.bridge,
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
      'com.docker.network.bridge.enable_icc': 'true',
      ...(config.mtu && { 'com.docker.network.driver.mtu': String(config.mtu) }),
      ...((minor ?? 0) >= firstWithDirectRoutingFilter && {
        'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected',
      }),
    },
  };
}

/**
 * What brings the pod network about. One that differs in subnet or bridge is made anew if no container uses it.
 * @throws {Error} if it differs and is in use, or the name belongs to a network that is not this cluster's.
 */
export function planBridgeNetwork(
  config: BridgeNetworkConfig,
  observed: NetworkInspectInfo | undefined,
): BridgeNetworkAction[] {
  const options = networkOptions(config);
  const create = { type: 'create', options } as const;
  if (!observed) return [create];
  const name = JSON.stringify(config.clusterName);
  if (observed.Labels?.[labels.cluster] !== config.clusterName)
    throw new Error(
      `the Docker network ${name} exists but is not this cluster's: remove it or choose another --cluster-name`,
    );
  const [ipam] = observed.IPAM?.Config ?? [];
  const bridge = observed.Options?.['com.docker.network.bridge.name'];
  if (ipam?.Subnet === config.podCIDR && bridge === config.bridge) return [];
  const users = Object.values(observed.Containers ?? {}).map(({ Name }) => Name);
  if (users.length)
    throw new Error(
      `the Docker network ${name} is ${ipam?.Subnet} on ${bridge}, not ${config.podCIDR} on ${config.bridge}, and in use by ${users.join(', ')}`,
    );
  return [{ type: 'remove', id: observed.Id }, create];
}
