import { decode } from 'dns-packet';
import type { Forwarder } from './forward.ts';
import {
  type AnswerParts,
  type Query,
  QueryError,
  type Rcode,
  readQuery,
  writeAnswer,
  writeError,
  writeQuery,
} from './message.ts';
import { type DnsRecord, resolveName, type Zone } from './zone.ts';

export interface ResponderOptions {
  zone: Zone;
  /** Whether the zone's data is complete: until then its names get SERVFAIL, not a wrong NXDOMAIN. */
  ready: () => boolean;
  forwarder: Pick<Forwarder, 'forward'>;
  /** Orders addresses anew for each answer, so that clients that take the first spread. */
  shuffle: <T>(list: readonly T[]) => T[];
}

const internetClass = 1;
const addressTypes: Readonly<Record<number, 'A' | 'AAAA'>> = { 1: 'A', 28: 'AAAA' };
/** Aliases of aliases are followed this far. */
const longestChain = 8;

/** Turns each DNS message into its answer. */
export class Responder {
  readonly #options: ResponderOptions;
  /** Answers by code, and questions passed on: for metrics. */
  readonly counts = new Map<string, number>();

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** The answer to a message, or undefined for what must not be answered. Never throws. */
  async respond(message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    let query: Query | undefined;
    try {
      query = readQuery(message);
      if (!query) return undefined;
      if (query.ednsVersion) throw new QueryError('BADVERS');
      if (query.classCode !== internetClass) throw new QueryError('REFUSED');
      const parts = await this.#resolve(query);
      if (parts) {
        this.#count(parts.rcode);
        return writeAnswer(message, query, parts, transport);
      }
      const forwarded = await this.#options.forwarder.forward(message, query.questionEnd, transport);
      if (!forwarded) throw new QueryError('SERVFAIL');
      this.#count('forwarded');
      return forwarded;
    } catch (error) {
      const rcode: Rcode = error instanceof QueryError ? error.rcode : 'SERVFAIL';
      this.#count(rcode);
      return query ? writeAnswer(message, query, { rcode }, transport) : writeError(message, rcode);
    }
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  async #resolve(query: Query): Promise<AnswerParts | undefined> {
    const { zone, ready, shuffle } = this.#options;
    const found = resolveName(zone, query.name, query.type);
    if (!found) return undefined;
    if (!ready()) throw new QueryError('SERVFAIL');
    const parts: AnswerParts = { ...found, answers: shuffle(found.answers), authoritative: true };
    return found.chase ? this.#chase(query, found.answers, found.chase) : parts;
  }

  /** Follows an alias, through the cluster's names or others', and answers with the whole chain. */
  async #chase(query: Query, chain: readonly DnsRecord[], target: string): Promise<AnswerParts> {
    const { zone, forwarder, shuffle } = this.#options;
    if (chain.length > longestChain) throw new QueryError('SERVFAIL');
    const found = resolveName(zone, target, query.type);
    if (found) {
      const answers = [...chain, ...shuffle(found.answers)];
      if (found.chase) return this.#chase(query, answers, found.chase);
      return { rcode: found.rcode, answers, authorities: found.authorities, authoritative: true };
    }
    const type = addressTypes[query.typeCode];
    if (!type) return { rcode: 'NOERROR', answers: chain, authoritative: true };
    const question = writeQuery(target, query.typeCode, 1232);
    const questionEnd = 12 + target.length + 2 + 4;
    const answer = await forwarder.forward(question, questionEnd, 'udp');
    if (!answer) throw new QueryError('SERVFAIL');
    return { ...aliasAnswer(answer, type, chain), authoritative: true };
  }
}

function aliasAnswer(message: Buffer, type: 'A' | 'AAAA', chain: readonly DnsRecord[]): AnswerParts {
  const decoded = decode(message) as ReturnType<typeof decode> & { rcode?: string };
  const records: DnsRecord[] = [];
  for (const record of decoded.answers ?? []) {
    if (record.type !== type && record.type !== 'CNAME') continue;
    records.push({ type: record.type, name: record.name, ttl: record.ttl ?? 0, data: record.data });
  }
  const rcode =
    decoded.rcode === 'NXDOMAIN' ? 'NXDOMAIN' : decoded.rcode === 'NOERROR' ? 'NOERROR' : 'SERVFAIL';
  return { rcode, answers: [...chain, ...records] };
}
