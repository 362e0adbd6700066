import { hostname } from 'node:os';
import { type FlagDeclarations, FlagError, type FlagValues } from '../api/flags.ts';
import { type CIDR, cidrContains, parseCIDR, parseHostPort } from '../api/net.ts';
import { services } from '../api/resources.ts';
import { ApiClient } from '../client/api-client.ts';
import { type ComponentContext, runComponent } from '../client/component.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { serveHealth } from '../client/serving.ts';
import { ClusterDns } from './dns/cluster-dns.ts';
import { Forwarder } from './dns/forward.ts';
import { nodeNameservers } from './dns/resolv-conf.ts';
import { Responder } from './dns/responder.ts';
import { serveProxyHealth } from './health.ts';
import { HealthCheckNodePorts } from './health-check-node-ports.ts';
import { formatMetrics, processMetrics } from './metrics.ts';
import { insideOf, localAddresses } from './node-addresses.ts';
import { planService } from './plan.ts';
import { Proxier } from './proxier.ts';
import { ensureServiceRoute, removeServiceRoute } from './route.ts';
import { ServiceRules } from './service-rules.ts';
import { ServiceWatch } from './service-watch.ts';
import { Connections } from './tcp.ts';

const flags = {
  kubeconfig: { type: 'string', help: 'kubeconfig file of the API server' },
  'hostname-override': { type: 'string', default: hostname(), help: "this node's name" },
  'cluster-cidr': { type: 'string', default: '10.244.0.0/16', help: 'network of the pods' },
  'service-cluster-ip-range': { type: 'string', default: '10.96.0.0/16', help: 'network of the services' },
  'cluster-dns': {
    type: 'string',
    default: '10.96.0.10',
    help: 'address that cluster DNS answers on; empty for none',
  },
  'cluster-domain': { type: 'string', default: 'cluster.local', help: 'domain of the cluster' },
  'resolv-conf': { type: 'string', default: '/etc/resolv.conf', help: 'name servers for all other names' },
  'nodeport-addresses': { type: 'list', default: [], help: 'networks to serve node ports on (all if empty)' },
  'bind-address': {
    type: 'string',
    default: '0.0.0.0',
    help: 'address for node ports if no networks are given',
  },
  'healthz-bind-address': { type: 'string', default: '0.0.0.0:10256', help: 'health; empty for none' },
  'metrics-bind-address': { type: 'string', default: '127.0.0.1:10249', help: 'metrics; empty for none' },
  'cluster-name': { type: 'string', default: 'nekalakube', help: 'marks the rules of this cluster' },
  cleanup: {
    type: 'boolean',
    default: false,
    help: 'take back the route and the rules of the service network, and exit',
  },
} as const satisfies FlagDeclarations;

type Values = FlagValues<typeof flags>;

/** Milliseconds between looks at what can change without the API server knowing: routes and addresses. */
const refreshPeriod = 30_000;

function networkOf(values: Values, name: 'cluster-cidr' | 'service-cluster-ip-range'): CIDR {
  const cidr = parseCIDR(values[name]);
  if (!cidr)
    throw new FlagError(`invalid argument "${values[name]}" for "--${name}" flag: not an IPv4 network`);
  return cidr;
}

function addressOf(values: Values, name: 'healthz-bind-address' | 'metrics-bind-address') {
  if (!values[name]) return undefined;
  const address = parseHostPort(values[name]);
  if (!address)
    throw new FlagError(`invalid argument "${values[name]}" for "--${name}" flag: must be host:port`);
  return address;
}

/** The addresses to listen on for node ports. UDP needs each by itself, to answer from the one asked. */
function nodePortAddresses(values: Values, networks: readonly CIDR[]) {
  const wild = values['bind-address'];
  return (protocol: 'TCP' | 'UDP'): readonly string[] => {
    if (networks.length)
      return localAddresses().filter((address) => networks.some((network) => cidrContains(network, address)));
    return protocol === 'TCP' || wild !== '0.0.0.0' ? [wild] : localAddresses();
  };
}

const shuffle = <T>(list: readonly T[]): T[] => {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
};

async function start(values: Values, { log, signal }: ComponentContext): Promise<void> {
  const serviceNetwork = networkOf(values, 'service-cluster-ip-range');
  const podNetwork = networkOf(values, 'cluster-cidr');
  const serviceCIDR = values['service-cluster-ip-range'];
  const rules = new ServiceRules({ clusterName: values['cluster-name'], serviceCIDR });
  if (values.cleanup) {
    await rules.remove();
    await removeServiceRoute(serviceCIDR);
    return;
  }
  const networks = values['nodeport-addresses'].map((text) => {
    const network = parseCIDR(text);
    if (!network)
      throw new FlagError(`invalid argument "${text}" for "--nodeport-addresses" flag: not a network`);
    return network;
  });
  const healthAddress = addressOf(values, 'healthz-bind-address');
  const metricsAddress = addressOf(values, 'metrics-bind-address');
  if (!values.kubeconfig) throw new FlagError('required flag not set: --kubeconfig');
  const client = new ApiClient({ config: await loadKubeconfig(values.kubeconfig), userAgent: 'kube-proxy' });
  await ensureServiceRoute(serviceCIDR);
  const hasRules = await rules.reset().catch((error: Error) => {
    log.warn({ err: error.message }, 'cannot make packet filter rules: ports taken on the node stay taken');
    return false;
  });
  const diverter = hasRules ? rules : undefined;

  const nodeName = values['hostname-override'];
  const recorder = new EventRecorder({ client, component: 'kube-proxy', host: nodeName, log });
  const connections = new Connections();
  const healthChecks = new HealthCheckNodePorts({ log });
  const clusterDNS = values['cluster-dns'];
  const reserved = new Set([`${clusterDNS}:53`]);
  let lastUpdated = Date.now();

  const proxier = new Proxier({
    connections,
    log,
    isInside: insideOf([serviceNetwork, podNetwork]),
    nodePortAddresses: nodePortAddresses(values, networks),
    diverter,
    repair: () => ensureServiceRoute(serviceCIDR),
    onProblem: (service, message) => {
      const [namespace = '', name = ''] = service.split('/');
      const object = watch.service(namespace, name);
      if (object)
        recorder.event(
          { ...object, apiVersion: 'v1', kind: services.kind },
          'Warning',
          'FailedToListen',
          message,
        );
    },
  });
  const watch: ServiceWatch = new ServiceWatch({
    client,
    nodeName,
    log,
    changed: (changed) => {
      for (const key of changed) {
        const [namespace = '', name = ''] = key.split('/');
        const plan = planService(watch.service(namespace, name), watch.slices(namespace, name), {
          nodeName,
          reserved,
          zone: watch.zone,
        });
        proxier.sync(key, plan);
        healthChecks.update(key, plan.healthCheck);
      }
      lastUpdated = Date.now();
    },
  });

  const responder = new Responder({
    zone: {
      domain: values['cluster-domain'].toLowerCase().replace(/\.$/, ''),
      view: watch,
      ttl: 5,
      serial: Math.floor(Date.now() / 1000),
      isClusterIP: (ip) => cidrContains(serviceNetwork, ip) || cidrContains(podNetwork, ip),
    },
    ready: () => watch.synced,
    shuffle,
    forwarder: new Forwarder({
      // A node that uses cluster DNS itself must not be asked in a circle.
      servers: nodeNameservers(
        values['resolv-conf'],
        (server) => server === clusterDNS || cidrContains(serviceNetwork, server),
      ),
    }),
  });

  const metrics = () =>
    formatMetrics([
      ...processMetrics(performance.timeOrigin),
      ...proxyMetrics(proxier, connections, lastUpdated),
      {
        name: 'coredns_dns_responses_total',
        help: 'DNS answers by code; "forwarded" for those of other servers.',
        type: 'counter',
        samples: [...responder.counts].map(([rcode, value]) => ({ labels: { rcode }, value })),
      },
    ]);
  const health =
    healthAddress &&
    (await serveProxyHealth(healthAddress, { healthy: () => watch.synced, lastUpdated: () => lastUpdated }));
  const metricsServer =
    metricsAddress &&
    (await serveHealth({ host: metricsAddress.host || '0.0.0.0', port: metricsAddress.port, metrics }));

  const stopped = new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  const dns =
    clusterDNS &&
    new ClusterDns({
      address: clusterDNS,
      respond: (message, transport) => responder.respond(message, transport),
      diverter,
      log,
    });
  if (dns) await dns.start();
  const refresh = setInterval(() => {
    proxier.refreshNodeAddresses();
    const kept = Promise.all([ensureServiceRoute(serviceCIDR), diverter?.ensure()]);
    kept.catch((error: Error) => log.warn({ err: error.message }, 'cannot keep route and rules'));
  }, refreshPeriod);
  void watch.start(signal).then(() => log.info({ ...proxier.counts }, 'services are served'));

  await stopped;
  clearInterval(refresh);
  if (dns) await dns.close();
  proxier.close();
  healthChecks.close();
  connections.destroy();
  health?.close();
  metricsServer?.close();
  client.close();
}

function proxyMetrics(proxier: Proxier, connections: Connections, lastUpdated: number) {
  const counts = proxier.counts;
  const one = (name: string, help: string, type: 'counter' | 'gauge', value: number) => ({
    name,
    help,
    type,
    samples: [{ value }],
  });
  return [
    one(
      'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
      'When the listeners were last brought up to date.',
      'gauge',
      lastUpdated / 1000,
    ),
    one('kubeproxy_services', 'Services with a cluster IP.', 'gauge', counts.services),
    one('kubeproxy_frontends', 'Addresses and ports that should listen.', 'gauge', counts.wanted),
    one('kubeproxy_frontends_listening', 'Addresses and ports that listen.', 'gauge', counts.listening),
    one('kubeproxy_tcp_connections', 'TCP connections under way.', 'gauge', connections.open),
    one('kubeproxy_tcp_connections_total', 'TCP connections accepted.', 'counter', connections.accepted),
    one('kubeproxy_tcp_refused_total', 'TCP clients that no endpoint took.', 'counter', connections.refused),
  ];
}

await runComponent({ name: 'kube-proxy', flags, start });
