import { type DecodedPacket, decode } from 'dns-packet';
import type { DnsRecord } from './zone.ts';

/** What of a query an answer depends on. */
export interface Query {
  id: number;
  /** The question as it stands in the message, for echoing it with its case. */
  name: string;
  type: string;
  typeCode: number;
  classCode: number;
  recursionDesired: boolean;
  /** Largest UDP answer that the client takes, from EDNS(0); absent without it. */
  udpSize?: number;
  ednsVersion?: number;
  /** The DNSSEC OK flag of EDNS(0). */
  dnssecOk?: boolean;
  /** Bytes of header and question. */
  questionEnd: number;
}

export type Rcode = 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED' | 'BADVERS';

const rcodes: Readonly<Record<Rcode, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
};

const typeNames: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  16: 'TXT',
  28: 'AAAA',
  33: 'SRV',
  255: 'ANY',
};

const typeCodes: Readonly<Record<DnsRecord['type'], number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};

const headerLength = 12;
const plainUdpSize = 512;
/** What this server takes over UDP: fits into one frame on common links (DNS flag day 2020). */
const ownUdpSize = 1232;

/** The message asks something that is answered with this code at once. */
export class QueryError extends Error {
  override name = 'QueryError';
  readonly rcode: Rcode;

  constructor(rcode: Rcode) {
    super(rcode);
    this.rcode = rcode;
  }
}

/**
 * Reads a query. Undefined for what must not be answered at all: an answer, or too short to have an id.
 * @throws {QueryError} with the code to answer
 */
export function readQuery(message: Buffer): Query | undefined {
  if (message.length < headerLength) return undefined;
  const flags = message.readUInt16BE(2);
  if (flags & 0x8000) return undefined;
  if ((flags >> 11) & 15) throw new QueryError('NOTIMP');
  if (message.readUInt16BE(4) !== 1) throw new QueryError('FORMERR');
  const labels: string[] = [];
  let at = headerLength;
  for (;;) {
    const length = message[at];
    // A pointer cannot stand in the first name of a message: there is nothing to point at.
    if (length === undefined || length > 63 || at + length >= message.length) throw new QueryError('FORMERR');
    at++;
    if (length === 0) break;
    // One byte a character, so that any name goes back as it came.
    labels.push(message.toString('latin1', at, at + length));
    at += length;
    if (at - headerLength > 255) throw new QueryError('FORMERR');
  }
  if (at + 4 > message.length) throw new QueryError('FORMERR');
  const typeCode = message.readUInt16BE(at);
  const query: Query = {
    id: message.readUInt16BE(0),
    name: labels.join('.'),
    type: typeNames[typeCode] ?? `TYPE${typeCode}`,
    typeCode,
    classCode: message.readUInt16BE(at + 2),
    recursionDesired: (flags & 0x0100) !== 0,
    questionEnd: at + 4,
  };
  if (message.readUInt16BE(10) === 0) return query;
  let decoded: DecodedPacket;
  try {
    decoded = decode(message);
  } catch {
    throw new QueryError('FORMERR');
  }
  const options = (decoded.additionals ?? []).filter((record) => record.type === 'OPT');
  if (options.length > 1) throw new QueryError('FORMERR');
  const edns = options[0] as { udpPayloadSize: number; ednsVersion: number; flag_do?: boolean } | undefined;
  if (!edns) return query;
  return {
    ...query,
    udpSize: edns.udpPayloadSize,
    ednsVersion: edns.ednsVersion,
    dnssecOk: edns.flag_do === true,
  };
}

export interface AnswerParts {
  rcode: Rcode;
  answers?: readonly DnsRecord[];
  authorities?: readonly DnsRecord[];
  additionals?: readonly DnsRecord[];
  authoritative?: boolean;
}

/**
 * Writes the answer to a query. Over UDP it is cut to what the client takes: additional records go first,
 * then answers, with the TC flag so that the client asks again over TCP (RFC 2181, section 9).
 */
export function writeAnswer(
  message: Buffer,
  query: Query,
  parts: AnswerParts,
  transport: 'udp' | 'tcp',
): Buffer {
  const limit = transport === 'tcp' ? 65_535 : Math.max(plainUdpSize, Math.min(query.udpSize ?? 0, 4096));
  const question = message.subarray(headerLength, query.questionEnd);
  const encode = (records: readonly DnsRecord[] | undefined) =>
    (records ?? []).map((record) => encodeRecord(record, query.name));
  const answers = encode(parts.answers);
  const authorities = encode(parts.authorities);
  const additionals = encode(parts.additionals);
  const options = query.udpSize === undefined ? [] : [encodeOptions(parts.rcode, query.dnssecOk === true)];
  const sizeOf = (list: Buffer[]) => list.reduce((sum, buffer) => sum + buffer.length, 0);
  let size =
    headerLength + question.length + sizeOf([...answers, ...authorities, ...additionals, ...options]);
  while (size > limit && additionals.length) size -= additionals.pop()!.length;
  while (size > limit && authorities.length) size -= authorities.pop()!.length;
  let truncated = false;
  while (size > limit && answers.length) {
    size -= answers.pop()!.length;
    truncated = true;
  }
  const header = Buffer.alloc(headerLength);
  header.writeUInt16BE(query.id, 0);
  const flags =
    0x8000 |
    (parts.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    (query.recursionDesired ? 0x0100 : 0) |
    0x0080 |
    (rcodes[parts.rcode] & 15);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  header.writeUInt16BE(authorities.length, 8);
  header.writeUInt16BE(additionals.length + options.length, 10);
  return Buffer.concat([header, question, ...answers, ...authorities, ...additionals, ...options]);
}

/** An answer without a question, for a message that cannot be read. */
export function writeError(message: Buffer, rcode: Rcode): Buffer {
  const header = Buffer.alloc(headerLength);
  message.copy(header, 0, 0, 2);
  const flags = message.readUInt16BE(2);
  header.writeUInt16BE(0x8000 | (flags & 0x7900) | (rcodes[rcode] & 15), 2);
  return header;
}

/** The owner's name is nearly always the question's: two bytes that point at it say so. */
function encodeRecord(record: DnsRecord, questionName: string): Buffer {
  const name = record.name === questionName ? Buffer.from([0xc0, headerLength]) : encodeName(record.name);
  const data = encodeData(record);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(typeCodes[record.type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(record.ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([name, fixed, data]);
}

function encodeData(record: DnsRecord): Buffer {
  switch (record.type) {
    case 'A':
      return Buffer.from(record.data.split('.').map(Number));
    case 'AAAA':
      return encodeIPv6(record.data);
    case 'TXT':
      return Buffer.concat([Buffer.from([record.data.length]), Buffer.from(record.data, 'latin1')]);
    case 'SRV': {
      const { priority, weight, port, target } = record.data;
      const numbers = Buffer.alloc(6);
      numbers.writeUInt16BE(priority, 0);
      numbers.writeUInt16BE(weight, 2);
      numbers.writeUInt16BE(port, 4);
      return Buffer.concat([numbers, encodeName(target)]);
    }
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = record.data;
      const numbers = Buffer.alloc(20);
      for (const [index, number] of [serial, refresh, retry, expire, minimum].entries())
        numbers.writeUInt32BE(number, index * 4);
      return Buffer.concat([encodeName(mname), encodeName(rname), numbers]);
    }
    default:
      return encodeName(record.data);
  }
}

function encodeIPv6(ip: string): Buffer {
  const [head = '', tail] = ip.split('::');
  const groups = (text: string) => (text ? text.split(':').map((group) => Number.parseInt(group, 16)) : []);
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const all = [...first, ...Array(8 - first.length - last.length).fill(0), ...last] as number[];
  const data = Buffer.alloc(16);
  for (const [index, group] of all.entries()) data.writeUInt16BE(group, index * 2);
  return data;
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter(Boolean);
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.from([0]),
  ]);
}

function encodeOptions(rcode: Rcode, dnssecOk: boolean): Buffer {
  const record = Buffer.alloc(11);
  record.writeUInt16BE(41, 1);
  record.writeUInt16BE(ownUdpSize, 3);
  record.writeUInt8(rcodes[rcode] >> 4, 5);
  record.writeUInt16BE(dnssecOk ? 0x8000 : 0, 7);
  return record;
}

/** Writes a plain query, for names that this server asks itself. */
export function writeQuery(name: string, typeCode: number, udpSize: number | undefined): Buffer {
  const header = Buffer.alloc(headerLength);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(typeCode, 0);
  tail.writeUInt16BE(1, 2);
  const parts = [header, encodeName(name), tail];
  if (udpSize !== undefined) {
    header.writeUInt16BE(1, 10);
    parts.push(encodeOptions('NOERROR', false));
  }
  return Buffer.concat(parts);
}
