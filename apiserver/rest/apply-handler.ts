import { ApplyConflictError, applyConfiguration } from '../../api/apply/apply.ts';
import { ApplyTypeError } from '../../api/apply/typed.ts';
import { required } from '../../api/field-error.ts';
import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import { DecodeError } from '../../api/schema/decode-error.ts';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import { walkSchema } from '../../api/schema/walk.ts';
import type { Answer } from './answer.ts';
import { ApiError, badRequest, invalid, notFound } from './api-error.ts';
import { parseValue } from './body.ts';
import { representObject } from './represent.ts';
import type { ResourceRequest } from './request-context.ts';
import { checkKey, dryRunOf, managerOf, type WriteContext } from './write-handlers.ts';

const patchOptions = { group: 'meta.k8s.io', plural: '', kind: 'PatchOptions' };

/** How a message names the object: `(default/web; apps/v1, Kind=Deployment)`. */
function named({ info, served }: ResourceRequest): string {
  const { kind } = served;
  const name = info.namespace ? `${info.namespace}/${info.name}` : info.name;
  return `(${name}; ${apiVersionOf(kind)}, Kind=${kind.kind})`;
}

/** The applied configuration: an object with only the fields that the client wants. @throws {ApiError} 400 */
async function configurationOf(request: ResourceRequest): Promise<KubeObject> {
  const { body, served } = request;
  const { kind } = served;
  const untyped = (why: string): ApiError =>
    badRequest(`failed to create typed patch object ${named(request)}: ${why}`);
  const value = await parseValue(body, 'yaml');
  try {
    const result = walkSchema(schemaOf(kind.schema), value ?? {}, { fillRequired: false });
    const [unknown] = result.unknown;
    if (unknown !== undefined) throw untyped(`.${unknown}: field not declared in schema`);
    const object = result.value as KubeObject;
    if (object.apiVersion !== apiVersionOf(kind) || object.kind !== kind.kind)
      throw badRequest(
        `invalid object type: ${object.apiVersion ?? ''}, Kind=${object.kind ?? ''}: must be ${apiVersionOf(kind)}, Kind=${kind.kind}`,
      );
    if (object.metadata?.managedFields?.length) throw badRequest('metadata.managedFields must be nil');
    return object;
  } catch (error) {
    if (error instanceof DecodeError) throw untyped(error.message);
    throw error;
  }
}

/** Makes of the live object what the configuration says. @throws {ApiError} 400 or 409 */
function compileApply(
  request: ResourceRequest,
  applied: KubeObject,
): (live: KubeObject | undefined) => KubeObject {
  const { info, served } = request;
  const { kind } = served;
  const isStatus = info.subresource === 'status';
  return (live) => {
    try {
      return applyConfiguration({
        schema: schemaOf(kind.schema),
        apiVersion: apiVersionOf(kind),
        manager: managerOf(request),
        now: `${new Date().toISOString().slice(0, 19)}Z`,
        force: info.query.get('force') === 'true',
        ignored: isStatus ? ['spec'] : kind.status ? ['status'] : [],
        subresource: info.subresource,
        live,
        applied: structuredClone(applied),
      });
    } catch (error) {
      if (error instanceof ApplyTypeError)
        throw badRequest(`failed to create typed patch object ${named(request)}: ${error.message}`);
      if (!(error instanceof ApplyConflictError)) throw error;
      throw new ApiError({
        code: 409,
        reason: 'Conflict',
        message: error.message,
        details: {
          causes: error.conflicts.map(({ message, field }) => ({
            reason: 'FieldManagerConflict',
            message,
            field,
          })),
        },
      });
    }
  };
}

/**
 * Server-side apply: PATCH with `application/apply-patch+yaml`. Creates the object if there is none.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export async function applyPatch(context: WriteContext, request: ResourceRequest): Promise<Answer> {
  const { served, info, user } = request;
  if (!info.query.get('fieldManager'))
    throw invalid(patchOptions, '', [required('fieldManager', 'is required for apply patch')]);
  const applied = await configurationOf(request);
  // An apply may leave the name to the path.
  applied.metadata = { ...applied.metadata, name: applied.metadata?.name ?? info.name };
  checkKey(request, applied);
  const apply = compileApply(request, applied);
  const options = {
    user,
    dryRun: dryRunOf(request),
    manager: managerOf(request),
    isApply: true,
    warnings: request.warnings,
  };
  const key = { namespace: info.namespace, name: info.name, subresource: info.subresource };
  const update = () => context.writer.update(served, key, apply, options);
  const create = async () => {
    // The configuration speaks of an object that the client has seen, which is gone.
    if (applied.metadata?.resourceVersion || applied.metadata?.uid) throw notFound(served.kind, info.name);
    return context.writer.create(served, info.namespace, apply(undefined), options);
  };
  const isCode = (error: unknown, code: number, reason: string): boolean =>
    error instanceof ApiError && error.status.code === code && error.status.reason === reason;
  const result = await update().catch((missing: unknown) => {
    if (!isCode(missing, 404, 'NotFound') || info.subresource) throw missing;
    return create().catch((taken: unknown) => {
      // Somebody made it meanwhile: then it is an update after all.
      if (isCode(taken, 409, 'AlreadyExists')) return update();
      throw taken;
    });
  });
  return representObject(served.kind, result.bytes, request.accept, {
    code: result.created ? 201 : 200,
    now: Date.now(),
  });
}
