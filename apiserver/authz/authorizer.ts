import { pods } from '../../api/resources.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import type { User } from '../rest/request-context.ts';
import type { RequestInfo } from '../rest/request-info.ts';
import type { Authorizer } from '../server.ts';
import { type Attributes, attributesOf, refusalError, type Verdict } from './attributes.ts';
import { NodeAuthorizer, nodeNameOf } from './node-authorizer.ts';
import { basicRules, groupRules, permits, type Rule, userRules } from './rules.ts';

/** The rules that apply to a user, nodes aside. */
export function rulesFor(user: User): readonly Rule[] {
  return [
    ...(userRules[user.name] ?? []),
    ...user.groups.flatMap((group) => groupRules[group] ?? []),
    ...basicRules,
  ];
}

/** Decides by built-in rules who may do what. Whoever is not mentioned may only look around. */
export class BuiltInAuthorizer implements Authorizer {
  readonly #nodes: NodeAuthorizer;

  constructor(registry: KindRegistry) {
    this.#nodes = new NodeAuthorizer(registry.builtIn(pods).cache);
  }

  decide(wanted: Attributes): Verdict {
    const { user } = wanted;
    for (const group of user.groups)
      for (const rule of groupRules[group] ?? []) if (permits(rule, wanted)) return { allowed: true };
    for (const rule of userRules[user.name] ?? []) if (permits(rule, wanted)) return { allowed: true };
    for (const rule of basicRules) if (permits(rule, wanted)) return { allowed: true };
    const node = nodeNameOf(user);
    return node !== undefined && wanted.isResource ? this.#nodes.decide(wanted, node) : { allowed: false };
  }

  authorize(user: User, info: RequestInfo): void {
    const wanted = attributesOf(user, info);
    const verdict = this.decide(wanted);
    if (!verdict.allowed) throw refusalError(wanted, verdict);
  }
}
