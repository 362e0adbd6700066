import type { ConfigMap, Container, EnvVarSource, Pod, Secret, Service } from '../../api/types/core-v1.ts';
import { ContainerConfigError } from './config-error.ts';
import { type NodeFacts, podField, resourceField } from './downward.ts';
import { expand } from './expand.ts';
import { serviceEnvironment } from './service-env.ts';

/** ConfigMaps and Secrets of the pod's namespace, by name; undefined if there is none. */
export interface NamespaceObjects {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
}

export interface EnvironmentInput {
  pod: Pod;
  container: Container;
  objects: NamespaceObjects;
  services: Iterable<Service>;
  facts: NodeFacts;
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** A source that is missing though it is not optional. */
const missing = (kind: string, name: string) => new ContainerConfigError(`${kind} "${name}" not found`);

function dataOf(objects: NamespaceObjects, kind: 'configmap' | 'secret', name: string) {
  const object = kind === 'configmap' ? objects.configMap(name) : objects.secret(name);
  if (!object) return undefined;
  const data = object.data ?? {};
  return kind === 'configmap'
    ? data
    : Object.fromEntries(Object.entries(data).map(([key, value]) => [key, decode(value)]));
}

/** Undefined: an optional source has no such key, and the variable is left out. */
function referenced(input: EnvironmentInput, source: EnvVarSource): string | undefined {
  const { pod, container, objects, facts } = input;
  if (source.fieldRef) return podField(pod, source.fieldRef.fieldPath, facts);
  if (source.resourceFieldRef) {
    const wanted = source.resourceFieldRef.containerName;
    const from = wanted
      ? [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(
          ({ name }) => name === wanted,
        )
      : container;
    if (!from) throw new ContainerConfigError(`container ${wanted} not found`);
    return resourceField(from, source.resourceFieldRef, facts);
  }
  const selector = source.configMapKeyRef ?? source.secretKeyRef;
  if (!selector) throw new ContainerConfigError('environment variable has no source');
  const kind = source.configMapKeyRef ? 'configmap' : 'secret';
  const name = selector.name ?? '';
  const data = dataOf(objects, kind, name);
  if (!data && !selector.optional) throw missing(kind, name);
  const value = data?.[selector.key];
  if (value === undefined && !selector.optional)
    throw new ContainerConfigError(
      `couldn't find key ${selector.key} in ${source.configMapKeyRef ? 'ConfigMap' : 'Secret'} ${pod.metadata?.namespace}/${name}`,
    );
  return value;
}

/**
 * A container's environment, by name: `envFrom` first, then `env` in its order, then the services' variables that
 * neither names.
 * https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/
 * @throws {ContainerConfigError} for a source that is missing and not optional
 */
export function resolveEnvironment(input: EnvironmentInput): Map<string, string> {
  const { pod, container, objects, services } = input;
  const fromServices = serviceEnvironment(
    services,
    pod.metadata?.namespace ?? '',
    pod.spec?.enableServiceLinks !== false,
  );
  const result = new Map<string, string>();
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const reference = configMapRef ?? secretRef;
    if (!reference) continue;
    const kind = configMapRef ? 'configmap' : 'secret';
    const data = dataOf(objects, kind, reference.name ?? '');
    if (!data && !reference.optional) throw missing(kind, reference.name ?? '');
    for (const [key, value] of Object.entries(data ?? {})) result.set(prefix + key, value);
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const resolved =
      value || !valueFrom
        ? expand(value ?? '', (other) => result.get(other) ?? fromServices.get(other))
        : referenced(input, valueFrom);
    if (resolved !== undefined) result.set(name, resolved);
  }
  for (const [name, value] of fromServices) if (!result.has(name)) result.set(name, value);
  return result;
}

/** Command or arguments with their variables filled in; undefined stays, so that the image's own is used. */
export const expandAll = (
  words: readonly string[] | undefined,
  environment: ReadonlyMap<string, string>,
): string[] | undefined =>
  words && words.length > 0 ? words.map((word) => expand(word, (name) => environment.get(name))) : undefined;
