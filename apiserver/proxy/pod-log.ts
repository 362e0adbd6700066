import { pods } from '../../api/resources.ts';
import { text } from '../rest/answer.ts';
import { ApiError, badRequest, qualifiedResource } from '../rest/api-error.ts';
import type { Subresource } from '../subresources/subresource.ts';
import { bodyText, forward, relay } from './forward.ts';
import type { Kubelets } from './kubelet-target.ts';
import { logQuery } from './log-options.ts';
import { containerOf, findPod } from './pod-target.ts';

/** What the kubelet refused, in the words of a client of this server. */
export function kubeletError(code: number, message: string, name: string): ApiError {
  if (code === 400) return badRequest(message);
  if (code === 404)
    return new ApiError({
      code: 404,
      reason: 'NotFound',
      message: `the server could not find the requested resource ( ${qualifiedResource(pods)} ${name})`,
      details: {
        name,
        kind: pods.plural,
        causes: [{ reason: 'UnexpectedServerResponse', message: message || 'unknown' }],
      },
    });
  if (code === 500)
    return new ApiError({
      code: 500,
      reason: 'InternalError',
      message: `Internal error occurred: ${message}`,
      details: { causes: [{ message }] },
    });
  return new ApiError({
    code,
    reason: code === 503 ? 'ServiceUnavailable' : 'InternalError',
    message: message || `the kubelet answered ${code}`,
  });
}

/** `pods/log`: streamed from the kubelet. */
export const podLog = (kubelets: Kubelets): Subresource => ({
  resource: 'pods',
  name: 'log',
  kind: 'Pod',
  verbs: ['get'],
  async handle(request, { storage, registry }, begin) {
    const { info } = request;
    const query = logQuery(info.query);
    const pod = await findPod(storage, registry, info.namespace, info.name);
    const container = containerOf(pod, info.query.get('container'));
    // Not on a node yet: there is nothing to show, and that is no error.
    if (!pod.spec?.nodeName) return text(200, '');
    const { host, port } = await kubelets.locate(pod.spec.nodeName);
    const path = ['containerLogs', info.namespace, info.name, container].map(encodeURIComponent).join('/');
    const gone = new AbortController();
    const response = await forward({
      protocol: 'https:',
      host,
      port,
      path: `/${path}?${query}`,
      method: 'GET',
      headers: {},
      tls: { agent: kubelets.agent },
      signal: gone.signal,
    });
    const code = response.statusCode ?? 502;
    if (code < 200 || code > 206) throw kubeletError(code, await bodyText(response), info.name);
    const out = begin(200, { 'content-type': 'text/plain' });
    out.once('close', () => gone.abort());
    await relay(response, out);
    return undefined;
  },
});
