import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Authenticator } from '../authn/authenticator.ts';
import { effectiveUser } from '../authn/impersonation.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import { ApiError, badRequest, noSuchPath, unauthorized } from '../rest/api-error.ts';
import { asApiError } from '../rest/api-routes.ts';
import { parseRequest, type RequestInfo } from '../rest/request-info.ts';
import type { Authorizer } from '../server.ts';
import type { Storage } from '../storage/storage.ts';
import type { Kubelets } from './kubelet-target.ts';
import { findPod, hostOf } from './pod-target.ts';
import { kubeletPath, upgradeSubresources } from './streaming-paths.ts';
import { refuse, tunnel } from './tunnel.ts';

export interface UpgradeOptions {
  authenticator: Authenticator;
  authorizer: Authorizer;
  storage: Storage;
  registry: KindRegistry;
  kubelets: Kubelets;
  log: Logger;
}

/** Requests that switch protocols (exec, attach, port-forward): checked here, then tunnelled to the kubelet. */
export class UpgradeHandler {
  readonly #options: UpgradeOptions;
  readonly #sockets = new Set<Duplex>();

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  /** For the server's `upgrade` event. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
    this.#serve(request, socket, head).catch((error: unknown) => {
      const failure = asApiError(error);
      if (!failure) this.#options.log.error({ err: error }, 'a streaming request failed');
      const { status } =
        failure ??
        new ApiError({ code: 500, reason: 'InternalError', message: 'Internal error occurred', details: {} });
      refuse(socket, status.code, 'application/json', Buffer.from(JSON.stringify(status)));
    });
  }

  /** Cuts all streams. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { authenticator, authorizer, storage, registry, kubelets } = this.#options;
    let info: RequestInfo;
    try {
      info = parseRequest(request.method ?? 'GET', request.url ?? '/');
    } catch {
      throw badRequest('the path is not valid percent-encoding');
    }
    const sender = await authenticator.authenticate(request);
    if (!sender) throw unauthorized();
    const user = effectiveUser(sender, request.headers, authorizer);
    authorizer.authorize(user, info);
    const known = info.isResource && info.group === '' && info.version === 'v1' && info.resource === 'pods';
    if (!known || !upgradeSubresources.has(info.subresource)) throw noSuchPath();
    const pod = await findPod(storage, registry, info.namespace, info.name);
    const path = kubeletPath(info, pod);
    const address = await kubelets.locate(hostOf(pod));
    await tunnel(request, socket, head, { ...address, path, tls: kubelets.tls });
  }
}

/** How discovery lists the subresources of {@link UpgradeHandler}; a request that does not upgrade is refused. */
export const streamingSubresources = [
  { name: 'exec', kind: 'PodExecOptions' },
  { name: 'attach', kind: 'PodAttachOptions' },
  { name: 'portforward', kind: 'PodPortForwardOptions' },
].map(({ name, kind }) => ({
  resource: 'pods',
  name,
  kind,
  verbs: ['create', 'get'],
  async handle(): Promise<never> {
    throw badRequest('Upgrade request required');
  },
}));
