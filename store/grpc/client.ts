import { connect as connectNet, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Codec, Input } from '../../api/etcd/codec.ts';
import {
  ErrorCode,
  Flag,
  FrameType,
  frameHeaderSize,
  makeFrame,
  makeSettings,
  makeUint32,
  preface,
  Setting,
} from '../http2/frame.ts';
import { encodeHeaders, HpackDecoder } from '../http2/hpack.ts';
import { FrameReader, frameHeaderSize as messageHeaderSize, sealFrame } from './frames.ts';
import { Code, GrpcError } from './status.ts';

const window = 2 ** 30;
const defaultWindow = 65_535;

interface Pending {
  onMessage(message: Buffer): void;
  onEnd(error: GrpcError | undefined): void;
  reader: FrameReader;
  window: number;
  queue: Buffer[];
  ending: boolean;
}

export interface OpenStream<Q> {
  write(message: Input<Q>): void;
  end(): void;
  /** Gives the call up; nothing more is heard of it. */
  cancel(): void;
}

/**
 * A gRPC client for snapshots, tests and benchmarks, of an etcd as well as of our store: many calls on one connection, and
 * as little work per call as possible, so that what is measured is the server. Every call that is open when the
 * connection ends fails with UNAVAILABLE.
 */
export class GrpcClient {
  private readonly socket: Socket;
  private readonly decoder = new HpackDecoder(1024 * 1024);
  private readonly calls = new Map<number, Pending>();
  private readonly headerBlocks = new Map<string, Buffer>();
  private readonly authority: string;
  private nextId = 1;
  private input: Buffer = Buffer.alloc(0);
  private output: Buffer[] = [];
  private sendWindow = defaultWindow;
  private peerWindow = defaultWindow;
  private received = 0;
  private closed = false;

  private constructor(socket: Socket, authority: string) {
    this.socket = socket;
    this.authority = authority;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => this.lost());
    socket.on('close', () => this.lost());
    socket.write(preface);
    socket.write(makeSettings([[Setting.initialWindowSize, window]]));
    socket.write(makeUint32(FrameType.windowUpdate, 0, window));
  }

  /** @throws {Error} when the server does not accept the connection. */
  static connect(url: string, tls?: ConnectionOptions): Promise<GrpcClient> {
    const { hostname, port, protocol, host } = new URL(url);
    return new Promise((resolve, reject) => {
      const secure = protocol === 'https:';
      const socket = secure
        ? connectTls({ host: hostname, port: Number(port), ALPNProtocols: ['h2'], ...tls })
        : connectNet({ host: hostname, port: Number(port) });
      socket.once('error', reject);
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        socket.off('error', reject);
        resolve(new GrpcClient(socket, host));
      });
    });
  }

  /** @throws {GrpcError} */
  call<Q, S>(path: string, codecs: { request: Codec<Q>; response: Codec<S> }, request: Input<Q>): Promise<S> {
    return new Promise<S>((resolve, reject) => {
      let answer: Buffer | undefined;
      const id = this.open(path, {
        onMessage: (message) => {
          answer = message;
        },
        onEnd: (error) => {
          if (error) reject(error);
          else if (answer) resolve(codecs.response.decode(answer));
          else reject(new GrpcError(Code.internal, 'no response message'));
        },
      });
      if (id === undefined) return;
      this.send(id, sealFrame([codecs.request.encode(request, messageHeaderSize)])[0], true);
    });
  }

  /** Opens a streaming call. */
  stream<Q, S>(
    path: string,
    codecs: { request: Codec<Q>; response: Pick<Codec<S>, 'decode'> },
    listener: { onMessage(message: S): void; onEnd(error: GrpcError | undefined): void },
  ): OpenStream<Q> {
    const id = this.open(path, {
      onMessage: (message) => listener.onMessage(codecs.response.decode(message)),
      onEnd: (error) => listener.onEnd(error),
    });
    if (id === undefined) return { write: () => undefined, end: () => undefined, cancel: () => undefined };
    return {
      write: (message) =>
        this.send(id, sealFrame([codecs.request.encode(message, messageHeaderSize)])[0], false),
      end: () => this.send(id, Buffer.alloc(0), true),
      cancel: () => {
        if (!this.calls.delete(id)) return;
        this.emit(makeUint32(FrameType.rstStream, id, ErrorCode.cancel));
      },
    };
  }

  close(): void {
    this.flush();
    this.socket.end();
    this.lost();
  }

  /** Stops reading, as a client that hangs. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  private open(path: string, listener: Pick<Pending, 'onMessage' | 'onEnd'>): number | undefined {
    if (this.closed) {
      listener.onEnd(new GrpcError(Code.unavailable, 'connection is closed'));
      return undefined;
    }
    const id = this.nextId;
    this.nextId += 2;
    let block = this.headerBlocks.get(path);
    if (!block) {
      block = encodeHeaders([
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', path],
        [':authority', this.authority],
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
      ]);
      this.headerBlocks.set(path, block);
    }
    this.calls.set(id, {
      ...listener,
      reader: new FrameReader(2 ** 31, undefined),
      window: this.peerWindow,
      queue: [],
      ending: false,
    });
    this.emit(makeFrame(FrameType.headers, Flag.endHeaders, id, block));
    return id;
  }

  private send(id: number, data: Buffer, end: boolean): void {
    const call = this.calls.get(id);
    if (!call) return;
    call.queue.push(data);
    call.ending ||= end;
    this.sendQueued(id, call);
  }

  private sendQueued(id: number, call: Pending): void {
    while (call.queue.length > 0) {
      const data = call.queue[0]!;
      const size = Math.min(data.length, 16_384, this.sendWindow, call.window);
      if (size <= 0 && data.length > 0) return;
      if (size === data.length) call.queue.shift();
      else call.queue[0] = data.subarray(size);
      const last = call.ending && call.queue.length === 0;
      this.emit(makeFrame(FrameType.data, last ? Flag.endStream : 0, id, data.subarray(0, size)));
      this.sendWindow -= size;
      call.window -= size;
    }
  }

  private emit(frame: Buffer): void {
    if (this.output.length === 0) setImmediate(() => this.flush());
    this.output.push(frame);
  }

  private flush(): void {
    if (this.output.length > 0 && !this.closed) this.socket.write(Buffer.concat(this.output));
    this.output = [];
  }

  private lost(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    const open = [...this.calls.values()];
    this.calls.clear();
    for (const { onEnd } of open) onEnd(new GrpcError(Code.unavailable, 'connection is closed'));
  }

  private receive(chunk: Buffer): void {
    const input = this.input.length > 0 ? Buffer.concat([this.input, chunk]) : chunk;
    let position = 0;
    while (input.length - position >= frameHeaderSize) {
      const length = input.readUIntBE(position, 3);
      const end = position + frameHeaderSize + length;
      if (end > input.length) break;
      this.frame(
        input[position + 3]!,
        input[position + 4]!,
        input.readUInt32BE(position + 5) & 0x7fffffff,
        input.subarray(position + frameHeaderSize, end),
      );
      position = end;
    }
    this.input = input.subarray(position);
  }

  private frame(type: number, flags: number, id: number, payload: Buffer): void {
    const call = this.calls.get(id);
    if (type === FrameType.data) {
      this.received += payload.length;
      if (this.received > window / 4) {
        this.emit(makeUint32(FrameType.windowUpdate, 0, this.received));
        this.received = 0;
      }
      if (call && payload.length > 0) {
        call.reader.push(payload, (message) => call.onMessage(message));
        this.emitWindow(id, payload.length);
      }
    } else if (type === FrameType.headers) {
      const headers = this.decoder.decode(payload);
      if (!call || !(flags & Flag.endStream)) return;
      this.calls.delete(id);
      const code = Number(headers['grpc-status'] ?? Code.unknown) as Code;
      const message = decodeURIComponent(headers['grpc-message'] ?? '');
      call.onEnd(code === Code.ok ? undefined : new GrpcError(code, message));
    } else if (type === FrameType.rstStream) {
      if (!call) return;
      this.calls.delete(id);
      call.onEnd(new GrpcError(Code.internal, `stream reset with ${payload.readUInt32BE(0)}`));
    } else if (type === FrameType.settings) this.settings(flags, payload);
    else if (type === FrameType.ping && !(flags & Flag.ack))
      this.emit(makeFrame(FrameType.ping, Flag.ack, 0, payload));
    else if (type === FrameType.windowUpdate) {
      if (id === 0) {
        this.sendWindow += payload.readUInt32BE(0);
        for (const [open, waiting] of this.calls) this.sendQueued(open, waiting);
      } else if (call) {
        call.window += payload.readUInt32BE(0);
        this.sendQueued(id, call);
      }
    }
  }

  private emitWindow(id: number, size: number): void {
    // A window of a GiB outlasts every test but a long watch; small updates would cost more than they are worth.
    if (size > 65_536) this.emit(makeUint32(FrameType.windowUpdate, id, size));
  }

  private settings(flags: number, payload: Buffer): void {
    if (flags & Flag.ack) return;
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== Setting.initialWindowSize) continue;
      const value = payload.readUInt32BE(at + 2);
      for (const call of this.calls.values()) call.window += value - this.peerWindow;
      this.peerWindow = value;
    }
    this.emit(makeFrame(FrameType.settings, Flag.ack, 0, Buffer.alloc(0)));
    for (const [open, waiting] of this.calls) this.sendQueued(open, waiting);
  }
}
