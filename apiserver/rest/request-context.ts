import type { IncomingHttpHeaders } from 'node:http';
import type { ServedKind } from '../registry/kind-registry.ts';
import type { Negotiated } from './media-types.ts';
import type { RequestInfo } from './request-info.ts';

/** Who asks. */
export interface User {
  name: string;
  groups: string[];
  uid?: string;
  extra?: Record<string, string[]>;
}

/** One request on a resource, on its way through the handlers. */
export interface ResourceRequest {
  info: RequestInfo;
  headers: IncomingHttpHeaders;
  user: User;
  served: ServedKind;
  accept: Negotiated;
  body: Buffer;
  /** Sent as `Warning: 299` headers. */
  warnings: string[];
}
