import type { KubeObject } from '../../api/object.ts';
import type { Pod, Volume } from '../../api/types/core-v1.ts';

/** The objects that a pod's node must read to run it. */
export interface PodReferences {
  nodeName: string;
  namespace: string;
  secrets: ReadonlySet<string>;
  configmaps: ReadonlySet<string>;
  serviceaccounts: ReadonlySet<string>;
  persistentvolumeclaims: ReadonlySet<string>;
}

function readVolume(
  volume: Volume,
  found: Record<'secrets' | 'configmaps' | 'persistentvolumeclaims', Set<string>>,
): void {
  if (volume.secret?.secretName) found.secrets.add(volume.secret.secretName);
  if (volume.configMap?.name) found.configmaps.add(volume.configMap.name);
  if (volume.persistentVolumeClaim) found.persistentvolumeclaims.add(volume.persistentVolumeClaim.claimName);
  for (const source of volume.projected?.sources ?? []) {
    if (source.secret?.name) found.secrets.add(source.secret.name);
    if (source.configMap?.name) found.configmaps.add(source.configMap.name);
  }
}

/** What a pod refers to by name in its namespace. */
export function podReferences(object: KubeObject): PodReferences {
  const { metadata, spec } = object as Pod;
  const secrets = new Set<string>();
  const configmaps = new Set<string>();
  const persistentvolumeclaims = new Set<string>();
  for (const { name } of spec?.imagePullSecrets ?? []) if (name) secrets.add(name);
  for (const volume of spec?.volumes ?? [])
    readVolume(volume, { secrets, configmaps, persistentvolumeclaims });
  for (const container of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]) {
    for (const { secretRef, configMapRef } of container.envFrom ?? []) {
      if (secretRef?.name) secrets.add(secretRef.name);
      if (configMapRef?.name) configmaps.add(configMapRef.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      if (valueFrom?.secretKeyRef?.name) secrets.add(valueFrom.secretKeyRef.name);
      if (valueFrom?.configMapKeyRef?.name) configmaps.add(valueFrom.configMapKeyRef.name);
    }
  }
  return {
    nodeName: spec?.nodeName ?? '',
    namespace: metadata?.namespace ?? '',
    secrets,
    configmaps,
    serviceaccounts: new Set([spec?.serviceAccountName || 'default']),
    persistentvolumeclaims,
  };
}
