import type { KubeObject } from '../../api/object.ts';
import type {
  SelfSubjectReview,
  TokenReview,
  TokenReviewStatus,
  UserInfo,
} from '../../api/types/authentication-v1.ts';
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
} from '../../api/types/authorization-v1.ts';
import type { Authenticator } from '../authn/authenticator.ts';
import type { ServiceAccountTokens } from '../authn/service-account-tokens.ts';
import type { Attributes, Verdict } from '../authz/attributes.ts';
import { rulesFor } from '../authz/authorizer.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { badRequest } from '../rest/api-error.ts';
import type { User } from '../rest/request-context.ts';

/** A kind that is answered and never stored. */
export interface VirtualKind extends KindDeclaration {
  answer(object: KubeObject, request: { user: User; namespace: string }): Promise<KubeObject> | KubeObject;
}

export interface ReviewContext {
  authenticator: Authenticator;
  tokens: ServiceAccountTokens;
  decide(attributes: Attributes): Verdict;
}

const userInfo = ({ name, uid, groups, extra }: User): UserInfo => ({
  username: name,
  ...(uid && { uid }),
  ...(groups.length && { groups }),
  ...(extra && Object.keys(extra).length && { extra }),
});

type AccessSpec = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

/** What an access review asks. @throws {ApiError} 400 unless it asks exactly one thing */
export function reviewedAttributes(spec: AccessSpec, user: User): Attributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if (!resource === !path)
    throw badRequest('exactly one of nonResourceAttributes or resourceAttributes must be specified');
  const selector = resource?.fieldSelector;
  return {
    user,
    isResource: !!resource,
    verb: resource?.verb ?? path?.verb ?? '',
    group: resource?.group ?? '',
    resource: resource?.resource ?? '',
    subresource: resource?.subresource ?? '',
    namespace: resource?.namespace ?? '',
    name: resource?.name ?? '',
    path: path?.path ?? '',
    fieldSelector: selector?.rawSelector ?? '',
  };
}

const status = (verdict: Verdict) => ({
  allowed: verdict.allowed,
  ...(verdict.reason && { reason: verdict.reason }),
});

function declare(
  group: string,
  kind: string,
  options: { namespaced?: boolean; answer: VirtualKind['answer'] },
): VirtualKind {
  const short = group.split('.')[0];
  return {
    group,
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    namespaced: options.namespaced ?? false,
    shortNames: [],
    categories: [],
    verbs: ['create'],
    schema: `io.k8s.api.${short}.v1.${kind}`,
    columns: [],
    answer: options.answer,
  };
}

const authorization = 'authorization.k8s.io';
const authentication = 'authentication.k8s.io';

const subjectOf = ({ user = '', uid, groups = [], extra }: SubjectAccessReviewSpec): User => ({
  name: user,
  groups,
  ...(uid && { uid }),
  ...(extra && { extra }),
});

async function reviewToken(context: ReviewContext, review: TokenReview): Promise<TokenReviewStatus> {
  const { token, audiences } = review.spec ?? {};
  if (!token) throw badRequest('token is required for TokenReview in authentication');
  const user = audiences?.length
    ? await context.tokens.authenticateFor(token, audiences)
    : await context.authenticator.authenticateToken(token);
  if (!user) return { authenticated: false, error: 'invalid bearer token' };
  const served: readonly string[] = audiences?.length ? audiences : context.tokens.audiences;
  return { authenticated: true, user: userInfo(user), audiences: [...served] };
}

/** The reviews of authentication and authorization: questions about users, answered and forgotten. */
export function reviewKinds(context: ReviewContext): VirtualKind[] {
  const decide = (spec: AccessSpec, user: User) => status(context.decide(reviewedAttributes(spec, user)));
  return [
    declare(authorization, 'SelfSubjectAccessReview', {
      answer(object, { user }) {
        const review = object as SelfSubjectAccessReview;
        return { ...review, status: decide(review.spec ?? {}, user) } as KubeObject;
      },
    }),
    declare(authorization, 'SubjectAccessReview', {
      answer(object) {
        const review = object as SubjectAccessReview;
        return { ...review, status: decide(review.spec ?? {}, subjectOf(review.spec ?? {})) } as KubeObject;
      },
    }),
    declare(authorization, 'LocalSubjectAccessReview', {
      namespaced: true,
      answer(object, { namespace }) {
        const review = object as LocalSubjectAccessReview;
        const spec = review.spec ?? {};
        if (spec.resourceAttributes?.namespace !== namespace)
          throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
        return { ...review, status: decide(spec, subjectOf(spec)) } as KubeObject;
      },
    }),
    declare(authorization, 'SelfSubjectRulesReview', {
      answer(object, { user }) {
        const review = object as SelfSubjectRulesReview;
        const rules = rulesFor(user);
        return {
          ...review,
          status: {
            resourceRules: rules
              .filter((rule) => rule.resources)
              .map(({ verbs, groups, resources, names }) => ({
                verbs: [...verbs],
                apiGroups: [...(groups ?? [])],
                resources: [...(resources ?? [])],
                ...(names && { resourceNames: [...names] }),
              })),
            nonResourceRules: rules
              .filter((rule) => rule.paths)
              .map(({ verbs, paths }) => ({ verbs: [...verbs], nonResourceURLs: [...(paths ?? [])] })),
            incomplete: false,
          },
        } as KubeObject;
      },
    }),
    declare(authentication, 'TokenReview', {
      async answer(object) {
        const review = object as TokenReview;
        return { ...review, status: await reviewToken(context, review) } as KubeObject;
      },
    }),
    declare(authentication, 'SelfSubjectReview', {
      answer(object, { user }) {
        return { ...(object as SelfSubjectReview), status: { userInfo: userInfo(user) } } as KubeObject;
      },
    }),
  ];
}
