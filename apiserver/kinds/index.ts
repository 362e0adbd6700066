import type { KindDeclaration } from '../registry/kind.ts';
import { declare } from './common.ts';
import { configMap } from './config-map.ts';
import { deployment } from './deployment.ts';
import { endpointSlice } from './endpoint-slice.ts';
import { endpoints } from './endpoints.ts';
import { event } from './event.ts';
import { job } from './job.ts';
import { lease } from './lease.ts';
import { namespace } from './namespace.ts';
import { node } from './node.ts';
import { pod } from './pod.ts';
import { replicaSet } from './replica-set.ts';
import { secret } from './secret.ts';
import { service } from './service.ts';
import { serviceAccount } from './service-account.ts';

/** Every built-in kind. What is not here is not served. */
export const kinds: readonly KindDeclaration[] = [
  declare(namespace),
  declare(node),
  declare(pod),
  declare(service),
  declare(endpoints),
  declare(configMap),
  declare(secret),
  declare(serviceAccount),
  declare(event),
  declare(lease),
  declare(endpointSlice),
  declare(replicaSet),
  declare(deployment),
  declare(job),
];
