import type { Readable, Writable } from 'node:stream';
import type { RemoteStatus } from './status.ts';

/** Which streams a client asked for. */
export interface RemoteOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

export interface TerminalSize {
  width: number;
  height: number;
}

/** The client's end of an exec or attach, whatever protocol carries it. */
export interface RemoteSession {
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
  /** Calls back for each size of the client's terminal, the ones that came before too. */
  onResize(callback: (size: TerminalSize) => void): void;
  /** Tells how it ended, after all output, and closes. */
  finish(status: RemoteStatus): void;
}

/** Keeps the last size until somebody listens. */
export class ResizeRelay {
  #last: TerminalSize | undefined;
  #callback: ((size: TerminalSize) => void) | undefined;

  listen(callback: (size: TerminalSize) => void): void {
    this.#callback = callback;
    if (this.#last) callback(this.#last);
  }

  /** Takes a JSON `{"Width":80,"Height":24}`; anything else is ignored. */
  receive(json: string): void {
    let value: { Width?: unknown; Height?: unknown } | null;
    try {
      value = JSON.parse(json);
    } catch {
      return;
    }
    const width = value?.Width;
    const height = value?.Height;
    if (!isSize(width) || !isSize(height)) return;
    this.#last = { width, height };
    this.#callback?.(this.#last);
  }
}

const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
