import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** How to reach and authenticate to an apiserver. */
export interface ClientConfig {
  /** `https://host:port`, without a trailing slash. */
  server: string;
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  /** Bearer token, or how to read the current one (projected tokens rotate). */
  token?: string | (() => string);
  /** Default namespace of the context. */
  namespace?: string;
  insecureSkipTLSVerify?: boolean;
}

interface KubeconfigFile {
  'current-context'?: string;
  clusters?: { name: string; cluster: Record<string, string | boolean> }[];
  contexts?: { name: string; context: { cluster: string; user: string; namespace?: string } }[];
  users?: { name: string; user: Record<string, string> }[];
}

/** A kubeconfig that cannot be used. The message names the file and the entry. */
export class KubeconfigError extends Error {
  override name = 'KubeconfigError';
}

function material(
  entry: Record<string, string | boolean | undefined>,
  field: string,
  directory: string,
): Buffer | undefined {
  const inline = entry[`${field}-data`];
  if (typeof inline === 'string' && inline) return Buffer.from(inline, 'base64');
  const file = entry[field];
  return typeof file === 'string' && file ? readFileSync(resolve(directory, file)) : undefined;
}

/**
 * Reads one context of a kubeconfig file (YAML or JSON), the current one by default.
 * https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 * @throws {KubeconfigError} if the file, context, cluster or user is missing or malformed.
 */
export async function loadKubeconfig(path: string, contextName?: string): Promise<ClientConfig> {
  const fail = (why: string) => new KubeconfigError(`kubeconfig ${path}: ${why}`);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw fail((error as Error).message);
  }
  let file: KubeconfigFile | null;
  try {
    // The YAML parser costs several MiB: components' own kubeconfigs are JSON, which is YAML too.
    file = (
      text.trimStart().startsWith('{') ? JSON.parse(text) : (await import('yaml')).parse(text)
    ) as KubeconfigFile | null;
  } catch (error) {
    throw fail((error as Error).message);
  }
  const name = contextName ?? file?.['current-context'];
  if (!file || !name) throw fail('no current-context');
  const context = file.contexts?.find((item) => item.name === name)?.context;
  if (!context) throw fail(`no context named ${JSON.stringify(name)}`);
  const cluster = file.clusters?.find((item) => item.name === context.cluster)?.cluster;
  if (!cluster) throw fail(`no cluster named ${JSON.stringify(context.cluster)}`);
  const user = file.users?.find((item) => item.name === context.user)?.user ?? {};
  if (typeof cluster.server !== 'string')
    throw fail(`cluster ${JSON.stringify(context.cluster)} has no server`);
  const directory = dirname(resolve(path));
  try {
    const ca = material(cluster, 'certificate-authority', directory);
    const cert = material(user, 'client-certificate', directory);
    const key = material(user, 'client-key', directory);
    const tokenFile = user.tokenFile;
    return {
      server: cluster.server.replace(/\/+$/, ''),
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(user.token && { token: user.token }),
      ...(tokenFile && { token: () => readFileSync(resolve(directory, tokenFile), 'utf8').trim() }),
      ...(context.namespace && { namespace: context.namespace }),
      ...(cluster['insecure-skip-tls-verify'] === true && { insecureSkipTLSVerify: true }),
    };
  } catch (error) {
    throw fail((error as Error).message);
  }
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The configuration that every pod is given.
 * https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 * @throws {KubeconfigError} outside a cluster.
 */
export function inClusterConfig(): ClientConfig {
  const host = process.env.KUBERNETES_SERVICE_HOST;
  const port = process.env.KUBERNETES_SERVICE_PORT;
  if (!host || !port)
    throw new KubeconfigError(
      'not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
    );
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readFileSync(`${serviceAccount}/ca.crt`),
    token: () => readFileSync(`${serviceAccount}/token`, 'utf8').trim(),
    namespace: readFileSync(`${serviceAccount}/namespace`, 'utf8').trim(),
  };
}
