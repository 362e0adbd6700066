import { invalidMessage } from '../../api/field-error.ts';
import type { Resource, Status } from '../../api/object.ts';
import type { FieldError } from '../registry/kind.ts';

type Details = NonNullable<Status['details']>;

interface Outline {
  code: number;
  reason: string;
  message: string;
  details?: Details;
  /** Continue token that goes with a 410 answer to a paginated list. */
  continue?: string;
}

/** An answer other than success, worded as Kubernetes words it (k8s.io/apimachinery/pkg/api/errors). */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: Status;

  constructor({ code, reason, message, details, continue: token }: Outline) {
    super(message);
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: token ? { continue: token } : {},
      status: 'Failure',
      message,
      reason,
      ...(details && { details }),
      code,
    };
  }
}

type Kindly = Pick<Resource, 'group' | 'plural' | 'kind'>;

/** `deployments.apps`, `pods`. */
export const qualifiedResource = ({ group, plural }: Pick<Resource, 'group' | 'plural'>): string =>
  group ? `${plural}.${group}` : plural;

const qualifiedKind = ({ group, kind }: Kindly): string => (group ? `${kind}.${group}` : kind);

const detailsOf = (resource: Pick<Resource, 'group' | 'plural'>, name: string): Details => ({
  name,
  ...(resource.group && { group: resource.group }),
  kind: resource.plural,
});

export const notFound = (resource: Pick<Resource, 'group' | 'plural'>, name: string): ApiError =>
  new ApiError({
    code: 404,
    reason: 'NotFound',
    message: `${qualifiedResource(resource)} ${JSON.stringify(name)} not found`,
    details: detailsOf(resource, name),
  });

/** The path names nothing that is served. */
export const noSuchPath = (): ApiError =>
  new ApiError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });

export const alreadyExists = (resource: Pick<Resource, 'group' | 'plural'>, name: string): ApiError =>
  new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${qualifiedResource(resource)} ${JSON.stringify(name)} already exists`,
    details: detailsOf(resource, name),
  });

/** The words for a write that is based on an old resourceVersion. */
export const optimisticLock =
  'the object has been modified; please apply your changes to the latest version and try again';

export const conflict = (resource: Pick<Resource, 'group' | 'plural'>, name: string, why: string): ApiError =>
  new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualifiedResource(resource)} ${JSON.stringify(name)}: ${why}`,
    details: detailsOf(resource, name),
  });

export const invalid = (resource: Kindly, name: string, errors: readonly FieldError[]): ApiError =>
  new ApiError({
    code: 422,
    reason: 'Invalid',
    message: invalidMessage(qualifiedKind(resource), name, errors),
    details: {
      name,
      ...(resource.group && { group: resource.group }),
      kind: resource.kind,
      causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
    },
  });

export const badRequest = (message: string): ApiError =>
  new ApiError({ code: 400, reason: 'BadRequest', message });

export const unauthorized = (): ApiError =>
  new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });

/** A refusal by admission or authorization: `pods "x" is forbidden: why`. */
export const forbidden = (
  resource: Pick<Resource, 'group' | 'plural'>,
  name: string,
  why: string,
): ApiError =>
  new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${qualifiedResource(resource)}${name ? ` ${JSON.stringify(name)}` : ''} is forbidden: ${why}`,
    details: {
      ...(name && { name }),
      ...(resource.group && { group: resource.group }),
      kind: resource.plural,
    },
  });

/** A refusal of a path that is not a resource: `forbidden: User "x" cannot get path "/metrics"`. */
export const forbiddenPath = (why: string): ApiError =>
  new ApiError({ code: 403, reason: 'Forbidden', message: `forbidden: ${why}`, details: {} });

export const methodNotAllowed = (): ApiError =>
  new ApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
    details: {},
  });

/** The resource exists but does not know this verb. */
export const methodNotSupported = (resource: Pick<Resource, 'group' | 'plural'>, verb: string): ApiError =>
  new ApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: `${verb} is not supported on resources of kind ${JSON.stringify(qualifiedResource(resource))}`,
    details: { ...(resource.group && { group: resource.group }), kind: resource.plural },
  });

export const notAcceptable = (accepted: readonly string[]): ApiError =>
  new ApiError({
    code: 406,
    reason: 'NotAcceptable',
    message: `only the following media types are accepted: ${accepted.join(', ')}`,
  });

export const unsupportedMediaType = (accepted: readonly string[]): ApiError =>
  new ApiError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  });

export const tooLarge = (limit: number): ApiError =>
  new ApiError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: limit is ${limit}`,
  });

/** The history or the list asked for is gone: the client must list again. */
export const expired = (message: string, token?: string): ApiError =>
  new ApiError({ code: 410, reason: 'Expired', message, ...(token && { continue: token }) });

/** The client names a revision that this server has not reached. */
export const tooLargeVersion = (wanted: number, current: number): ApiError =>
  new ApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });

export const unavailable = (message: string): ApiError =>
  new ApiError({
    code: 503,
    reason: 'ServiceUnavailable',
    message,
    details: { retryAfterSeconds: 1 },
  });

export const timedOut = (message: string): ApiError =>
  new ApiError({ code: 504, reason: 'Timeout', message: `Timeout: ${message}`, details: {} });

export const tooManyRequests = (message: string, retryAfterSeconds: number): ApiError =>
  new ApiError({
    code: 429,
    reason: 'TooManyRequests',
    message,
    details: { retryAfterSeconds },
  });
