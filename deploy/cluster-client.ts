import { Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../api/object.ts';
import { nodes } from '../api/resources.ts';
import type { Node } from '../api/types/core-v1.ts';
import { ApiClient } from '../client/api-client.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { isAlreadyExists, isNotFound } from '../client/status-error.ts';
import { addons } from './addons.ts';
import { kubernetesServiceIP } from './components.ts';
import type { ClusterConfig } from './config.ts';
import type { Paths } from './paths.ts';

/** A client of the cluster as its administrator. */
export async function adminClient(paths: Paths): Promise<ApiClient> {
  return new ApiClient({ config: await loadKubeconfig(paths.kubeconfig('admin')), userAgent: 'nkube' });
}

const said = (error: unknown) => (error as Error).message;

/** Why the API server does not serve yet. */
export async function apiserverComplaint(client: ApiClient): Promise<string | undefined> {
  try {
    await client.text({ method: 'GET', path: '/readyz', timeoutMilliseconds: 5_000 });
    return undefined;
  } catch (error) {
    return said(error);
  }
}

/**
 * Why the node is not Ready. Asks the kubelet itself first: right after a start the node's status is still
 * that of the last run.
 */
export async function nodeComplaint(client: ApiClient, config: ClusterConfig): Promise<string | undefined> {
  const name = config.nodeName;
  let node: Node;
  try {
    const health = await fetch(`http://127.0.0.1:${config.ports.kubeletHealth}/healthz`, {
      signal: AbortSignal.timeout(2_000),
    });
    if (!health.ok) return `the kubelet is not well: ${(await health.text()).trim()}`;
  } catch {
    return 'the kubelet does not answer yet';
  }
  try {
    node = await client.get(nodes, { name });
  } catch (error) {
    return isNotFound(error) ? `node ${name} has not registered` : said(error);
  }
  const ready = node.status?.conditions?.find((item) => item.type === 'Ready');
  if (ready?.status !== 'True')
    return `node ${name}: ${ready?.message ?? ready?.reason ?? 'says nothing of Ready'}`;
  if (node.spec?.taints?.some((taint) => taint.key === 'node.kubernetes.io/not-ready'))
    return `node ${name} still has the taint node.kubernetes.io/not-ready`;
  return undefined;
}

/** Why cluster DNS does not answer. */
export async function dnsComplaint(config: ClusterConfig): Promise<string | undefined> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([config.clusterDNS]);
  const name = `kubernetes.default.svc.${config.clusterDomain}`;
  const wanted = kubernetesServiceIP(config);
  try {
    const addresses = await resolver.resolve4(name);
    return addresses.includes(wanted)
      ? undefined
      : `DNS says ${addresses.join(', ')} for ${name}, not ${wanted}`;
  } catch (error) {
    return `DNS at ${config.clusterDNS}: ${said(error)}`;
  }
}

/** Creates the add-on objects that are missing; what exists is left as it is. */
export async function ensureAddons(client: ApiClient, config: ClusterConfig, paths: Paths): Promise<void> {
  const ca = readFileSync(join(paths.pki, 'ca.crt'), 'utf8');
  for (const { resource, object } of addons(config, ca)) {
    const { name = '', namespace } = object.metadata ?? {};
    try {
      await client.get(resource, { name, ...(namespace && { namespace }) });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.create<KubeObject>(resource, object).catch((refusal: unknown) => {
        if (!isAlreadyExists(refusal)) throw refusal;
      });
    }
  }
}

const roleLabel = 'node-role.kubernetes.io/control-plane';

/** Marks the node as kubeadm marks the one that runs the control plane; without its taint: pods run here. */
export async function markControlPlane(client: ApiClient, name: string): Promise<void> {
  const node = await client.get(nodes, { name });
  if (node.metadata?.labels?.[roleLabel] !== undefined) return;
  await client.patch(nodes, { name }, { type: 'merge', body: { metadata: { labels: { [roleLabel]: '' } } } });
}
