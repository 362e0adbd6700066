import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import type { Codec, Input } from '../../api/etcd/codec.ts';
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  RangeRequest,
  RangeResponse,
  StatusRequest,
  StatusResponse,
  TxnRequest,
  TxnResponse,
  type WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from '../../api/etcd/messages.ts';
import { EtcdError, GrpcCode } from './etcd-error.ts';
import { FrameReader, headerLength, writeHeader } from './grpc-frames.ts';

export interface EtcdClientOptions {
  /** `https://host:port` or `http://host:port`, tried in turn. */
  endpoints: readonly string[];
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  /** Milliseconds until a unary call is given up. */
  timeout?: number;
}

export interface WatchHandlers {
  response(response: WatchResponse): void;
  /** Called once, after which nothing more arrives. */
  end(error: EtcdError): void;
}

const pingInterval = 5_000;
const largeWindow = 16 * 1024 * 1024;

/**
 * etcd's v3 gRPC API over node:http2: unary calls and watch streams multiplexed on one connection to one
 * endpoint; the next endpoint takes over when that connection fails.
 *
 * A call that cannot have reached the store is repeated at every endpoint before it fails; one that may have is
 * repeated only if it is a read. https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/
 */
export class EtcdClient {
  readonly #options: EtcdClientOptions;
  readonly #timeout: number;
  #session: ClientHttp2Session | undefined;
  #endpoint = 0;
  #closed = false;

  constructor(options: EtcdClientOptions) {
    if (!options.endpoints.length) throw new TypeError('at least one store endpoint is needed');
    this.#options = options;
    this.#timeout = options.timeout ?? 10_000;
  }

  range(request: Input<RangeRequest>): Promise<RangeResponse> {
    return this.#call('/etcdserverpb.KV/Range', RangeRequest, RangeResponse, request, true);
  }

  txn(request: Input<TxnRequest>): Promise<TxnResponse> {
    return this.#call('/etcdserverpb.KV/Txn', TxnRequest, TxnResponse, request, false);
  }

  deleteRange(request: Input<DeleteRangeRequest>): Promise<DeleteRangeResponse> {
    return this.#call(
      '/etcdserverpb.KV/DeleteRange',
      DeleteRangeRequest,
      DeleteRangeResponse,
      request,
      false,
    );
  }

  compact(request: Input<CompactionRequest>): Promise<CompactionResponse> {
    return this.#call('/etcdserverpb.KV/Compact', CompactionRequest, CompactionResponse, request, false);
  }

  leaseGrant(request: Input<LeaseGrantRequest>): Promise<LeaseGrantResponse> {
    return this.#call(
      '/etcdserverpb.Lease/LeaseGrant',
      LeaseGrantRequest,
      LeaseGrantResponse,
      request,
      false,
    );
  }

  status(): Promise<StatusResponse> {
    return this.#call('/etcdserverpb.Maintenance/Status', StatusRequest, StatusResponse, {}, true);
  }

  /** Opens a watch stream with one watcher. The returned function closes it (and `end` is not called then). */
  watch(create: Input<WatchCreateRequest>, handlers: WatchHandlers): () => void {
    let stream: ClientHttp2Stream;
    try {
      stream = this.#open('/etcdserverpb.Watch/Watch');
    } catch (error) {
      const failure = asEtcdError(error, false);
      queueMicrotask(() => handlers.end(failure));
      return () => {};
    }
    let over = false;
    const end = (error: EtcdError) => {
      if (over) return;
      over = true;
      stream.close(constants.NGHTTP2_CANCEL);
      handlers.end(error);
    };
    const frames = new FrameReader();
    stream.on('data', (chunk: Buffer) => {
      try {
        for (const frame of frames.push(chunk)) if (!over) handlers.response(WatchResponse.decode(frame));
      } catch (error) {
        end(asEtcdError(error, false));
      }
    });
    let status: EtcdError | undefined;
    const take = (headers: IncomingHttpHeaders) => {
      status = statusOf(headers) ?? status;
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('error', (error) => end(asEtcdError(error, false)));
    stream.on('close', () =>
      end(status ?? new EtcdError(GrpcCode.unavailable, 'the store closed the watch', false)),
    );
    stream.write(writeHeader(WatchRequest.encode({ create_request: create }, headerLength)));
    return () => {
      over = true;
      stream.close(constants.NGHTTP2_CANCEL);
    };
  }

  close(): void {
    this.#closed = true;
    this.#session?.destroy();
    this.#session = undefined;
  }

  async #call<Q, R>(
    path: string,
    requestCodec: Codec<Q>,
    responseCodec: Codec<R>,
    request: Input<Q>,
    repeatable: boolean,
  ): Promise<R> {
    const frame = writeHeader(requestCodec.encode(request, headerLength));
    const attempts = this.#options.endpoints.length + 1;
    for (let attempt = 1; ; attempt++) {
      try {
        return responseCodec.decode(await this.#once(path, frame));
      } catch (error) {
        const failure = asEtcdError(error, false);
        const again = failure.code === GrpcCode.unavailable && (repeatable || !failure.ambiguous);
        if (!again || attempt >= attempts || this.#closed) throw failure;
      }
    }
  }

  #once(path: string, frame: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const session = this.#connected();
      // Until the connection stands, nothing of the request has left.
      let sent = !session.connecting;
      if (!sent)
        session.once('connect', () => {
          sent = true;
        });
      const stream = this.#open(path);
      const chunks: Buffer[] = [];
      let status: EtcdError | undefined;
      let answered = false;
      const timer = setTimeout(() => {
        fail(new EtcdError(GrpcCode.deadlineExceeded, 'the store did not answer in time', sent));
        stream.close(constants.NGHTTP2_CANCEL);
        // A connection on which calls time out is not to be trusted with the next one.
        if (this.#session === session) this.#drop(session);
      }, this.#timeout);
      const fail = (error: EtcdError) => {
        clearTimeout(timer);
        reject(error);
      };
      const take = (headers: IncomingHttpHeaders) => {
        if (headers['grpc-status'] === undefined) return;
        answered = true;
        status = statusOf(headers);
      };
      stream.on('response', take);
      stream.on('trailers', take);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', (error) => fail(asEtcdError(error, sent)));
      stream.on('close', () => {
        if (status) return fail(status);
        if (!answered)
          return fail(new EtcdError(GrpcCode.unavailable, 'the connection to the store broke', sent));
        clearTimeout(timer);
        const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        resolve(body.subarray(headerLength));
      });
      stream.end(frame);
    });
  }

  #open(path: string): ClientHttp2Stream {
    return this.#connected().request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      { endStream: false },
    );
  }

  #connected(): ClientHttp2Session {
    if (this.#closed) throw new EtcdError(GrpcCode.unavailable, 'the store client is closed', false);
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const { endpoints, ca, cert, key } = this.#options;
    const options: SecureClientSessionOptions = {
      settings: { enablePush: false, initialWindowSize: largeWindow },
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    };
    const session = connect(endpoints[this.#endpoint % endpoints.length]!, options);
    this.#session = session;
    session.on('connect', () => session.setLocalWindowSize(largeWindow));
    session.on('error', () => this.#drop(session));
    session.on('goaway', () => this.#drop(session));
    session.on('close', () => this.#drop(session));
    this.#keepAlive(session);
    return session;
  }

  /** Notices a peer that is gone without a word (a cut link), which TCP alone would not for many minutes. */
  #keepAlive(session: ClientHttp2Session): void {
    let unanswered = false;
    const timer = setInterval(() => {
      if (session.connecting && !unanswered) {
        unanswered = true;
        return;
      }
      if (unanswered) {
        session.destroy();
        return;
      }
      unanswered = true;
      session.ping(() => {
        unanswered = false;
      });
    }, pingInterval);
    timer.unref();
    session.once('close', () => clearInterval(timer));
  }

  #drop(session: ClientHttp2Session): void {
    if (this.#session === session) {
      this.#session = undefined;
      this.#endpoint++;
    }
    if (!session.destroyed) session.destroy();
  }
}

function statusOf(headers: IncomingHttpHeaders): EtcdError | undefined {
  const code = Number(headers['grpc-status'] ?? GrpcCode.ok);
  if (code === GrpcCode.ok) return undefined;
  const text = decodeURIComponent(String(headers['grpc-message'] ?? ''));
  return new EtcdError(code, text, code !== GrpcCode.unavailable || !/no leader/.test(text));
}

function asEtcdError(error: unknown, ambiguous: boolean): EtcdError {
  if (error instanceof EtcdError) return error;
  return new EtcdError(
    GrpcCode.unavailable,
    error instanceof Error ? error.message : String(error),
    ambiguous,
  );
}
