import { type FieldProblem, forbidden, invalid, notSupported, required } from '../../api/field-error.ts';
import { httpHeaderName, portName, portNumber } from '../../api/names.ts';
import type { Lifecycle, LifecycleHandler, Probe } from '../../api/types/core-v1.ts';
import { invalidFor, validateNonnegative } from './metadata-validation.ts';

/** A port by number or by name. */
export function validatePortNumberOrName(
  errors: FieldProblem[],
  field: string,
  port: number | string | undefined,
): void {
  if (typeof port === 'string') invalidFor(errors, field, port, portName(port));
  else invalidFor(errors, field, port ?? 0, portNumber(port ?? 0));
}

type Handler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'> & Pick<LifecycleHandler, 'sleep'>;

const schemes = ['HTTP', 'HTTPS'];

function validateHTTPGet(
  errors: FieldProblem[],
  field: string,
  action: NonNullable<Handler['httpGet']>,
): void {
  if (!action.path) errors.push(required(`${field}.path`));
  validatePortNumberOrName(errors, `${field}.port`, action.port);
  if (!schemes.includes(action.scheme ?? ''))
    errors.push(notSupported(`${field}.scheme`, action.scheme ?? '', schemes));
  for (const header of action.httpHeaders ?? [])
    invalidFor(errors, `${field}.httpHeaders`, header.name ?? '', httpHeaderName(header.name ?? ''));
}

function validateHandler(
  errors: FieldProblem[],
  field: string,
  handler: Handler,
  gracePeriod: number | undefined,
): void {
  const checks: [name: keyof Handler, check: (path: string) => void][] = [
    [
      'exec',
      (path) => {
        if (!handler.exec?.command?.length) errors.push(required(`${path}.command`));
      },
    ],
    ['httpGet', (path) => validateHTTPGet(errors, path, handler.httpGet!)],
    ['tcpSocket', (path) => validatePortNumberOrName(errors, `${path}.port`, handler.tcpSocket?.port)],
    ['grpc', (path) => validatePortNumberOrName(errors, `${path}.port`, handler.grpc?.port)],
    [
      'sleep',
      (path) => {
        const seconds = handler.sleep?.seconds ?? 0;
        if (gracePeriod !== undefined && (seconds < 0 || seconds > gracePeriod))
          errors.push(
            invalid(
              path,
              seconds,
              `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`,
            ),
          );
      },
    ],
  ];
  let found = 0;
  for (const [name, check] of checks) {
    if (handler[name] === undefined) continue;
    if (found++) errors.push(forbidden(`${field}.${name}`, 'may not specify more than 1 handler type'));
    else check(`${field}.${name}`);
  }
  if (!found) errors.push(required(field, 'must specify a handler type'));
}

/** One probe; `kind` decides what only some probes may say. */
export function validateProbe(
  errors: FieldProblem[],
  field: string,
  probe: Probe | undefined,
  kind: 'liveness' | 'readiness' | 'startup',
): void {
  if (!probe) return;
  validateHandler(errors, field, probe, undefined);
  for (const name of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const)
    validateNonnegative(errors, `${field}.${name}`, probe[name]);
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0)
    errors.push(invalid(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  if (kind === 'readiness') {
    if (grace !== undefined)
      errors.push(
        invalid(`${field}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'),
      );
  } else if (probe.successThreshold !== 1)
    errors.push(invalid(`${field}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'));
}

/** Lifecycle hooks. `gracePeriod` is the pod's, in seconds. */
export function validateLifecycle(
  errors: FieldProblem[],
  field: string,
  lifecycle: Lifecycle | undefined,
  gracePeriod: number | undefined,
): void {
  if (lifecycle?.postStart) validateHandler(errors, `${field}.postStart`, lifecycle.postStart, gracePeriod);
  if (lifecycle?.preStop) validateHandler(errors, `${field}.preStop`, lifecycle.preStop, gracePeriod);
}
