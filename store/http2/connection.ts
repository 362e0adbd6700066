import type { Duplex } from 'node:stream';
import {
  ConnectionError,
  defaultFrameSize,
  defaultWindow,
  ErrorCode,
  Flag,
  FrameType,
  frameHeaderSize,
  largestWindow,
  preface,
  Setting,
  settingsPayload,
  uint32Payload,
} from './frame.ts';
import { CompressionError, HpackDecoder } from './hpack.ts';
import { giveBack, Output } from './output.ts';
import { Http2Stream, type StreamHost } from './stream.ts';

export interface ConnectionOptions {
  /** A request's headers are there; sets the stream's listener. */
  onStream(stream: Http2Stream): void;
  onClose(): void;
}

const streamWindow = 4 * 1024 * 1024;
const connectionWindow = 64 * 1024 * 1024;
const maxFrameSize = 64 * 1024;
const maxHeaderBytes = 64 * 1024;
const maxStreams = 100_000;
/** Bytes that may wait in the socket before streams are told to stop. */
const congestion = 1024 * 1024;
/** Above it nothing more is read from a peer that does not read. */
const stalled = 16 * 1024 * 1024;
const emptyBuffer = Buffer.alloc(0);

/**
 * The server's side of one HTTP/2 connection: RFC 9113, without push, priorities and upgrade from HTTP/1.1.
 *
 * node:http2 is not used because it refuses the `:authority` that etcdctl sends for an endpoint written as a URL,
 * and because a call there costs three times as much: here the frames of all responses made in one turn of the
 * event loop leave in one write.
 *
 * Invariants: frames leave in the order they are made; the windows are never overdrawn; a header block is
 * decoded even if its stream is refused, since later blocks depend on it.
 */
export class Http2Connection implements StreamHost {
  private readonly socket: Duplex;
  private readonly options: ConnectionOptions;
  private readonly streams = new Map<number, Http2Stream>();
  private readonly decoder = new HpackDecoder(maxHeaderBytes);
  private input: Buffer = emptyBuffer;
  private inputChunks: Buffer[] = [];
  private inputMissing = 0;
  private prefaceSeen = false;
  private settingsSeen = false;
  private lastStreamId = 0;
  /** A header block that goes on in CONTINUATION frames. */
  private partial: { streamId: number; endStream: boolean; blocks: Buffer[]; size: number } | undefined;
  private sendWindow = defaultWindow;
  private peerStreamWindow = defaultWindow;
  private peerFrameSize = defaultFrameSize;
  private received = 0;
  private readonly output = new Output();
  private flushScheduled = false;
  /** Streams with data that flow control holds back, in the order they were stopped. */
  private readonly blocked = new Set<Http2Stream>();
  /** Streams that were told to stop writing. */
  private readonly waiting = new Set<Http2Stream>();
  private goingAway = false;
  private ended = false;

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.socket = socket;
    this.options = options;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('drain', () => this.drained());
    socket.on('error', () => socket.destroy());
    socket.on('end', () => this.lost());
    socket.on('close', () => this.lost());
    const settings = settingsPayload([
      [Setting.maxConcurrentStreams, maxStreams],
      [Setting.initialWindowSize, streamWindow],
      [Setting.maxFrameSize, maxFrameSize],
      [Setting.maxHeaderListSize, maxHeaderBytes],
    ]);
    this.emit(FrameType.settings, 0, 0, settings);
    this.emit(FrameType.windowUpdate, 0, 0, uint32Payload(connectionWindow - defaultWindow));
  }

  /** Takes no new streams, and closes the connection when the open ones are done. */
  shutDown(): void {
    if (this.goingAway || this.ended) return;
    this.goingAway = true;
    this.sendGoaway(ErrorCode.noError);
    this.closeIfDone();
  }

  destroy(): void {
    this.flush();
    this.socket.destroy();
    this.lost();
  }

  get streamCount(): number {
    return this.streams.size;
  }

  // ---- sending ------------------------------------------------------------------------------------------

  get congested(): boolean {
    return this.socket.writableLength + this.output.length > congestion;
  }

  private emit(type: FrameType, flags: number, streamId: number, payload: Buffer): void {
    if (this.ended) return;
    this.output.frame(type, flags, streamId, payload);
    this.scheduleFlush();
  }

  private scheduleFlush(): void {
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.flushScheduled = false;
    if (this.output.length === 0 || this.ended) return;
    const { pieces, chunks } = this.output.take();
    const written = (error?: Error | null) => {
      if (!error) giveBack(chunks);
    };
    this.socket.cork();
    for (const [i, piece] of pieces.entries())
      this.socket.write(piece, i === pieces.length - 1 ? written : undefined);
    this.socket.uncork();
    if (this.socket.writableLength > stalled) this.socket.pause();
    else if (!this.congested) this.wake();
  }

  private drained(): void {
    this.socket.resume();
    this.wake();
  }

  private wake(): void {
    if (this.waiting.size === 0) return;
    for (const stream of [...this.waiting]) stream.afterSend();
  }

  waitForDrain(stream: Http2Stream): void {
    this.waiting.add(stream);
  }

  sendHeaders(stream: Http2Stream, block: Buffer, endStream: boolean): void {
    const flags = Flag.endHeaders | (endStream ? Flag.endStream : 0);
    this.emit(FrameType.headers, flags, stream.id, block);
  }

  sendNow(stream: Http2Stream, parts: readonly Buffer[], size: number): boolean {
    if (size > Math.min(this.peerFrameSize, this.sendWindow, stream.sendWindow)) return false;
    this.sendData(stream, parts, size);
    return true;
  }

  private sendData(stream: Http2Stream, parts: readonly Buffer[], size: number): void {
    stream.sendWindow -= size;
    this.sendWindow -= size;
    if (this.ended) return;
    this.output.data(stream.id, parts, { size, limit: this.peerFrameSize });
    this.scheduleFlush();
  }

  sendQueued(stream: Http2Stream): void {
    const { queue } = stream;
    while (queue.length > 0) {
      const data = queue[0]!;
      const size = Math.min(data.length, this.peerFrameSize, this.sendWindow, stream.sendWindow);
      if (size <= 0 && data.length > 0) {
        this.blocked.add(stream);
        return;
      }
      this.sendData(stream, [size === data.length ? data : data.subarray(0, size)], size);
      if (size === data.length) queue.shift();
      else queue[0] = data.subarray(size);
      stream.queuedBytes -= size;
    }
    this.blocked.delete(stream);
  }

  private resume(): void {
    for (const stream of [...this.blocked]) {
      if (this.sendWindow <= 0) return;
      this.sendQueued(stream);
      stream.afterSend();
    }
  }

  sendReset(stream: Http2Stream, code: ErrorCode): void {
    this.emit(FrameType.rstStream, 0, stream.id, uint32Payload(code));
  }

  forget(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    this.blocked.delete(stream);
    this.waiting.delete(stream);
    this.closeIfDone();
  }

  private closeIfDone(): void {
    if (!this.goingAway || this.streams.size > 0) return;
    this.flush();
    this.socket.end();
  }

  private sendGoaway(code: ErrorCode): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(this.lastStreamId, 0);
    payload.writeUInt32BE(code, 4);
    this.emit(FrameType.goaway, 0, 0, payload);
  }

  private lost(): void {
    if (this.ended) return;
    this.ended = true;
    for (const stream of [...this.streams.values()]) stream.close(false);
    this.socket.destroy();
    this.options.onClose();
  }

  // ---- receiving ----------------------------------------------------------------------------------------

  private receive(chunk: Buffer): void {
    try {
      let rest = chunk;
      // Only the frame that a chunk ends in is copied, never the chunk behind it.
      while (this.inputChunks.length > 0 && rest.length > 0 && !this.ended) {
        const part = rest.subarray(0, this.inputMissing);
        rest = rest.subarray(part.length);
        this.inputChunks.push(part);
        this.inputMissing -= part.length;
        if (this.inputMissing > 0) return;
        this.input = Buffer.concat(this.inputChunks);
        this.inputChunks = [];
        this.parse();
      }
      if (rest.length === 0 || this.ended) return;
      this.input = rest;
      this.parse();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    const code =
      error instanceof ConnectionError
        ? error.code
        : error instanceof CompressionError
          ? ErrorCode.compressionError
          : ErrorCode.internalError;
    this.sendGoaway(code);
    this.destroy();
    if (code === ErrorCode.internalError) throw error;
  }

  private keep(position: number, missing: number): void {
    if (position < this.input.length) this.inputChunks.push(this.input.subarray(position));
    this.inputMissing = missing;
    this.input = emptyBuffer;
  }

  private parse(): void {
    let position = 0;
    if (!this.prefaceSeen) {
      const start = this.input.subarray(0, preface.length);
      if (!start.equals(preface.subarray(0, start.length)))
        throw new ConnectionError(ErrorCode.protocolError, 'no HTTP/2 preface');
      if (start.length < preface.length) {
        this.keep(0, preface.length - start.length);
        return;
      }
      this.prefaceSeen = true;
      position = preface.length;
    }
    const { input } = this;
    while (!this.ended) {
      const available = input.length - position;
      if (available < frameHeaderSize) {
        this.keep(position, frameHeaderSize - available);
        return;
      }
      const length = input.readUIntBE(position, 3);
      if (length > maxFrameSize) throw new ConnectionError(ErrorCode.frameSizeError, 'frame is too large');
      const end = position + frameHeaderSize + length;
      if (end > input.length) {
        this.keep(position, end - input.length);
        return;
      }
      this.frame(
        input[position + 3]!,
        input[position + 4]!,
        input.readUInt32BE(position + 5) & 0x7fffffff,
        input.subarray(position + frameHeaderSize, end),
      );
      position = end;
    }
  }

  private frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (!this.settingsSeen && type !== FrameType.settings)
      throw new ConnectionError(ErrorCode.protocolError, 'first frame is not SETTINGS');
    if (this.partial && (type !== FrameType.continuation || streamId !== this.partial.streamId))
      throw new ConnectionError(ErrorCode.protocolError, 'header block is interrupted');
    switch (type) {
      case FrameType.data:
        this.onData(flags, streamId, payload);
        return;
      case FrameType.headers:
        this.onHeaders(flags, streamId, payload);
        return;
      case FrameType.priority:
        expectSize(payload, 5);
        return;
      case FrameType.rstStream:
        expectSize(payload, 4);
        if (streamId === 0 || streamId > this.lastStreamId) throw idle();
        this.streams.get(streamId)?.close(false);
        return;
      case FrameType.settings:
        this.onSettings(flags, streamId, payload);
        return;
      case FrameType.pushPromise:
        throw new ConnectionError(ErrorCode.protocolError, 'clients cannot push');
      case FrameType.ping:
        expectSize(payload, 8);
        if (!(flags & Flag.ack)) this.emit(FrameType.ping, Flag.ack, 0, payload);
        return;
      case FrameType.goaway:
        this.goingAway = true;
        this.closeIfDone();
        return;
      case FrameType.windowUpdate:
        this.onWindowUpdate(streamId, payload);
        return;
      case FrameType.continuation:
        this.onContinuation(flags, payload);
        return;
      default:
    }
  }

  private onSettings(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw new ConnectionError(ErrorCode.protocolError, 'SETTINGS on a stream');
    this.settingsSeen = true;
    if (flags & Flag.ack) return;
    if (payload.length % 6 !== 0) throw new ConnectionError(ErrorCode.frameSizeError, 'bad SETTINGS');
    for (let at = 0; at < payload.length; at += 6)
      this.applySetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    this.emit(FrameType.settings, Flag.ack, 0, emptyBuffer);
    this.resume();
  }

  private applySetting(id: number, value: number): void {
    if (id === Setting.initialWindowSize) {
      if (value > largestWindow) throw new ConnectionError(ErrorCode.flowControlError, 'window is too large');
      const change = value - this.peerStreamWindow;
      this.peerStreamWindow = value;
      for (const stream of this.streams.values()) stream.sendWindow += change;
    } else if (id === Setting.maxFrameSize) {
      if (value < defaultFrameSize || value > 2 ** 24 - 1)
        throw new ConnectionError(ErrorCode.protocolError, 'bad frame size');
      // Larger pieces would only keep other streams waiting.
      this.peerFrameSize = Math.min(value, maxFrameSize);
    }
  }

  private onWindowUpdate(streamId: number, payload: Buffer): void {
    expectSize(payload, 4);
    const increment = payload.readUInt32BE(0) & 0x7fffffff;
    if (streamId === 0) {
      if (increment === 0) throw new ConnectionError(ErrorCode.protocolError, 'empty WINDOW_UPDATE');
      this.sendWindow += increment;
      if (this.sendWindow > largestWindow)
        throw new ConnectionError(ErrorCode.flowControlError, 'window overflows');
      this.resume();
      return;
    }
    if (streamId > this.lastStreamId) throw idle();
    const stream = this.streams.get(streamId);
    if (!stream) return;
    stream.sendWindow += increment;
    if (increment === 0 || stream.sendWindow > largestWindow) {
      stream.reset(increment === 0 ? ErrorCode.protocolError : ErrorCode.flowControlError);
      return;
    }
    if (this.blocked.has(stream)) {
      this.sendQueued(stream);
      stream.afterSend();
    }
  }

  private onHeaders(flags: number, streamId: number, payload: Buffer): void {
    if (streamId === 0 || streamId % 2 === 0)
      throw new ConnectionError(ErrorCode.protocolError, 'bad stream id');
    let block = unpad(flags, payload);
    if (flags & Flag.priority) {
      if (block.length < 5) throw new ConnectionError(ErrorCode.frameSizeError, 'HEADERS is too short');
      block = block.subarray(5);
    }
    const endStream = (flags & Flag.endStream) !== 0;
    if (flags & Flag.endHeaders) this.open(streamId, block, endStream);
    else this.partial = { streamId, endStream, blocks: [block], size: block.length };
  }

  private onContinuation(flags: number, payload: Buffer): void {
    const { partial } = this;
    if (!partial) throw new ConnectionError(ErrorCode.protocolError, 'CONTINUATION without HEADERS');
    partial.blocks.push(payload);
    partial.size += payload.length;
    if (partial.size > maxHeaderBytes || partial.blocks.length > 64)
      throw new ConnectionError(ErrorCode.enhanceYourCalm, 'header block is too large');
    if (!(flags & Flag.endHeaders)) return;
    this.partial = undefined;
    this.open(partial.streamId, Buffer.concat(partial.blocks), partial.endStream);
  }

  private open(streamId: number, block: Buffer, endStream: boolean): void {
    const headers = this.decoder.decode(block);
    const existing = this.streams.get(streamId);
    if (existing) {
      // Trailers of a request say nothing that gRPC needs.
      if (!endStream) existing.reset(ErrorCode.protocolError);
      else this.endOf(existing);
      return;
    }
    if (streamId <= this.lastStreamId) {
      // The trailers of a stream that we have closed already.
      if (endStream) return;
      throw new ConnectionError(ErrorCode.streamClosed, 'stream is closed');
    }
    this.lastStreamId = streamId;
    if (this.goingAway || this.streams.size >= maxStreams) {
      this.emit(FrameType.rstStream, 0, streamId, uint32Payload(ErrorCode.refusedStream));
      return;
    }
    const stream = new Http2Stream(this, { id: streamId, headers, window: this.peerStreamWindow });
    this.streams.set(streamId, stream);
    this.options.onStream(stream);
    if (endStream) this.endOf(stream);
  }

  private endOf(stream: Http2Stream): void {
    if (stream.remoteClosed || stream.closed) return;
    stream.remoteClosed = true;
    stream.listener?.onEnd();
  }

  private onData(flags: number, streamId: number, payload: Buffer): void {
    this.received += payload.length;
    if (this.received >= connectionWindow / 2) {
      this.emit(FrameType.windowUpdate, 0, 0, uint32Payload(this.received));
      this.received = 0;
    }
    if (streamId === 0 || streamId > this.lastStreamId) throw idle();
    const data = unpad(flags, payload);
    const stream = this.streams.get(streamId);
    if (!stream) return;
    if (stream.remoteClosed) {
      stream.reset(ErrorCode.streamClosed);
      return;
    }
    stream.received += payload.length;
    if (stream.received > streamWindow) {
      stream.reset(ErrorCode.flowControlError);
      return;
    }
    if (data.length > 0) stream.listener?.onData(data);
    if (flags & Flag.endStream) this.endOf(stream);
    else if (stream.received >= streamWindow / 2 && !stream.closed) {
      this.emit(FrameType.windowUpdate, 0, streamId, uint32Payload(stream.received));
      stream.received = 0;
    }
  }
}

function idle(): ConnectionError {
  return new ConnectionError(ErrorCode.protocolError, 'stream is idle');
}

function expectSize(payload: Buffer, size: number): void {
  if (payload.length !== size) throw new ConnectionError(ErrorCode.frameSizeError, 'bad frame size');
}

function unpad(flags: number, payload: Buffer): Buffer {
  if (!(flags & Flag.padded)) return payload;
  const padding = payload[0] ?? 0;
  if (payload.length < padding + 1) throw new ConnectionError(ErrorCode.protocolError, 'too much padding');
  return payload.subarray(1, payload.length - padding);
}
