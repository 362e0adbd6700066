/** What a kubeconfig of one cluster, user and context is made of. */
export interface KubeconfigParts {
  clusterName: string;
  user: string;
  /** `https://host:port` */
  server: string;
  /** PEM */
  ca: string;
  /** PEM */
  certificate: string;
  /** PEM */
  key: string;
}

/** https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
export interface KubeconfigFile {
  apiVersion: 'v1';
  kind: 'Config';
  clusters: { name: string; cluster: Record<string, unknown> }[];
  contexts: { name: string; context: Record<string, unknown> }[];
  users: { name: string; user: Record<string, unknown> }[];
  'current-context': string;
  preferences?: object;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** The kubeconfig as an object, named as kubeadm names it: context `user@cluster`. */
export function kubeconfigOf(parts: KubeconfigParts): KubeconfigFile {
  const context = `${parts.user}@${parts.clusterName}`;
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: parts.clusterName,
        cluster: { 'certificate-authority-data': base64(parts.ca), server: parts.server },
      },
    ],
    contexts: [{ name: context, context: { cluster: parts.clusterName, user: parts.user } }],
    users: [
      {
        name: parts.user,
        user: { 'client-certificate-data': base64(parts.certificate), 'client-key-data': base64(parts.key) },
      },
    ],
    'current-context': context,
    preferences: {},
  };
}

/** The kubeconfig as a file: YAML for people, JSON (which is YAML) where a component would load a parser for it. */
export async function kubeconfigText(parts: KubeconfigParts & { format: 'yaml' | 'json' }): Promise<string> {
  const file = kubeconfigOf(parts);
  if (parts.format === 'json') return `${JSON.stringify(file, null, 2)}\n`;
  const { stringify } = await import('yaml');
  return stringify(file, { lineWidth: 0 });
}

/** The parts of a kubeconfig written by `kubeconfigText`; undefined if the text is anything else. */
export async function identityIn(
  text: string | undefined,
): Promise<{ server: string; ca: string; certificate: string; key: string } | undefined> {
  if (text === undefined) return undefined;
  try {
    const file = (
      text.startsWith('{') ? JSON.parse(text) : (await import('yaml')).parse(text)
    ) as Partial<KubeconfigFile>;
    const cluster = file.clusters![0]!.cluster as Record<string, string>;
    const user = file.users![0]!.user as Record<string, string>;
    const decode = (value: string | undefined) => Buffer.from(value!, 'base64').toString();
    return {
      server: cluster.server!,
      ca: decode(cluster['certificate-authority-data']),
      certificate: decode(user['client-certificate-data']),
      key: decode(user['client-key-data']),
    };
  } catch {
    return undefined; // damaged or foreign: a new one takes its place
  }
}

/**
 * Puts one cluster's entries into a user's kubeconfig, replacing those of the same names, and makes its
 * context the current one.
 */
export function mergeKubeconfig(
  into: Partial<KubeconfigFile> | undefined,
  added: KubeconfigFile,
): KubeconfigFile {
  const merge = <T extends { name: string }>(old: T[] | null | undefined, fresh: T[]): T[] => [
    ...(old ?? []).filter((item) => !fresh.some((other) => other.name === item.name)),
    ...fresh,
  ];
  return {
    ...into,
    apiVersion: 'v1',
    kind: 'Config',
    clusters: merge(into?.clusters, added.clusters),
    contexts: merge(into?.contexts, added.contexts),
    users: merge(into?.users, added.users),
    'current-context': added['current-context'],
  };
}
