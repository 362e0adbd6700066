import { HttpError } from './http-error.ts';

/** `PodLogOptions` as a container's log is asked for. */
export interface ContainerLogOptions {
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  limitBytes?: number;
  /** Seconds since the epoch, with a fraction. */
  since?: number;
  stream: 'All' | 'Stdout' | 'Stderr';
}

const undecodable = () => new HttpError(400, '{"message": "Unable to decode query."}');
const invalid = () => new HttpError(422, '{"message": "Invalid request."}');

function boolean(text: string | null): boolean {
  if (text === null || ['', '0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  // Anything else is true, as in the API machinery's conversion of query parameters.
  return true;
}

function integer(text: string | null, least: number): number | undefined {
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw undecodable();
  const value = Number(text);
  if (value < least) throw invalid();
  return value;
}

/** A double holds today's seconds to a quarter of a microsecond: what is asked for must not be rounded away. */
const roundingSeconds = 1e-6;

/** RFC 3339 to seconds, never later than the time itself. */
function time(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  const match = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.exec(text);
  const seconds = match ? Date.parse(`${match[1]}${match[3]}`) / 1000 : Number.NaN;
  if (Number.isNaN(seconds)) throw undecodable();
  const fraction = Number(match![2] ?? 0);
  return fraction === 0 ? seconds : seconds + fraction - roundingSeconds;
}

/**
 * Reads the query of `/containerLogs`; `now` is in milliseconds since the epoch.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ (log)
 * @throws {HttpError} 400 for what is no number or time, 422 for what is out of range or contradicts itself
 */
export function parseLogOptions(query: URLSearchParams, now: number): ContainerLogOptions {
  const sinceSeconds = integer(query.get('sinceSeconds'), 1);
  const sinceTime = time(query.get('sinceTime'));
  if (sinceSeconds !== undefined && sinceTime !== undefined) throw invalid();
  const tail = query.get('tailLines') ?? query.get('tail');
  const stream = query.get('stream') || 'All';
  if (stream !== 'All' && stream !== 'Stdout' && stream !== 'Stderr') throw invalid();
  return {
    follow: boolean(query.get('follow')),
    previous: boolean(query.get('previous')),
    timestamps: boolean(query.get('timestamps')),
    tailLines: integer(tail === 'all' ? null : tail, 0),
    limitBytes: integer(query.get('limitBytes'), 1),
    since: sinceSeconds === undefined ? sinceTime : now / 1000 - sinceSeconds,
    stream,
  };
}
