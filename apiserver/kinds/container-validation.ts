import {
  duplicate,
  type FieldProblem,
  forbidden,
  invalid,
  notFound,
  notSupported,
  required,
} from '../../api/field-error.ts';
import { dns1123Label, portName, portNumber } from '../../api/names.ts';
import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  PodSpec,
  Volume,
} from '../../api/types/core-v1.ts';
import { validateEnv, validateEnvFrom } from './env-validation.ts';
import { validateLifecycle, validateProbe } from './handler-validation.ts';
import { invalidFor } from './metadata-validation.ts';
import { validateResources } from './resource-validation.ts';
import { validateSecurityContext } from './security-validation.ts';
import { validateVolumeMounts } from './volume-validation.ts';

export const portProtocols = ['SCTP', 'TCP', 'UDP'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const messagePolicies = ['File', 'FallbackToLogsOnError'];

/** A field with one of a few values. */
export function validateEnum(
  errors: FieldProblem[],
  field: string,
  value: string | undefined,
  supported: readonly string[],
): void {
  if (!value) errors.push(required(field));
  else if (!supported.includes(value)) errors.push(notSupported(field, value, supported));
}

function validatePorts(errors: FieldProblem[], field: string, ports: readonly ContainerPort[] = []): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `${field}[${index}]`;
    if (port.name) {
      const problems = portName(port.name);
      if (problems.length) invalidFor(errors, `${path}.name`, port.name, problems);
      else if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
      else names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(`${path}.containerPort`));
    else invalidFor(errors, `${path}.containerPort`, port.containerPort, portNumber(port.containerPort));
    if (port.hostPort) invalidFor(errors, `${path}.hostPort`, port.hostPort, portNumber(port.hostPort));
    validateEnum(errors, `${path}.protocol`, port.protocol, portProtocols);
  }
}

function validateCommon(
  errors: FieldProblem[],
  path: string,
  container: Container | EphemeralContainer,
  volumes: ReadonlyMap<string, Volume>,
): void {
  if (!container.name) errors.push(required(`${path}.name`));
  else invalidFor(errors, `${path}.name`, container.name, dns1123Label(container.name));
  if (!container.image) errors.push(required(`${path}.image`));
  validateEnum(
    errors,
    `${path}.terminationMessagePolicy`,
    container.terminationMessagePolicy,
    messagePolicies,
  );
  validatePorts(errors, `${path}.ports`, container.ports);
  validateEnv(errors, `${path}.env`, container.env);
  validateEnvFrom(errors, `${path}.envFrom`, container.envFrom);
  validateVolumeMounts(errors, `${path}.volumeMounts`, container, volumes);
  validateEnum(errors, `${path}.imagePullPolicy`, container.imagePullPolicy, pullPolicies);
  validateResources(errors, `${path}.resources`, container.resources);
  validateSecurityContext(errors, `${path}.securityContext`, container.securityContext);
}

/** No two containers may take the same port of the node. */
function validateHostPorts(errors: FieldProblem[], field: string, containers: readonly Container[]): void {
  const taken = new Set<string>();
  for (const [index, { ports = [] }] of containers.entries())
    for (const [position, { hostPort, hostIP = '', protocol }] of ports.entries()) {
      if (!hostPort) continue;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) errors.push(duplicate(`${field}[${index}].ports[${position}].hostPort`, key));
      taken.add(key);
    }
}

function validateProbes(
  errors: FieldProblem[],
  path: string,
  container: Container,
  grace: number | undefined,
): void {
  validateLifecycle(errors, `${path}.lifecycle`, container.lifecycle, grace);
  validateProbe(errors, `${path}.livenessProbe`, container.livenessProbe, 'liveness');
  validateProbe(errors, `${path}.readinessProbe`, container.readinessProbe, 'readiness');
  validateProbe(errors, `${path}.startupProbe`, container.startupProbe, 'startup');
}

function validateApp(
  errors: FieldProblem[],
  field: string,
  spec: PodSpec,
  volumes: ReadonlyMap<string, Volume>,
): void {
  const containers = spec.containers ?? [];
  if (!containers.length) {
    errors.push(required(field));
    return;
  }
  const names = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const path = `${field}[${index}]`;
    validateCommon(errors, path, container, volumes);
    if (names.has(container.name)) errors.push(duplicate(`${path}.name`, container.name));
    names.add(container.name);
    validateProbes(errors, path, container, spec.terminationGracePeriodSeconds);
    if (container.restartPolicy !== undefined)
      errors.push(forbidden(`${path}.restartPolicy`, 'may not be set for non-init containers'));
  }
  validateHostPorts(errors, field, containers);
}

function validateInit(
  errors: FieldProblem[],
  field: string,
  spec: PodSpec,
  volumes: ReadonlyMap<string, Volume>,
): void {
  const names = new Set((spec.containers ?? []).map((container) => container.name));
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const path = `${field}[${index}]`;
    validateCommon(errors, path, container, volumes);
    const sidecar = container.restartPolicy === 'Always';
    if (container.restartPolicy !== undefined && !sidecar)
      errors.push(notSupported(`${path}.restartPolicy`, container.restartPolicy, ['Always']));
    if (names.has(container.name)) errors.push(duplicate(`${path}.name`, container.name));
    else if (container.name) names.add(container.name);
    validateHostPorts(errors, field, [container]);
    if (sidecar) validateProbes(errors, path, container, spec.terminationGracePeriodSeconds);
    else
      for (const name of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
        if (container[name])
          errors.push(
            forbidden(`${path}.${name}`, 'may not be set for init containers without restartPolicy=Always'),
          );
  }
}

const notEphemeral = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resizePolicy',
  'restartPolicy',
] as const;

function validateEphemeral(
  errors: FieldProblem[],
  field: string,
  spec: PodSpec,
  volumes: ReadonlyMap<string, Volume>,
): void {
  const others = new Set(
    [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name),
  );
  const names = new Set(others);
  for (const [index, container] of (spec.ephemeralContainers ?? []).entries()) {
    const path = `${field}[${index}]`;
    validateCommon(errors, path, container, volumes);
    if (names.has(container.name)) errors.push(duplicate(`${path}.name`, container.name));
    else names.add(container.name);
    if (container.targetContainerName && !others.has(container.targetContainerName))
      errors.push(notFound(`${path}.targetContainerName`, container.targetContainerName));
    for (const name of notEphemeral)
      if (container[name] !== undefined)
        errors.push(forbidden(`${path}.${name}`, 'cannot be set for an Ephemeral Container'));
    if (container.resources?.limits || container.resources?.requests)
      errors.push(forbidden(`${path}.resources`, 'cannot be set for an Ephemeral Container'));
  }
}

/** The containers of a pod, of each of the three kinds. */
export function validateContainers(
  errors: FieldProblem[],
  field: string,
  spec: PodSpec,
  volumes: ReadonlyMap<string, Volume>,
): void {
  validateApp(errors, `${field}.containers`, spec, volumes);
  if (spec.initContainers) validateInit(errors, `${field}.initContainers`, spec, volumes);
  if (spec.ephemeralContainers) validateEphemeral(errors, `${field}.ephemeralContainers`, spec, volumes);
}

/** What only pods must keep, not the templates of older workloads: no spaces around the image. */
export function validateImages(errors: FieldProblem[], field: string, spec: PodSpec): void {
  for (const kind of ['containers', 'initContainers', 'ephemeralContainers'] as const)
    for (const [index, { image = '' }] of (spec[kind] ?? []).entries())
      if (image !== image.trim())
        errors.push(
          invalid(`${field}.${kind}[${index}].image`, image, 'must not have leading or trailing whitespace'),
        );
}
