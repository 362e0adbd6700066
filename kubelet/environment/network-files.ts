import type { HostAlias, Pod } from '../../api/types/core-v1.ts';

/** What DNS the pods of this node use. */
export interface DNSSettings {
  /** Addresses of the cluster DNS; empty: pods use the node's resolvers. */
  clusterDNS: readonly string[];
  clusterDomain: string;
  /** The node's own resolv.conf. */
  hostResolvConf: string;
}

interface Resolver {
  nameservers: string[];
  searches: string[];
  options: string[];
}

/** Most that the kubelet writes of each. https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/ */
const longest = { nameservers: 3, searches: 32 };

function parseResolvConf(text: string): Resolver {
  const result: Resolver = { nameservers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver' && rest[0]) result.nameservers.push(rest[0]);
    // The last search line counts.
    else if (word === 'search') result.searches = rest.filter((domain) => domain !== '.');
    else if (word === 'options') result.options = rest;
  }
  return result;
}

const unique = (items: readonly string[]): string[] => [...new Set(items)];

/**
 * The pod's /etc/resolv.conf by its `dnsPolicy` and `dnsConfig`.
 * https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy
 */
export function resolvConf(pod: Pod, settings: DNSSettings): string {
  const spec = pod.spec ?? { containers: [] };
  const host = parseResolvConf(settings.hostResolvConf);
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  const cluster =
    settings.clusterDNS.length > 0 &&
    (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !spec.hostNetwork));
  let resolver: Resolver = host;
  if (policy === 'None') resolver = { nameservers: [], searches: [], options: [] };
  else if (cluster) {
    const domain = settings.clusterDomain;
    resolver = {
      nameservers: [...settings.clusterDNS],
      searches: [`${pod.metadata?.namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches],
      options: ['ndots:5'],
    };
  }
  const own = spec.dnsConfig;
  const nameservers = unique([...resolver.nameservers, ...(own?.nameservers ?? [])]).slice(
    0,
    longest.nameservers,
  );
  const searches = unique([...resolver.searches, ...(own?.searches ?? [])]).slice(0, longest.searches);
  const options = new Map(resolver.options.map((option) => [option.split(':')[0]!, option] as const));
  for (const { name, value } of own?.options ?? [])
    if (name) options.set(name, value ? `${name}:${value}` : name);
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(options.size > 0 ? [`options ${[...options.values()].join(' ')}`] : []),
    '',
  ].join('\n');
}

/** The pod's host name, and its name in DNS if it has a subdomain. A name over 63 characters is cut. */
export function podHostname(pod: Pod, clusterDomain: string): { hostname: string; domain?: string } {
  const spec = pod.spec;
  let hostname = spec?.hostname || (pod.metadata?.name ?? '');
  if (hostname.length > 63) hostname = hostname.slice(0, 63).replace(/[-.]+$/, '');
  if (!spec?.subdomain) return { hostname };
  return {
    hostname,
    domain: `${hostname}.${spec.subdomain}.${pod.metadata?.namespace}.svc.${clusterDomain}`,
  };
}

const aliasLines = (aliases: readonly HostAlias[] = []): string =>
  aliases.length === 0
    ? ''
    : `\n# Entries added by HostAliases.\n${aliases
        .map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`)
        .join('')}`;

/** The pod's /etc/hosts; with the host's network, the host's own file and the pod's aliases. */
export function etcHosts(
  pod: Pod,
  options: { podIP?: string; clusterDomain: string; hostFile: string },
): string {
  const aliases = aliasLines(pod.spec?.hostAliases);
  if (pod.spec?.hostNetwork)
    return `# Kubernetes-managed hosts file (host network).\n${options.hostFile}${aliases}`;
  const { hostname, domain } = podHostname(pod, options.clusterDomain);
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...(options.podIP ? [`${options.podIP}\t${domain ? `${domain}\t` : ''}${hostname}`] : []),
    aliases,
  ].join('\n');
}
