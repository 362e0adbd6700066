import type { ServerResponse } from 'node:http';
import type { KindRegistry } from '../registry/kind-registry.ts';
import type { ObjectWriter } from '../registry/object-writer.ts';
import type { Answer } from '../rest/answer.ts';
import type { ResourceRequest } from '../rest/request-context.ts';
import type { Storage } from '../storage/storage.ts';

export interface SubresourceContext {
  storage: Storage;
  registry: KindRegistry;
  writer: ObjectWriter;
}

/** A subresource with a handler of its own, and how discovery lists it. */
export interface Subresource {
  /** `pods`, or `deployments.apps`. */
  resource: string;
  name: string;
  kind: string;
  /** Group and version of `kind`, where they are not the resource's. */
  group?: string;
  version?: string;
  /** Verbs as discovery lists them: `create`, `get`, `update`, … */
  verbs: readonly string[];
  /**
   * Answers a request whose verb is one of `verbs`. A stream is answered on what `begin` returns, and undefined
   * is returned. @throws {ApiError}
   */
  handle(
    request: ResourceRequest,
    context: SubresourceContext,
    begin: (code: number, headers: Record<string, string>) => ServerResponse,
  ): Promise<Answer | undefined>;
}

/** The answer of a POST that made no object. */
export const success = (code: number): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code,
});
