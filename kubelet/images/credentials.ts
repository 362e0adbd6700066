import type { Secret } from '../../api/types/core-v1.ts';
import type { ImageReference } from './reference.ts';

/** What the Docker API takes as `X-Registry-Auth`. */
export interface RegistryCredentials {
  username?: string;
  password?: string;
  identitytoken?: string;
  serveraddress: string;
}

interface KeyringEntry {
  host: string;
  path: string;
  credentials: RegistryCredentials;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value ? value : undefined;

function entryOf(key: string, value: unknown): KeyringEntry | undefined {
  if (!isRecord(value)) return undefined;
  const address = key.replace(/^https?:\/\//, '');
  const slash = address.indexOf('/');
  const host = slash < 0 ? address : address.slice(0, slash);
  // Docker Hub's key carries an API version that is no part of an image's path.
  const path = slash < 0 ? '' : address.slice(slash + 1).replace(/^v[12]\/?$|\/$/g, '');
  const [user, ...password] = Buffer.from(textOf(value.auth) ?? '', 'base64')
    .toString()
    .split(':');
  return {
    host: host === 'index.docker.io' ? 'docker.io' : host,
    path,
    credentials: {
      username: textOf(value.username) ?? textOf(user),
      password: textOf(value.password) ?? textOf(password.join(':')),
      identitytoken: textOf(value.identitytoken),
      serveraddress:
        host === 'docker.io' || host === 'index.docker.io' ? 'https://index.docker.io/v1/' : host,
    },
  };
}

function entriesOf(secret: Secret): KeyringEntry[] {
  const key = secret.type === 'kubernetes.io/dockercfg' ? '.dockercfg' : '.dockerconfigjson';
  const data = secret.data?.[key];
  if (!data) return [];
  let config: unknown;
  try {
    config = JSON.parse(Buffer.from(data, 'base64').toString());
  } catch {
    return []; // Kubernetes, too, pulls without a secret that it cannot read.
  }
  const auths = isRecord(config) && key === '.dockerconfigjson' ? config.auths : config;
  if (!isRecord(auths)) return [];
  return Object.entries(auths).flatMap(([registry, value]) => entryOf(registry, value) ?? []);
}

/** Each dot-separated label of the pattern is a glob for the same label of the host; ports must be equal. */
function hostMatches(pattern: string, host: string): boolean {
  const [patternName = '', patternPort = ''] = pattern.split(':');
  const [name = '', port = ''] = host.split(':');
  const globs = patternName.split('.');
  const labels = name.split('.');
  return (
    patternPort === port &&
    globs.length === labels.length &&
    globs.every((glob, i) => {
      const regular = glob
        .replace(/[\\^$+.()|{}[\]]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.');
      return new RegExp(`^${regular}$`).test(labels[i]!);
    })
  );
}

/**
 * The credentials in these secrets (`kubernetes.io/dockerconfigjson` or `…/dockercfg`) that apply to an image,
 * the most specific path first. Empty if none does.
 * https://kubernetes.io/docs/concepts/containers/images/#config-json
 */
export function credentialsFor(image: ImageReference, secrets: readonly Secret[]): RegistryCredentials[] {
  return secrets
    .flatMap(entriesOf)
    .filter(
      (entry) =>
        hostMatches(entry.host, image.domain) && `${image.path}/`.startsWith(entry.path && `${entry.path}/`),
    )
    .sort((a, b) => b.path.length - a.path.length)
    .map((entry) => entry.credentials);
}
