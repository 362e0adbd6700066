import type { Codec, Input } from '../../api/etcd/codec.ts';
import type { Frame } from './frames.ts';

/** What a handler may know of its call. */
export interface CallContext {
  /** Bytes of the last request message. */
  readonly requestSize: number;
  /** Aborted when the client cancels, the deadline passes or the connection is lost. */
  onCancel(callback: () => void): void;
}

/** A message to send, or its bytes when they exist already. */
export type Reply<T> = Input<T>;

/** The server's side of a stream of responses. */
export interface ResponseStream<T> extends CallContext {
  /** Queues a message. False when the client reads too slowly and `onDrain` will follow. */
  write(message: Input<T>): boolean;
  /** The same for a message that is encoded already. */
  writeFrame(frame: Frame): boolean;
  /** Calls back once what was written has left, if it had piled up. */
  onDrain(callback: () => void): void;
  /** Ends the call; a second end is ignored. */
  end(error?: unknown): void;
}

export interface BidiStream<Request, Response> extends ResponseStream<Response> {
  onMessage(callback: (message: Request) => void): void;
  /** The client has sent all its messages. */
  onEnd(callback: () => void): void;
}

export interface UnaryMethod<Request, Response> {
  kind: 'unary';
  request: Codec<Request>;
  response: Codec<Response>;
  handle(request: Request, context: CallContext): Reply<Response> | Promise<Reply<Response>>;
}

export interface ServerStreamMethod<Request, Response> {
  kind: 'server-stream';
  request: Codec<Request>;
  response: Codec<Response>;
  handle(request: Request, stream: ResponseStream<Response>): void;
}

export interface BidiMethod<Request, Response> {
  kind: 'bidi';
  request: Codec<Request>;
  response: Codec<Response>;
  handle(stream: BidiStream<Request, Response>): void;
}

/** A method whatever its messages; each codec and handler agree because they were declared together. */
export type Method =
  | UnaryMethod<unknown, unknown>
  | ServerStreamMethod<unknown, unknown>
  | BidiMethod<unknown, unknown>;

/** A service by its full name, with its methods. */
export interface Service {
  name: string;
  methods: Record<string, Method>;
}

export function unary<Q, S>(
  request: Codec<Q>,
  response: Codec<S>,
  handle: UnaryMethod<Q, S>['handle'],
): Method {
  return { kind: 'unary', request, response, handle } satisfies UnaryMethod<Q, S> as unknown as Method;
}

export function serverStream<Q, S>(
  request: Codec<Q>,
  response: Codec<S>,
  handle: ServerStreamMethod<Q, S>['handle'],
): Method {
  return { kind: 'server-stream', request, response, handle } satisfies ServerStreamMethod<
    Q,
    S
  > as unknown as Method;
}

export function bidi<Q, S>(
  request: Codec<Q>,
  response: Codec<S>,
  handle: BidiMethod<Q, S>['handle'],
): Method {
  return { kind: 'bidi', request, response, handle } satisfies BidiMethod<Q, S> as unknown as Method;
}
