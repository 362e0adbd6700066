import { parseFieldSelector } from '../../api/selectors.ts';
import type { ResourceCache } from '../storage/resource-cache.ts';
import type { Attributes, Verdict } from './attributes.ts';
import { podReferences } from './pod-references.ts';

const allow: Verdict = { allowed: true };
const deny = (reason: string): Verdict => ({ allowed: false, reason });
const prefix = 'system:node:';

/** The node that a user is; undefined for anybody else. */
export const nodeNameOf = (user: Attributes['user']): string | undefined =>
  user.name.startsWith(prefix) && user.groups.includes('system:nodes')
    ? user.name.slice(prefix.length)
    : undefined;

const readVerbs = new Set(['get', 'list', 'watch']);
const createOnly: ReadonlyMap<string, string> = new Map([
  ['tokenreviews', 'authentication.k8s.io'],
  ['subjectaccessreviews', 'authorization.k8s.io'],
  ['localsubjectaccessreviews', 'authorization.k8s.io'],
]);

/** The value that a field selector demands of a field. */
function selected(text: string, field: string): string | undefined {
  try {
    return parseFieldSelector(text).exact(field);
  } catch {
    // Malformed: it selects nothing here, and is refused later on.
    return undefined;
  }
}

/**
 * A node may write what is its own and read what its pods need.
 * https://kubernetes.io/docs/reference/access-authn-authz/node/
 */
export class NodeAuthorizer {
  readonly #pods: ResourceCache;

  constructor(pods: ResourceCache) {
    this.#pods = pods;
  }

  decide(wanted: Attributes, node: string): Verdict {
    const { group, resource, verb } = wanted;
    if (createOnly.get(resource) === group && verb === 'create') return allow;
    if (group === 'coordination.k8s.io' && resource === 'leases') return this.#lease(wanted, node);
    if (group === 'events.k8s.io' && resource === 'events') return this.#event(verb);
    if (group !== '') return { allowed: false };
    switch (resource) {
      case 'nodes':
        return this.#node(wanted, node);
      case 'pods':
        return this.#pod(wanted, node);
      case 'services':
        return readVerbs.has(verb) && !wanted.subresource ? allow : { allowed: false };
      case 'events':
        return this.#event(verb);
      case 'secrets':
      case 'configmaps':
      case 'persistentvolumeclaims':
        return this.#referenced(wanted, node, resource);
      case 'serviceaccounts':
        return this.#account(wanted, node);
      default:
        return { allowed: false };
    }
  }

  #event(verb: string): Verdict {
    return verb === 'create' || verb === 'patch' || verb === 'update' ? allow : { allowed: false };
  }

  #lease({ namespace, name, verb }: Attributes, node: string): Verdict {
    if (namespace !== 'kube-node-lease')
      return deny('can only access leases in the "kube-node-lease" system namespace');
    // The name of a new lease stands in its body; admission looks at it.
    if (verb === 'create' && !name) return allow;
    if (name !== node) return deny('can only access node lease with the same name as the requesting node');
    return ['get', 'create', 'update', 'patch', 'delete'].includes(verb) ? allow : { allowed: false };
  }

  #node({ verb, name, subresource }: Attributes, node: string): Verdict {
    // Nodes route to each other's pods, so each must know all.
    if (readVerbs.has(verb) && !subresource) return allow;
    if (verb === 'create' && !subresource) return allow;
    if (verb !== 'update' && verb !== 'patch') return { allowed: false };
    if (subresource && subresource !== 'status') return { allowed: false };
    return name === node
      ? allow
      : deny(`node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`);
  }

  #pod(wanted: Attributes, node: string): Verdict {
    const { verb, name, namespace, subresource, fieldSelector } = wanted;
    if (verb === 'list' || verb === 'watch') {
      if (!subresource && selected(fieldSelector, 'spec.nodeName') === node) return allow;
      if (!name) return deny('can only list/watch pods with spec.nodeName field selector');
    }
    const own = this.#pods.get(`${namespace}/${name}`)?.summary(podReferences).nodeName === node;
    const status = subresource === 'status' && (verb === 'update' || verb === 'patch' || verb === 'get');
    const whole = !subresource && (verb === 'get' || verb === 'delete');
    const evict = subresource === 'eviction' && verb === 'create';
    if (!status && !whole && !evict) return { allowed: false };
    return own
      ? allow
      : deny(`node ${JSON.stringify(node)} can only access pods with spec.nodeName set to itself`);
  }

  #referenced(
    { verb, namespace, name, subresource, fieldSelector }: Attributes,
    node: string,
    resource: 'secrets' | 'configmaps' | 'persistentvolumeclaims',
  ): Verdict {
    if (subresource || !readVerbs.has(verb)) return { allowed: false };
    const wanted = name || selected(fieldSelector, 'metadata.name');
    if (!wanted || !namespace) return deny('can only read namespaced object of this type');
    return this.#hasReference(namespace, wanted, node, resource)
      ? allow
      : deny(`no relationship found between node '${node}' and this object`);
  }

  #account({ verb, namespace, name, subresource }: Attributes, node: string): Verdict {
    const issue = subresource === 'token' && verb === 'create';
    if (!issue && !(verb === 'get' && !subresource)) return { allowed: false };
    return this.#hasReference(namespace, name, node, 'serviceaccounts')
      ? allow
      : deny(`no relationship found between node '${node}' and this object`);
  }

  #hasReference(
    namespace: string,
    name: string,
    node: string,
    resource: 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'serviceaccounts',
  ): boolean {
    return this.#pods.list(namespace).some((entry) => {
      const references = entry.summary(podReferences);
      return references.nodeName === node && references[resource].has(name);
    });
  }
}
