import { forbidden } from '../../api/field-error.ts';
import type { KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/object.ts';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import type { DeleteOptions } from '../../api/types/meta-v1.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import type { ObjectWriter } from '../registry/object-writer.ts';
import type { Storage } from '../storage/storage.ts';
import { type Answer, json } from './answer.ts';
import { ApiError, badRequest, invalid } from './api-error.ts';
import { decodeBody, decodeDeleteOptions, fieldValidationOf } from './body.ts';
import { compilePatch, patchTypeOf } from './patch.ts';
import { entryFilter } from './read-handlers.ts';
import { encode, representObject } from './represent.ts';
import type { ResourceRequest } from './request-context.ts';

/** What the writing handlers work with. */
export interface WriteContext {
  writer: ObjectWriter;
  registry: KindRegistry;
}

/** Whether nothing is to be stored. @throws {ApiError} 400 */
function isDryRun(values: readonly string[]): boolean {
  for (const value of values)
    if (value !== 'All')
      throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(value)}: supported values: "All"`);
  return values.length > 0;
}

/** Whether a request other than DELETE asks for a dry run. @throws {ApiError} 400 */
export const dryRunOf = ({ info }: ResourceRequest): boolean =>
  isDryRun(info.query.getAll('dryRun').filter(Boolean));

/** Who is taken to manage the fields that a request changes: as it says, else the program that sent it. */
export const managerOf = ({ info, headers }: ResourceRequest): string =>
  info.query.get('fieldManager') || (headers['user-agent'] ?? '').split('/')[0] || 'unknown';

/** The object in a request's body, of the kind that the path says. @throws {ApiError} 400 or 415 */
async function objectOf(context: WriteContext, request: ResourceRequest): Promise<KubeObject> {
  const { kind } = request.served;
  return decodeBody({
    bytes: request.body,
    contentType: request.headers['content-type'],
    target: { group: kind.group, version: kind.version, kind: kind.kind, schema: schemaOf(kind.schema) },
    validation: fieldValidationOf(request.info.query),
    isKnown: context.registry.isKnown,
    warnings: request.warnings,
  });
}

/** @throws {ApiError} 400 if the body names another object than the path */
export function checkKey(request: ResourceRequest, object: KubeObject): void {
  const { info, served } = request;
  object.metadata ??= {};
  const { name, namespace } = object.metadata;
  if (name && name !== info.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  if (!name) throw badRequest('name must be provided');
  if (served.kind.namespaced && namespace && namespace !== info.namespace)
    throw badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the request (${info.namespace})`,
    );
}

async function shown(request: ResourceRequest, bytes: Buffer, code: number): Promise<Answer> {
  return representObject(request.served.kind, bytes, request.accept, { code, now: Date.now() });
}

/** Hands out the object itself first and copies after that, since each attempt at a write changes what it is given. */
function first(object: KubeObject): () => KubeObject {
  const spare = JSON.stringify(object);
  let used = false;
  return () => {
    if (used) return JSON.parse(spare) as KubeObject;
    used = true;
    return object;
  };
}

/** POST on a collection. */
export async function create(context: WriteContext, request: ResourceRequest): Promise<Answer> {
  const { served, info, user } = request;
  const object = await objectOf(context, request);
  const options = { user, dryRun: dryRunOf(request), warnings: request.warnings };
  const { bytes } = await context.writer.create(served, info.namespace, object, options);
  return shown(request, bytes, 201);
}

/** PUT on an object or its status. */
export async function update(context: WriteContext, request: ResourceRequest): Promise<Answer> {
  const { served, info, user } = request;
  const object = await objectOf(context, request);
  checkKey(request, object);
  const options = {
    user,
    dryRun: dryRunOf(request),
    manager: managerOf(request),
    warnings: request.warnings,
  };
  const key = { namespace: info.namespace, name: info.name, subresource: info.subresource };
  try {
    const { bytes } = await context.writer.update(served, key, first(object), options);
    return await shown(request, bytes, 200);
  } catch (error) {
    const missing = error instanceof ApiError && error.status.code === 404;
    if (!missing || !served.kind.allowCreateOnUpdate || info.subresource) throw error;
    const { bytes } = await context.writer.create(served, info.namespace, object, options);
    return shown(request, bytes, 201);
  }
}

/** PATCH on an object or its status. */
export async function patch(context: WriteContext, request: ResourceRequest): Promise<Answer> {
  const { served, info, user } = request;
  const type = patchTypeOf(request.headers['content-type']);
  if (type === 'apply') return (await import('./apply-handler.ts')).applyPatch(context, request);
  if (info.query.has('force'))
    throw invalid({ group: 'meta.k8s.io', plural: '', kind: 'PatchOptions' }, '', [
      forbidden('force', 'may not be specified for non-apply patch'),
    ]);
  const apply = await compilePatch({
    type,
    bytes: request.body,
    schema: schemaOf(served.kind.schema),
    validation: fieldValidationOf(info.query),
    warnings: request.warnings,
  });
  const key = { namespace: info.namespace, name: info.name, subresource: info.subresource };
  const { bytes } = await context.writer.update(
    served,
    key,
    (current) => {
      const next = apply(current);
      next.apiVersion = current.apiVersion;
      next.kind = current.kind;
      checkKey(request, next);
      return next;
    },
    { user, dryRun: dryRunOf(request), manager: managerOf(request), warnings: request.warnings },
  );
  return shown(request, bytes, 200);
}

/** The DeleteOptions of a request: its body, else its query. @throws {ApiError} 400 */
async function deleteOptions(request: ResourceRequest): Promise<DeleteOptions> {
  const { info, body, headers } = request;
  const options: DeleteOptions = body.length ? await decodeDeleteOptions(body, headers['content-type']) : {};
  const { query } = info;
  if (!body.length) {
    const grace = query.get('gracePeriodSeconds');
    if (grace !== null) {
      if (!/^-?\d{1,15}$/.test(grace))
        throw badRequest(
          `converting (url.Values) to (v1.DeleteOptions) failed: strconv.ParseInt: parsing ${JSON.stringify(grace)}: invalid syntax`,
        );
      options.gracePeriodSeconds = Number(grace);
    }
    const policy = query.get('propagationPolicy');
    if (policy) options.propagationPolicy = policy;
    const orphan = query.get('orphanDependents');
    if (orphan) options.orphanDependents = orphan === 'true';
    const dryRun = query.getAll('dryRun').filter(Boolean);
    if (dryRun.length) options.dryRun = dryRun;
  }
  return options;
}

/** DELETE of one object. */
export async function remove(writer: ObjectWriter, request: ResourceRequest): Promise<Answer> {
  const { served, info, user, accept } = request;
  const options = await deleteOptions(request);
  const dryRun = isDryRun(options.dryRun ?? []);
  const { bytes, gone, uid } = await writer.delete(served, info.namespace, info.name, options, {
    user,
    dryRun,
  });
  if (!gone || served.kind.deleteReturnsObject) return shown(request, bytes, 200);
  return encode(
    200,
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: {
        name: info.name,
        ...(served.kind.group && { group: served.kind.group }),
        kind: served.kind.plural,
        uid,
      },
    },
    { ...accept, representation: 'object', contentType: `application/${accept.format}` },
  );
}

/** DELETE of a collection: all selected objects that exist now. */
export async function removeCollection(
  storage: Storage,
  writer: ObjectWriter,
  request: ResourceRequest,
): Promise<Answer> {
  const { served, info, user } = request;
  const options = await deleteOptions(request);
  const filter = entryFilter(served, info.query);
  const dryRun = isDryRun(options.dryRun ?? []);
  await storage.consistent();
  const namespace = served.kind.namespaced && info.namespace ? info.namespace : undefined;
  const entries = served.cache.list(namespace).filter((entry) => !filter || filter(entry));
  const items: unknown[] = [];
  const one = async (key: string): Promise<void> => {
    const slash = key.indexOf('/');
    const name = key.slice(slash + 1);
    try {
      const { bytes } = await writer.delete(served, slash < 0 ? '' : key.slice(0, slash), name, options, {
        user,
        dryRun,
      });
      items.push(JSON.parse(bytes.toString()));
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof ApiError && error.status.code === 404)) throw error;
    }
  };
  const queue = entries.map((entry) => entry.key);
  const worker = async (): Promise<void> => {
    for (let key = queue.shift(); key !== undefined; key = queue.shift()) await one(key);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return json(200, {
    kind: served.kind.listKind,
    apiVersion: apiVersionOf(served.kind),
    metadata: { resourceVersion: String(storage.revision) },
    items,
  });
}
