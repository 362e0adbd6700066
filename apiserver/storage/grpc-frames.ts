/** Cuts a gRPC byte stream into messages. A message is 1 byte compression flag, 4 bytes length, the body. */
export class FrameReader {
  #pending: Buffer[] = [];
  #length = 0;

  /** Adds bytes and returns the messages that became complete; each may be a view on received bytes. */
  push(chunk: Buffer): Buffer[] {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    const messages: Buffer[] = [];
    for (;;) {
      if (this.#length < 5) return messages;
      const size = this.#size();
      if (this.#length < 5 + size) return messages;
      const bytes =
        this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending, this.#length);
      messages.push(bytes.subarray(5, 5 + size));
      const rest = bytes.subarray(5 + size);
      this.#pending = rest.length ? [rest] : [];
      this.#length = rest.length;
    }
  }

  #size(): number {
    if (this.#pending[0]!.length < 5) this.#pending = [Buffer.concat(this.#pending, this.#length)];
    return this.#pending[0]!.readUInt32BE(1);
  }
}

/** Free bytes to leave before an encoded message for {@link writeHeader}. */
export const headerLength = 5;

/** Fills in the frame header of a message encoded with {@link headerLength} free bytes before it. */
export function writeHeader(frame: Buffer): Buffer {
  frame[0] = 0;
  frame.writeUInt32BE(frame.length - headerLength, 1);
  return frame;
}
