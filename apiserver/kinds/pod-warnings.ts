import { quote } from '../../api/field-error.ts';
import { dns1123Label } from '../../api/names.ts';
import { isWhole } from '../../api/quantity.ts';
import type { Container, Pod, PodSpec, PodTemplateSpec } from '../../api/types/core-v1.ts';

/** What is valid in a pod and yet hardly what was meant. Kubernetes sends the same advice as `Warning` headers. */

const renamedLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'v1.14; use "kubernetes.io/arch"',
  'beta.kubernetes.io/os': 'v1.14; use "kubernetes.io/os"',
  'failure-domain.beta.kubernetes.io/region': 'v1.17; use "topology.kubernetes.io/region"',
  'failure-domain.beta.kubernetes.io/zone': 'v1.17; use "topology.kubernetes.io/zone"',
  'beta.kubernetes.io/instance-type': 'v1.17; use "node.kubernetes.io/instance-type"',
};

function aboutContainer(path: string, container: Container, warnings: string[]): void {
  const names = new Set<string>();
  for (const [index, { name }] of (container.env ?? []).entries()) {
    if (names.has(name))
      warnings.push(
        `${path}.env[${index}]: hides previous definition of ${quote(name)}, which may be dropped when using apply`,
      );
    names.add(name);
  }
  for (const kind of ['limits', 'requests'] as const) {
    for (const resource of ['memory', 'ephemeral-storage']) {
      const amount = container.resources?.[kind]?.[resource];
      if (amount !== undefined && !isWhole(amount))
        warnings.push(
          `${path}.resources.${kind}[${resource}]: fractional byte value ${quote(amount)} is invalid, must be an integer`,
        );
    }
  }
}

function aboutPorts(path: string, spec: PodSpec, warnings: string[]): void {
  const byName = new Map<string, string>();
  for (const [index, { ports = [] }] of (spec.containers ?? []).entries()) {
    const byNumber = new Map<string, string>();
    for (const [position, port] of ports.entries()) {
      const at = `${path}.containers[${index}].ports[${position}]`;
      const key = `${port.protocol}/${port.containerPort}/${port.hostPort ?? ''}/${port.hostIP ?? ''}`;
      const twin = byNumber.get(key);
      if (twin) warnings.push(`${at}: duplicate port definition with ${twin}`);
      else byNumber.set(key, at);
      const named = port.name ? byName.get(port.name) : undefined;
      if (named)
        warnings.push(
          `${at}: duplicate port name ${quote(port.name!)} with ${named}, services and probes that select ports by name will use ${named}`,
        );
      else if (port.name) byName.set(port.name, at);
    }
  }
}

function aboutSpec(path: string, spec: PodSpec, warnings: string[]): void {
  for (const label of Object.keys(spec.nodeSelector ?? {})) {
    const renamed = renamedLabels[label];
    if (renamed) warnings.push(`${path}.nodeSelector[${label}]: deprecated since ${renamed} instead`);
  }
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    warnings.push(
      `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  const secrets = new Set<string>();
  for (const [index, { name = '' }] of (spec.imagePullSecrets ?? []).entries()) {
    const at = `${path}.imagePullSecrets[${index}].name`;
    if (!name) warnings.push(`${at}: invalid empty name ""`);
    else if (secrets.has(name)) warnings.push(`${at}: duplicate name ${quote(name)}`);
    secrets.add(name);
  }
  for (const [index, volume] of (spec.volumes ?? []).entries())
    if (volume.gitRepo)
      warnings.push(
        `${path}.volumes[${index}].gitRepo: deprecated in v1.11, and disabled by default in v1.33+`,
      );
  for (const kind of ['initContainers', 'containers'] as const)
    for (const [index, container] of (spec[kind] ?? []).entries())
      aboutContainer(`${path}.${kind}[${index}]`, container, warnings);
  aboutPorts(path, spec, warnings);
}

function aboutName(name: string | undefined, use: string, warnings: string[]): void {
  const problems = name ? dns1123Label(name) : [];
  if (problems.length)
    warnings.push(
      `metadata.name: this is used in ${use}, which can result in surprising behavior; a DNS label is recommended: [${problems.join(' ')}]`,
    );
}

/** Advice about a pod. */
export function podWarnings(pod: Pod): string[] {
  const warnings: string[] = [];
  aboutName(pod.metadata?.name, "the Pod's hostname", warnings);
  if (pod.spec) aboutSpec('spec', pod.spec, warnings);
  return warnings;
}

/** Advice about a workload and the pods that it makes. */
export function workloadWarnings(object: {
  metadata?: { name?: string };
  spec?: { template?: PodTemplateSpec };
}): string[] {
  const warnings: string[] = [];
  aboutName(object.metadata?.name, 'Pod names and hostnames', warnings);
  if (object.spec?.template?.spec) aboutSpec('spec.template.spec', object.spec.template.spec, warnings);
  return warnings;
}
