import type { IncomingMessage, RequestOptions } from 'node:http';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { http } from '../../client/node-http.ts';

/** An answer of the engine outside 2xx. */
export class DockerError extends Error {
  override name = 'DockerError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ContainerSummary {
  Id: string;
  Names: string[];
  State: string;
  Labels: Record<string, string>;
}

type Filters = Record<string, string[]>;

/**
 * The few calls that the command line makes to Docker Engine. Not dockerode: the commands are short, and
 * loading it costs more than all of their work.
 * https://docs.docker.com/reference/api/engine/version/v1.41/
 */
export class DockerApi {
  readonly #target: RequestOptions;

  /** @param host `unix:///path` or `tcp://host:port` */
  constructor(host: string) {
    const url = new URL(host);
    this.#target =
      url.protocol === 'unix:'
        ? { socketPath: url.pathname }
        : { host: url.hostname, port: Number(url.port || 2375) };
  }

  version = () => this.#json<{ Version: string; ApiVersion: string }>('GET', '/version');
  info = () =>
    this.#json<{ CgroupDriver: string; DockerRootDir: string; ContainersRunning: number }>('GET', '/info');

  containers = (filters: Filters, all = true) =>
    this.#json<ContainerSummary[]>('GET', `/containers/json?all=${all}&${query({ filters })}`);
  networks = (filters: Filters) =>
    this.#json<{ Id: string; Name: string }[]>('GET', `/networks?${query({ filters })}`);

  /** Already stopped counts as success. */
  stop = (id: string, seconds: number) =>
    this.#settle('POST', `/containers/${id}/stop?t=${seconds}`, [304, 404]);
  /** Already gone counts as success. */
  remove = (id: string) => this.#settle('DELETE', `/containers/${id}?force=true&v=true`, [404, 409]);
  removeNetwork = (id: string) => this.#settle('DELETE', `/networks/${id}`, [404]);
  /** Gone, or used by others, counts as success. */
  removeImage = (name: string) => this.#settle('DELETE', `/images/${encodeURIComponent(name)}`, [404, 409]);

  inspectImage = (name: string) =>
    this.#json<{ Id: string }>('GET', `/images/${encodeURIComponent(name)}/json`);

  /** Loads a tar as `docker save` writes it. Returns what the engine said, one message a line. */
  async load(tar: Readable): Promise<string[]> {
    const response = await this.#request('POST', '/images/load?quiet=true', tar);
    const lines = (await text(response)).split('\n').filter(Boolean);
    return lines.map((line) => {
      const message = JSON.parse(line) as { stream?: string; error?: string };
      if (message.error) throw new DockerError(500, message.error);
      return (message.stream ?? '').trim();
    });
  }

  async #json<T>(method: string, path: string): Promise<T> {
    return JSON.parse(await text(await this.#request(method, path))) as T;
  }

  async #settle(method: string, path: string, harmless: readonly number[]): Promise<void> {
    try {
      (await this.#request(method, path)).resume();
    } catch (error) {
      if (!(error instanceof DockerError && harmless.includes(error.code))) throw error;
    }
  }

  #request(method: string, path: string, body?: Readable): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call = http.request(
        {
          ...this.#target,
          method,
          path: `/v1.41${path}`,
          headers: body ? { 'content-type': 'application/x-tar' } : {},
        },
        (response) => {
          const code = response.statusCode ?? 500;
          if (code < 300) return resolve(response);
          text(response).then((answer) => {
            let message = answer.trim();
            try {
              message = (JSON.parse(answer) as { message: string }).message;
            } catch {
              // not JSON: the text itself is the message
            }
            reject(new DockerError(code, message || `Docker Engine answered ${code}`));
          }, reject);
        },
      );
      call.once('error', reject);
      if (body) {
        body.once('error', (error) => call.destroy(error));
        body.pipe(call);
      } else call.end();
    });
  }
}

const query = ({ filters }: { filters: Filters }) => `filters=${encodeURIComponent(JSON.stringify(filters))}`;
