/** RFC 9113, sections 4, 6 and 7. */
export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const Flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const frameHeaderSize = 9;
export const defaultFrameSize = 16_384;
export const defaultWindow = 65_535;
export const largestWindow = 2 ** 31 - 1;

/** The peer broke the protocol: the connection ends with a GOAWAY. */
export class ConnectionError extends Error {
  override name = 'ConnectionError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Writes a frame header at the start of `target`. */
export function writeFrameHeader(
  target: Buffer,
  { length, type, flags, streamId }: { length: number; type: number; flags: number; streamId: number },
  at = 0,
): void {
  target.writeUIntBE(length, at, 3);
  target[at + 3] = type;
  target[at + 4] = flags;
  target.writeUInt32BE(streamId, at + 5);
}

export function makeFrame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderSize + payload.length);
  writeFrameHeader(frame, { length: payload.length, type, flags, streamId });
  frame.set(payload, frameHeaderSize);
  return frame;
}

/** The payload of a SETTINGS frame. */
export function settingsPayload(settings: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  settings.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return payload;
}

/** The payload of a WINDOW_UPDATE or RST_STREAM frame. */
export function uint32Payload(value: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(value);
  return payload;
}

export function makeSettings(settings: readonly (readonly [number, number])[]): Buffer {
  return makeFrame(FrameType.settings, 0, 0, settingsPayload(settings));
}

export function makeUint32(type: number, streamId: number, value: number): Buffer {
  return makeFrame(type, 0, streamId, uint32Payload(value));
}
