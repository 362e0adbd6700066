import { serviceAccounts } from '../../api/resources.ts';
import type { Pod, ServiceAccountTokenProjection } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';

interface Token {
  value: string;
  /** Milliseconds since the epoch. */
  issued: number;
  expires: number;
}

interface TokenRequestAnswer {
  status?: { token?: string; expirationTimestamp?: string };
}

const defaultExpiration = 3600;
/** A token is replaced when this part of its life is over, or when it is this old. */
const refresh = { part: 0.8, milliseconds: 24 * 3600_000 };

const refreshAt = (token: Token): number =>
  Math.min(token.issued + (token.expires - token.issued) * refresh.part, token.issued + refresh.milliseconds);

const keyOf = (uid: string, source: ServiceAccountTokenProjection): string =>
  JSON.stringify([uid, source.audience ?? '', source.expirationSeconds ?? defaultExpiration]);

/**
 * Service account tokens bound to pods, asked of the apiserver once and renewed before they expire.
 * https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken
 */
export class TokenCache {
  readonly #client: ApiClient;
  readonly #now: () => number;
  readonly #tokens = new Map<string, Token>();

  constructor(options: { client: ApiClient; now: () => number }) {
    this.#client = options.client;
    this.#now = options.now;
  }

  /** Fetches what is missing or due; a due token that cannot be renewed is kept while it is valid. */
  async prepare(pod: Pod, sources: readonly ServiceAccountTokenProjection[]): Promise<void> {
    await Promise.all(
      sources.map(async (source) => {
        const key = keyOf(pod.metadata?.uid ?? '', source);
        const held = this.#tokens.get(key);
        const now = this.#now();
        if (held && now < refreshAt(held)) return;
        try {
          this.#tokens.set(key, await this.#request(pod, source));
        } catch (error) {
          if (!held || now >= held.expires) throw error;
        }
      }),
    );
  }

  /** The token of a projection that was prepared. */
  token(uid: string, source: ServiceAccountTokenProjection): string {
    const token = this.#tokens.get(keyOf(uid, source));
    if (!token) throw new Error('service account token was not prepared');
    return token.value;
  }

  /** When the first of the pod's tokens is due, in milliseconds since the epoch. */
  nextRefresh(uid: string, sources: readonly ServiceAccountTokenProjection[]): number | undefined {
    const times = sources.flatMap((source) => this.#tokens.get(keyOf(uid, source)) ?? []).map(refreshAt);
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  forget(uid: string): void {
    const prefix = `${JSON.stringify([uid]).slice(0, -1)},`;
    for (const key of this.#tokens.keys()) if (key.startsWith(prefix)) this.#tokens.delete(key);
  }

  async #request(pod: Pod, source: ServiceAccountTokenProjection): Promise<Token> {
    const { name, namespace, uid } = pod.metadata ?? {};
    const issued = this.#now();
    const answer = await this.#client.createSub<TokenRequestAnswer>(
      serviceAccounts,
      { name: pod.spec?.serviceAccountName || 'default', namespace: namespace ?? '' },
      'token',
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: source.audience ? [source.audience] : [],
          expirationSeconds: source.expirationSeconds ?? defaultExpiration,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
        },
      },
    );
    const { token, expirationTimestamp } = answer.status ?? {};
    if (!token) throw new Error('the apiserver answered a token request without a token');
    const expires = expirationTimestamp ? Date.parse(expirationTimestamp) : issued + defaultExpiration * 1000;
    return { value: token, issued, expires };
  }
}
