import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  ProjectedVolumeSource,
  Secret,
  ServiceAccountTokenProjection,
  Volume,
} from '../../api/types/core-v1.ts';
import { type NodeFacts, podField, resourceField } from '../environment/downward.ts';
import type { NamespaceObjects } from '../environment/environment.ts';
import type { ProjectedFile, Projection } from './atomic-writer.ts';
import { VolumeError } from './volume-error.ts';

export interface ProjectionInput {
  pod: Pod;
  objects: NamespaceObjects;
  facts: NodeFacts;
  /** A token that was fetched for this projection. */
  token(source: ServiceAccountTokenProjection): string;
}

const defaultFileMode = 0o644;

function pick(
  data: ReadonlyMap<string, Buffer>,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean,
): [string, ProjectedFile][] {
  if (!items || items.length === 0) return [...data].map(([key, value]) => [key, { data: value, mode }]);
  return items.flatMap((item): [string, ProjectedFile][] => {
    const value = data.get(item.key);
    if (value !== undefined) return [[item.path, { data: value, mode: item.mode ?? mode }]];
    if (optional) return [];
    throw new VolumeError(`references non-existent config key: ${item.key}`);
  });
}

function configMapData(configMap: ConfigMap): Map<string, Buffer> {
  const text = Object.entries(configMap.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
  const binary = Object.entries(configMap.binaryData ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
  );
  return new Map([...text, ...binary]);
}

const secretData = (secret: Secret): Map<string, Buffer> =>
  new Map(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));

interface ObjectSource {
  name?: string;
  items?: KeyToPath[];
  optional?: boolean;
}

function fromConfigMap(
  input: ProjectionInput,
  source: ObjectSource,
  mode: number,
): [string, ProjectedFile][] {
  const configMap = input.objects.configMap(source.name ?? '');
  if (configMap) return pick(configMapData(configMap), source.items, mode, source.optional ?? false);
  if (source.optional) return [];
  throw new VolumeError(`configmap "${source.name}" not found`);
}

function fromSecret(input: ProjectionInput, source: ObjectSource, mode: number): [string, ProjectedFile][] {
  const secret = input.objects.secret(source.name ?? '');
  if (secret) return pick(secretData(secret), source.items, mode, source.optional ?? false);
  if (source.optional) return [];
  throw new VolumeError(`secret "${source.name}" not found`);
}

function fromDownward(
  input: ProjectionInput,
  items: readonly DownwardAPIVolumeFile[] | undefined,
  mode: number,
): [string, ProjectedFile][] {
  const { pod, facts } = input;
  return (items ?? []).map((item) => {
    let text = '';
    if (item.fieldRef) text = podField(pod, item.fieldRef.fieldPath, facts);
    else if (item.resourceFieldRef) {
      const name = item.resourceFieldRef.containerName;
      const container = pod.spec?.containers.find((one) => one.name === name);
      if (!container) throw new VolumeError(`container ${name} not found`);
      text = resourceField(container, item.resourceFieldRef, facts);
    }
    return [item.path, { data: Buffer.from(text), mode: item.mode ?? mode }];
  });
}

function fromProjected(input: ProjectionInput, source: ProjectedVolumeSource): [string, ProjectedFile][] {
  const mode = source.defaultMode ?? defaultFileMode;
  return (source.sources ?? []).flatMap((one): [string, ProjectedFile][] => {
    if (one.configMap) return fromConfigMap(input, one.configMap, mode);
    if (one.secret) return fromSecret(input, one.secret, mode);
    if (one.downwardAPI) return fromDownward(input, one.downwardAPI.items, mode);
    if (one.serviceAccountToken) {
      const data = Buffer.from(input.token(one.serviceAccountToken));
      return [[one.serviceAccountToken.path, { data, mode }]];
    }
    throw new VolumeError('unsupported projected volume source');
  });
}

/** A file of a volume whose pod has an `fsGroup` is readable by that group. */
const readableByGroup = (file: ProjectedFile): ProjectedFile => ({ ...file, mode: file.mode | 0o440 });

/**
 * The files of a configMap, secret, downwardAPI or projected volume; undefined for a volume of another kind.
 * https://kubernetes.io/docs/concepts/storage/projected-volumes/
 * @throws {VolumeError} for a source that is missing and not optional
 */
export function projectVolume(input: ProjectionInput, volume: Volume): Projection | undefined {
  let files: [string, ProjectedFile][];
  if (volume.configMap)
    files = fromConfigMap(input, volume.configMap, volume.configMap.defaultMode ?? defaultFileMode);
  else if (volume.secret) {
    const { secretName, ...rest } = volume.secret;
    files = fromSecret(input, { ...rest, name: secretName }, volume.secret.defaultMode ?? defaultFileMode);
  } else if (volume.downwardAPI)
    files = fromDownward(input, volume.downwardAPI.items, volume.downwardAPI.defaultMode ?? defaultFileMode);
  else if (volume.projected) files = fromProjected(input, volume.projected);
  else return undefined;
  const grouped = input.pod.spec?.securityContext?.fsGroup !== undefined;
  for (const [path] of files)
    if (path.startsWith('/') || path.split('/').includes('..'))
      throw new VolumeError(`invalid path in volume: ${JSON.stringify(path)}`);
  return new Map(grouped ? files.map(([path, file]) => [path, readableByGroup(file)]) : files);
}

/** Every token that the pod's volumes ask for. */
export const tokenSources = (pod: Pod): ServiceAccountTokenProjection[] =>
  (pod.spec?.volumes ?? []).flatMap((volume) =>
    (volume.projected?.sources ?? []).flatMap((source) => source.serviceAccountToken ?? []),
  );
