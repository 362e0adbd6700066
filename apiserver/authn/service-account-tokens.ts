import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomUUID } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { KubeObject } from '../../api/object.ts';
import type { User } from '../rest/request-context.ts';
import type { TokenAuthenticator } from './authenticator.ts';

/** What a token is bound to, in its `kubernetes.io` claim. */
export interface BoundReference {
  name: string;
  uid: string;
}

interface KubernetesClaim {
  namespace: string;
  serviceaccount: BoundReference;
  pod?: BoundReference;
  secret?: BoundReference;
  node?: BoundReference;
}

/** Looks up the objects that tokens are bound to. */
export interface BoundObjects {
  get(
    plural: 'serviceaccounts' | 'pods' | 'secrets',
    namespace: string,
    name: string,
  ): KubeObject | undefined | Promise<KubeObject | undefined>;
}

export interface TokenClaims {
  namespace: string;
  account: BoundReference;
  pod?: BoundReference;
  secret?: BoundReference;
  node?: BoundReference;
  audiences: string[];
  expirationSeconds: number;
}

// A pod that is being deleted may use its token a little longer, to finish.
const deletionLeeway = 60_000;
const cacheFor = 10_000;
const cacheSize = 4096;

const keyId = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');

const algorithmOf = (key: KeyObject): string =>
  key.asymmetricKeyType === 'ec' ? 'ES256' : key.asymmetricKeyType === 'ed25519' ? 'EdDSA' : 'RS256';

/**
 * Signs and verifies the tokens of service accounts: JWTs that die with what they are bound to.
 * https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
 */
export class ServiceAccountTokens implements TokenAuthenticator {
  readonly #issuer: string;
  readonly #audiences: readonly string[];
  readonly #signingKey: KeyObject | undefined;
  readonly #keys: readonly { id: string; key: KeyObject }[];
  readonly #objects: BoundObjects;
  readonly #verified = new Map<string, { claims: JWTPayload; until: number }>();

  constructor(options: {
    issuer: string;
    /** Audiences of this server; tokens for none of them are not for it. */
    audiences: readonly string[];
    signingKey?: string | Buffer;
    /** Public or private keys, PEM. */
    keys: readonly (string | Buffer)[];
    objects: BoundObjects;
  }) {
    this.#issuer = options.issuer;
    this.#audiences = options.audiences;
    this.#objects = options.objects;
    this.#signingKey = options.signingKey ? createPrivateKey(options.signingKey) : undefined;
    const keys = options.keys.map((pem) => createPublicKey(pem));
    if (this.#signingKey) keys.push(createPublicKey(this.#signingKey));
    this.#keys = keys.map((key) => ({ id: keyId(key), key }));
  }

  get audiences(): readonly string[] {
    return this.#audiences;
  }

  get canSign(): boolean {
    return !!this.#signingKey;
  }

  /** A signed token. */
  async sign(claims: TokenClaims, now: number): Promise<string> {
    const key = this.#signingKey!;
    const { namespace, account, pod, secret, node } = claims;
    const seconds = Math.floor(now / 1000);
    return new SignJWT({
      'kubernetes.io': {
        namespace,
        ...(node && { node }),
        ...(pod && { pod }),
        ...(secret && { secret }),
        serviceaccount: account,
      } satisfies KubernetesClaim,
    })
      .setProtectedHeader({ alg: algorithmOf(key), kid: keyId(createPublicKey(key)) })
      .setIssuer(this.#issuer)
      .setSubject(`system:serviceaccount:${namespace}:${account.name}`)
      .setAudience(claims.audiences)
      .setIssuedAt(seconds)
      .setNotBefore(seconds)
      .setExpirationTime(seconds + claims.expirationSeconds)
      .setJti(randomUUID())
      .sign(key);
  }

  /** The verification keys as a JSON Web Key Set. */
  jwks(): object {
    const unique = new Map(this.#keys.map((item) => [item.id, item.key]));
    return {
      keys: [...unique].map(([kid, key]) => ({
        use: 'sig',
        kid,
        alg: algorithmOf(key),
        ...key.export({ format: 'jwk' }),
      })),
    };
  }

  /** OpenID provider metadata. */
  discovery(address: string): object {
    return {
      issuer: this.#issuer,
      jwks_uri: `https://${address}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set(this.#keys.map((item) => algorithmOf(item.key)))],
    };
  }

  authenticate(token: string): Promise<User | undefined> {
    return this.authenticateFor(token, this.#audiences);
  }

  /** The user of a token that is good for one of `audiences`. */
  async authenticateFor(token: string, audiences: readonly string[]): Promise<User | undefined> {
    // Not one of ours: no need to look closer.
    if (token.split('.').length !== 3) return undefined;
    const claims = await this.#verify(token);
    if (!claims) return undefined;
    const meant = [claims.aud ?? []].flat();
    if (!meant.some((audience) => audiences.includes(audience))) return undefined;
    return this.#userOf(claims);
  }

  async #verify(token: string): Promise<JWTPayload | undefined> {
    const now = Date.now();
    const known = this.#verified.get(token);
    if (known && known.until > now) return known.claims;
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid, alg }) => {
          const match = this.#keys.find((item) => item.id === kid && algorithmOf(item.key) === alg);
          if (!match) throw new errors.JWKSNoMatchingKey();
          return match.key;
        },
        { issuer: this.#issuer },
      );
      if (this.#verified.size >= cacheSize) this.#verified.clear();
      const until = Math.min(now + cacheFor, (payload.exp ?? 0) * 1000);
      this.#verified.set(token, { claims: payload, until });
      return payload;
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
      throw error;
    }
  }

  async #userOf(claims: JWTPayload): Promise<User | undefined> {
    const claim = claims['kubernetes.io'] as KubernetesClaim | undefined;
    if (!claim?.namespace || !claim.serviceaccount?.name) return undefined;
    const { namespace, serviceaccount, pod, secret, node } = claim;
    if (claims.sub !== `system:serviceaccount:${namespace}:${serviceaccount.name}`) return undefined;
    const bound = [
      ['serviceaccounts', serviceaccount],
      ['pods', pod],
      ['secrets', secret],
    ] as const;
    for (const [plural, reference] of bound)
      if (reference && !(await this.#alive(plural, namespace, reference))) return undefined;
    const extra: Record<string, string[]> = {};
    if (claims.jti) extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims.jti}`];
    if (pod) {
      extra['authentication.kubernetes.io/pod-name'] = [pod.name];
      extra['authentication.kubernetes.io/pod-uid'] = [pod.uid];
    }
    if (node?.name) extra['authentication.kubernetes.io/node-name'] = [node.name];
    return {
      name: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
      uid: serviceaccount.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
      extra,
    };
  }

  async #alive(
    plural: 'serviceaccounts' | 'pods' | 'secrets',
    namespace: string,
    { name, uid }: BoundReference,
  ): Promise<boolean> {
    const object = await this.#objects.get(plural, namespace, name);
    if (!object || object.metadata?.uid !== uid) return false;
    const deleted = object.metadata?.deletionTimestamp;
    return !deleted || Date.parse(deleted) + deletionLeeway > Date.now();
  }
}
