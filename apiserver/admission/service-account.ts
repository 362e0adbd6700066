import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { serviceAccounts } from '../../api/resources.ts';
import type { Container, Pod, ServiceAccount, Volume } from '../../api/types/core-v1.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import { forbidden } from '../rest/api-error.ts';
import type { CacheEntry } from '../storage/cache-entry.ts';
import type { Storage } from '../storage/storage.ts';
import type { AdmissionPlugin } from './chain.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const mirror = 'kubernetes.io/config.mirror';
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const attempts = 10;
const attemptDelay = 100;

const suffix = (): string => Array.from({ length: 5 }, () => alphabet[randomInt(alphabet.length)]).join('');

/** The volume through which a pod gets its token, the cluster's CA and its namespace. */
const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
});

/** Mounts a token in every container that has nothing mounted in its place; in place. */
export function mountToken(pod: Pod, account: ServiceAccount, volumeName: string): void {
  const spec = pod.spec!;
  if ((spec.automountServiceAccountToken ?? account.automountServiceAccountToken) === false) return;
  const existing = spec.volumes?.find(
    (volume) =>
      volume.name.startsWith('kube-api-access-') &&
      volume.projected?.sources?.some((source) => source.serviceAccountToken),
  );
  const name = existing?.name ?? volumeName;
  const lacks = (container: Container): boolean =>
    !container.volumeMounts?.some((mount) => mount.mountPath === mountPath);
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].filter(lacks);
  for (const container of containers) {
    container.volumeMounts ??= [];
    container.volumeMounts.push({ name, mountPath, readOnly: true });
  }
  if (!containers.length || existing) return;
  spec.volumes ??= [];
  spec.volumes.push(tokenVolume(name));
}

/** Gives every pod its service account and the token to act as it. */
export function serviceAccountAdmission(storage: Storage, registry: KindRegistry): AdmissionPlugin {
  const accounts = registry.builtIn(serviceAccounts);

  /** The account; that of a new namespace may be a moment away. */
  async function find(namespace: string, name: string): Promise<CacheEntry | undefined> {
    const key = `${namespace}/${name}`;
    for (let attempt = 1; ; attempt++) {
      const entry = accounts.cache.get(key) ?? (await storage.read(accounts.path, key));
      if (entry || name !== 'default' || attempt === attempts) return entry;
      await delay(attemptDelay);
    }
  }

  return {
    name: 'ServiceAccount',
    async admit({ operation, served, subresource, namespace, name, object }) {
      if (operation !== 'CREATE' || served.kind.plural !== 'pods' || served.kind.group || subresource) return;
      const pod = object as Pod;
      if (!pod.spec) return;
      if (pod.metadata?.annotations?.[mirror]) {
        if (pod.spec.serviceAccountName)
          throw forbidden(served.kind, name, 'a mirror pod may not reference service accounts');
        return;
      }
      // The deprecated alias.
      pod.spec.serviceAccountName ||= pod.spec.serviceAccount || 'default';
      pod.spec.serviceAccount = pod.spec.serviceAccountName;
      const entry = await find(namespace, pod.spec.serviceAccountName);
      if (!entry)
        throw forbidden(
          served.kind,
          name,
          `error looking up service account ${namespace}/${pod.spec.serviceAccountName}: serviceaccount "${pod.spec.serviceAccountName}" not found`,
        );
      const account = entry.parse<ServiceAccount>();
      mountToken(pod, account, `kube-api-access-${suffix()}`);
      if (!pod.spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
        pod.spec.imagePullSecrets = account.imagePullSecrets;
    },
  };
}
