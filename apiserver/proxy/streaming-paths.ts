import type { Pod } from '../../api/types/core-v1.ts';
import { badRequest } from '../rest/api-error.ts';
import type { RequestInfo } from '../rest/request-info.ts';
import { containerOf } from './pod-target.ts';

const isTrue = (text: string | null): boolean => /^(true|1)$/i.test(text ?? '');

/** The kubelet's parameter for each of ours. */
const streams: readonly [ours: string, theirs: string][] = [
  ['stdin', 'input'],
  ['stdout', 'output'],
  ['stderr', 'error'],
  ['tty', 'tty'],
];

function streamQuery(query: URLSearchParams): URLSearchParams {
  const result = new URLSearchParams();
  for (const [ours, theirs] of streams) if (isTrue(query.get(ours))) result.set(theirs, '1');
  if (result.has('tty')) result.delete('error');
  if (!result.has('input') && !result.has('output') && !result.has('error'))
    throw badRequest('you must specify at least one of stdin, stdout, stderr');
  return result;
}

function checkRunning(pod: Pod, verb: string): void {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed')
    throw badRequest(`cannot ${verb} a container in a completed pod; current phase is ${phase}`);
}

/** Subresources that are answered by switching the connection to another protocol. */
export const upgradeSubresources = new Set(['exec', 'attach', 'portforward']);

/**
 * The kubelet's path and query for a request on `pods/exec`, `attach` or `portforward`.
 * @throws {ApiError} 400
 */
export function kubeletPath(info: RequestInfo, pod: Pod): string {
  const { namespace, name, query, subresource } = info;
  const join = (...segments: string[]) => `/${segments.map(encodeURIComponent).join('/')}`;
  if (subresource === 'portforward') {
    const ports = new URLSearchParams();
    for (const text of query.getAll('ports'))
      for (const port of text.split(',')) {
        if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535)
          throw badRequest(`unable to parse ports: ${JSON.stringify(port)} is not a valid port`);
        ports.append('port', port);
      }
    return `${join('portForward', namespace, name)}${ports.size ? `?${ports}` : ''}`;
  }
  const container = containerOf(pod, query.get('container'));
  const result = streamQuery(query);
  if (subresource === 'exec') {
    const command = query.getAll('command');
    if (!command.length) throw badRequest('you must specify at least 1 command for the container');
    for (const word of command) result.append('command', word);
    checkRunning(pod, 'exec into');
  } else checkRunning(pod, 'attach');
  return `${join(subresource, namespace, name, container)}?${result}`;
}
