import type { Socket } from 'node:net';

/** What a client may have sent for its connection to be still repeatable, in bytes. */
const longestOpening = 16_384;
/** Endpoints that may fail a connection after it was made, before the client is told. */
const mostRepeats = 2;

/** Requests of HTTP that have no effect, and may therefore be made again (RFC 9110, section 9.2.1). */
const safeRequest = /^(?:GET|HEAD|OPTIONS) /;
const longestMethod = 'OPTIONS '.length;

/**
 * The beginning of a connection, until the endpoint answers its first byte.
 *
 * An endpoint that breaks off within it, such as a pod on its way out with connections it has not accepted, has
 * done nothing that counts if the client has sent nothing, or only a request without effect or the greeting of TLS. The connection can
 * then begin again with another endpoint. Everything else is broken off as it was: it may have been done.
 */
export class Opening {
  #sent: Buffer[] = [];
  #size = 0;
  #clientEnded = false;
  #repeats = 0;
  #answered = false;

  /** Whether the connection may begin again with another endpoint. */
  get canRepeat(): boolean {
    return !this.#answered && this.#repeats <= mostRepeats && this.#isHarmless();
  }

  /**
   * Copies both ways. `broken` is called once if the endpoint resets, or ends without having answered what could
   * be repeated; after its first byte only if it resets.
   */
  run(client: Socket, backend: Socket, broken: (reset: boolean) => void): void {
    this.#repeats++;
    let over = false;
    const breakOff = (reset: boolean) => {
      if (over) return;
      over = true;
      detach();
      broken(reset);
    };
    const forward = (chunk: Buffer) => {
      this.#size += chunk.length;
      if (this.#size <= longestOpening) this.#sent.push(chunk);
      else this.#sent = [];
      if (!backend.write(chunk)) client.pause();
    };
    const resume = () => client.resume();
    const clientEnd = () => {
      this.#clientEnded = true;
      backend.end();
    };
    const backendEnd = () => {
      if (this.canRepeat && this.#size) breakOff(false);
      else commit();
    };
    const first = (chunk: Buffer) => {
      this.#answered = true;
      commit(chunk);
    };
    const detach = () => {
      client.off('data', forward).off('end', clientEnd);
      backend.off('drain', resume).off('end', backendEnd).off('data', first);
      client.pause();
    };
    const commit = (chunk?: Buffer) => {
      detach();
      this.#answered = true;
      this.#sent = [];
      if (chunk) client.write(chunk);
      if (backend.readableEnded) client.end();
      else backend.pipe(client);
      if (!this.#clientEnded) client.pipe(backend);
    };
    backend.once('error', () => breakOff(true));
    for (const chunk of this.#sent) backend.write(chunk);
    if (this.#clientEnded) backend.end();
    else client.on('data', forward).on('end', clientEnd);
    backend.on('drain', resume).on('end', backendEnd).on('data', first);
    client.resume();
  }

  #isHarmless(): boolean {
    if (!this.#size) return true;
    if (this.#size > longestOpening) return false;
    const sent = this.#sent.length > 1 ? Buffer.concat(this.#sent) : this.#sent[0]!;
    return safeRequest.test(sent.toString('latin1', 0, longestMethod)) || isGreeting(sent);
  }
}

/** Exactly one handshake record of TLS: nothing is asked yet, and no early data follows (RFC 8446, section 5.1). */
const isGreeting = (sent: Buffer): boolean =>
  sent.length >= 5 && sent[0] === 22 && sent[1] === 3 && sent.length <= 5 + sent.readUInt16BE(3);
