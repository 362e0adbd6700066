import type { KubeObject } from '../../api/object.ts';
import { namespaces } from '../../api/resources.ts';
import type { Namespace } from '../../api/types/core-v1.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import { ApiError, forbidden, notFound } from '../rest/api-error.ts';
import type { Storage } from '../storage/storage.ts';
import type { AdmissionPlugin } from './chain.ts';

const isTerminating = (object: KubeObject): boolean =>
  !!object.metadata?.deletionTimestamp || (object as Namespace).status?.phase === 'Terminating';

const immortal = new Set(['default', 'kube-system', 'kube-public']);

/** Nothing is created in a namespace that is missing or on its way out, and the system's own stay. */
export function namespaceLifecycle(storage: Storage, registry: KindRegistry): AdmissionPlugin {
  const served = registry.builtIn(namespaces);
  return {
    name: 'NamespaceLifecycle',
    async admit({ operation, served: target, namespace, name }) {
      const { kind } = target;
      if (operation === 'DELETE' && kind.plural === 'namespaces' && kind.group === '' && immortal.has(name))
        throw forbidden(kind, name, 'this namespace may not be deleted');
      if (operation !== 'CREATE' || !kind.namespaced) return;
      // A namespace that is not in the cache yet may have been made a moment ago.
      const entry = served.cache.get(namespace) ?? (await storage.read(served.path, namespace));
      if (!entry) throw notFound(namespaces, namespace);
      if (!entry.summary(isTerminating)) return;
      const refusal = forbidden(
        kind,
        name,
        `unable to create new content in namespace ${namespace} because it is being terminated`,
      );
      throw new ApiError({
        ...refusal.status,
        reason: 'Forbidden',
        message: refusal.message,
        details: {
          ...refusal.status.details,
          causes: [
            {
              reason: 'NamespaceTerminating',
              message: `namespace ${namespace} is being terminated`,
              field: 'metadata.namespace',
            },
          ],
        },
      });
    },
  };
}
