import type { WatchRequest } from '../../api/etcd/messages.ts';
import { CompareTarget, EventType, type WatchResponse } from '../../api/etcd/messages.ts';
import type { OpenStream } from '../../store/grpc/client.ts';
import type { GrpcError } from '../../store/grpc/status.ts';
import { EtcdClient } from '../../store/testing/etcd.ts';
import {
  freePort,
  type Kind,
  removeDirectory,
  StoreProcess,
  temporaryDirectory,
} from '../../store/testing/process.ts';
import { random } from './random.ts';
import { findViolation, type Operation, printHistory, type Recorded } from './store-linearizability.ts';
import { brokenPromises, type SeenResponse, type Write } from './store-watch-rules.ts';

export interface RunOptions {
  kind: Kind;
  seconds: number;
  clients: number;
  seed: number;
  /** The run goes on, for a minute at most, until so many are made. */
  minOperations: number;
}

export interface RunResult {
  operations: number;
  unknown: number;
  events: number;
  kills: number;
  pauses: number;
  compactions: number;
  /** What was found wrong, short enough to read. */
  problems: string[];
}

const keys = ['k/a', 'k/b', 'k/c', 'k/d', 'k/e', 'k/f'];
/** Written together, always with the same value. */
const pair = ['k/x', 'k/y'];
/** Each passes so many times before it strikes; compactions are few. */
const faults = [
  'before-commit:55',
  'during-commit:90',
  undefined,
  'after-commit:130',
  'before-compaction:2',
  'after-publish:70',
  'during-compaction:2',
];

const text = (bytes: Uint8Array | undefined) => (bytes ? Buffer.from(bytes).toString() : undefined);

/** One run: clients and watchers against a store that is killed, paused and compacted, then the checks. */
export class ChaosRun {
  private readonly options: RunOptions;
  private readonly histories = new Map<string, Recorded[]>();
  private readonly acknowledged: Write[] = [];
  private readonly problems: string[] = [];
  private readonly result: RunResult;
  private readonly random: () => number;
  private readonly dataDir = temporaryDirectory();
  private process!: StoreProcess;
  private port = 0;
  private running = true;
  private values = 0;
  private highest = 0;
  private compactedTo = 0;

  constructor(options: RunOptions) {
    this.options = options;
    this.random = random(options.seed);
    this.result = {
      operations: 0,
      unknown: 0,
      events: 0,
      kills: 0,
      pauses: 0,
      compactions: 0,
      problems: this.problems,
    };
  }

  async run(): Promise<RunResult> {
    this.port = await freePort();
    try {
      await this.start(undefined);
      const clients = Array.from({ length: this.options.clients }, (_, id) => this.client(id));
      const watchers = [this.watch(), this.watch()];
      await this.disturb();
      this.running = false;
      await Promise.all(clients);
      await this.settle(watchers);
      this.check(watchers);
      return this.result;
    } finally {
      this.running = false;
      await this.process?.stop('SIGKILL');
      removeDirectory(this.dataDir);
    }
  }

  private async start(fault: string | undefined): Promise<void> {
    const { kind } = this.options;
    const env: Record<string, string> = fault && kind === 'store' ? { STORE_FAULT: fault } : {};
    this.process = StoreProcess.spawn({ kind, dataDir: this.dataDir, port: this.port, env });
    // A fault may strike before the first answer; then the store is started once more, without one.
    await this.process.answers().catch(() => this.start(undefined));
  }

  /** Kills, pauses and compacts until the time is over. */
  private async disturb(): Promise<void> {
    const end = Date.now() + this.options.seconds * 1000;
    const { minOperations } = this.options;
    for (
      let round = 0;
      Date.now() < end || (this.result.operations < minOperations && Date.now() < end + 60_000);
      round++
    ) {
      await this.operationsMade(50 + this.random() * 300);
      if (round % 3 === 2) {
        this.process.signal('SIGSTOP');
        await delay(100);
        this.process.signal('SIGCONT');
        this.result.pauses++;
      }
      await this.compact();
      // A fault point strikes by itself; otherwise, or if it has not, the kill comes now.
      await this.process.stop('SIGKILL');
      this.result.kills++;
      await this.start(faults[round % faults.length]);
    }
    await this.process.stop('SIGKILL');
    await this.start(undefined);
  }

  /** Waits for so many more operations, so that a slow machine is killed as often per operation as a fast one. */
  private async operationsMade(count: number): Promise<void> {
    const target = this.result.operations + count;
    const deadline = Date.now() + 5000;
    while (this.result.operations < target && Date.now() < deadline && this.process.alive) await delay(5);
  }

  private async compact(): Promise<void> {
    const target = this.highest - 20;
    if (target <= this.compactedTo) return;
    try {
      const connection = await this.process.connect();
      await new EtcdClient(connection).compact({ revision: target }).finally(() => connection.close());
      this.result.compactions++;
    } catch {
      // It may have been decided all the same.
    }
    this.compactedTo = target;
  }

  private async client(id: number): Promise<void> {
    const random = chaosRandom(this.options.seed, id);
    while (this.running) {
      try {
        const connection = await this.process.connect();
        const etcd = new EtcdClient(connection);
        try {
          while (this.running) await this.operate(etcd, id, random);
        } finally {
          connection.close();
        }
      } catch {
        await delay(10);
      }
    }
  }

  private async operate(etcd: EtcdClient, id: number, random: () => number): Promise<void> {
    const dice = random();
    if (dice < 0.1) return this.writePair(etcd);
    if (dice < 0.2) return this.readPair(etcd);
    const key = keys[Math.floor(random() * keys.length)]!;
    const name = Buffer.from(key);
    const value = `${id}-${++this.values}`;
    if (dice < 0.45)
      await this.record(key, id, { kind: 'put', value }, async () => {
        const { header } = await etcd.put({ key: name, value: Buffer.from(value) });
        this.acknowledge(header!.revision, key, value);
        return { kind: 'put', value };
      });
    else if (dice < 0.75)
      await this.record(key, id, { kind: 'get', value: undefined }, async () => {
        const before = this.highest;
        const { kvs, header } = await etcd.range({ key: name });
        if (header!.revision < before)
          this.problems.push(`D3: a read answered at ${header!.revision} after ${before} was acknowledged`);
        return { kind: 'get', value: text(kvs[0]?.value) ?? null };
      });
    else if (dice < 0.85)
      await this.record(key, id, { kind: 'delete', deleted: undefined }, async () => {
        const { header, deleted } = await etcd.deleteRange({ key: name });
        if (deleted > 0) this.acknowledge(header!.revision, key, null);
        return { kind: 'delete', deleted: deleted > 0 };
      });
    else await this.swap(etcd, { key, id, value });
  }

  private async swap(etcd: EtcdClient, options: { key: string; id: number; value: string }): Promise<void> {
    const { key, id, value } = options;
    const name = Buffer.from(key);
    const { kvs } = await etcd.range({ key: name });
    const from = text(kvs[0]?.value) ?? null;
    const compare =
      from === null
        ? { key: name, target: CompareTarget.version, version: 0 }
        : { key: name, target: CompareTarget.value, value: Buffer.from(from) };
    await this.record(key, id, { kind: 'swap', from, value, succeeded: undefined }, async () => {
      const { succeeded, header } = await etcd.txn({
        compare: [compare],
        success: [{ request_put: { key: name, value: Buffer.from(value) } }],
      });
      if (succeeded) this.acknowledge(header!.revision, key, value);
      return { kind: 'swap', from, value, succeeded };
    });
  }

  private async writePair(etcd: EtcdClient): Promise<void> {
    const value = `pair-${++this.values}`;
    const success = pair.map((key) => ({
      request_put: { key: Buffer.from(key), value: Buffer.from(value) },
    }));
    const { header } = await etcd.txn({ success });
    for (const key of pair) this.acknowledge(header!.revision, key, value);
    this.result.operations++;
  }

  private async readPair(etcd: EtcdClient): Promise<void> {
    const { responses } = await etcd.txn({
      success: pair.map((key) => ({ request_range: { key: Buffer.from(key) } })),
    });
    const [x, y] = responses.map(({ response_range }) => text(response_range!.kvs[0]?.value));
    if (x !== y) this.problems.push(`D4: a transaction's two keys were read as ${x} and ${y}`);
    this.result.operations++;
  }

  private acknowledge(revision: number, key: string, value: string | null): void {
    this.acknowledged.push({ revision, key, value });
    this.highest = Math.max(this.highest, revision);
  }

  private async record(
    key: string,
    client: number,
    unknown: Operation,
    run: () => Promise<Operation>,
  ): Promise<void> {
    const history = this.histories.get(key) ?? [];
    this.histories.set(key, history);
    const entry: Recorded = {
      operation: unknown,
      client,
      call: performance.now(),
      return: Number.POSITIVE_INFINITY,
    };
    history.push(entry);
    this.result.operations++;
    try {
      const operation = await run();
      entry.return = performance.now();
      entry.operation = operation;
    } catch (error) {
      this.result.unknown++;
      // A read without an answer says nothing.
      if (unknown.kind === 'get') history.splice(history.indexOf(entry), 1);
      throw error;
    }
  }

  // ---- watching -----------------------------------------------------------------------------------------

  private watch(): Watching {
    const watching: Watching = { responses: [], next: 1, skippedTo: 0, progressAt: 0, stop: () => undefined };
    void this.keepWatching(watching);
    return watching;
  }

  private async keepWatching(watching: Watching): Promise<void> {
    let stopped = false;
    watching.stop = () => {
      stopped = true;
    };
    while (!stopped) {
      try {
        const connection = await this.process.connect();
        await new Promise<void>((resolve) => {
          const stream = new EtcdClient(connection).watch({
            onMessage: (response) => this.received(watching, response, stream, resolve),
            onEnd: (_error: GrpcError | undefined) => resolve(),
          });
          watching.stop = () => {
            stopped = true;
            connection.close();
          };
          watching.progress = () => stream.write({ progress_request: {} });
          stream.write({
            create_request: {
              key: Buffer.from('k/'),
              range_end: Buffer.from('k0'),
              start_revision: watching.next,
              prev_kv: true,
            },
          });
        });
        connection.close();
      } catch {
        await delay(10);
      }
    }
  }

  private received(
    watching: Watching,
    response: WatchResponse,
    stream: OpenStream<WatchRequest>,
    finished: () => void,
  ): void {
    if (response.canceled) {
      if (response.compact_revision > 0) {
        watching.next = response.compact_revision;
        watching.skippedTo = response.compact_revision;
      }
      finished();
      return;
    }
    if (response.created) {
      stream.write({ progress_request: {} });
      return;
    }
    const headerRevision = response.header!.revision;
    const isProgress = response.events.length === 0;
    if (isProgress) watching.progressAt = Math.max(watching.progressAt, headerRevision);
    watching.responses.push({
      headerRevision,
      start: watching.next,
      // etcd 3.4 sends progress before it has sent everything; only our store promises more.
      progress: isProgress && this.options.kind === 'store',
      events: response.events.map(({ type, kv, prev_kv }) => ({
        revision: kv!.mod_revision,
        key: text(kv!.key)!,
        value: type === EventType.delete ? null : text(kv!.value)!,
        createRevision: kv!.create_revision,
        version: kv!.version,
        previous: text(prev_kv?.value),
      })),
    });
    const last = response.events.at(-1)?.kv?.mod_revision;
    if (last !== undefined) watching.next = last + 1;
  }

  /** Waits until every watcher has everything. */
  private async settle(watchers: readonly Watching[]): Promise<void> {
    const connection = await this.process.connect();
    // A last write, whose event ends the wait.
    const { header } = await new EtcdClient(connection).put({
      key: Buffer.from('k/z'),
      value: Buffer.from('end'),
    });
    this.acknowledge(header!.revision, 'k/z', 'end');
    const deadline = Date.now() + 20_000;
    while (watchers.some(({ next }) => next <= header!.revision) && Date.now() < deadline) await delay(20);
    for (const watching of watchers) {
      if (watching.next <= header!.revision)
        this.problems.push(
          `W3: a watcher is stuck before ${watching.next}, the last write is ${header!.revision}`,
        );
      watching.stop();
    }
    connection.close();
  }

  private check(watchers: readonly Watching[]): void {
    for (const { responses, skippedTo } of watchers) {
      this.result.events += responses.reduce((sum, { events }) => sum + events.length, 0);
      this.problems.push(...brokenPromises(responses, this.acknowledged, skippedTo).slice(0, 5));
      this.checkPairs(responses);
    }
    const revisions = this.acknowledged
      .filter(({ key }) => !pair.includes(key))
      .map(({ revision }) => revision);
    if (new Set(revisions).size !== revisions.length)
      this.problems.push('D3: two writes were acknowledged with the same revision');
    const taken = new Set(
      watchers.flatMap(({ responses }) =>
        responses.flatMap(({ events }) => events.map(({ value }) => value)),
      ),
    );
    for (const [key, history] of this.histories) {
      const relevant = history.filter((entry) => certain(entry) || mayMatter(entry, taken));
      const violation = findViolation(relevant);
      if (violation) this.problems.push(`D1-D3: not linearizable\n${printHistory(key, violation)}`);
    }
  }

  private checkPairs(responses: readonly SeenResponse[]): void {
    for (const { events } of responses)
      for (const { key, revision, value } of events) {
        if (key !== pair[0]) continue;
        const other = events.find((event) => event.key === pair[1] && event.revision === revision);
        if (other?.value !== value)
          this.problems.push(`W4 D4: at ${revision} ${pair[0]} is ${value} and ${pair[1]} ${other?.value}`);
      }
  }
}

interface Watching {
  responses: SeenResponse[];
  next: number;
  skippedTo: number;
  progressAt: number;
  stop: () => void;
  progress?: () => void;
}

const certain = (entry: Recorded) => entry.return !== Number.POSITIVE_INFINITY;

/** A write of unknown outcome whose value no watcher saw has not happened, or is of no consequence. */
function mayMatter({ operation }: Recorded, taken: ReadonlySet<string | null>): boolean {
  return operation.kind === 'delete' || (operation.kind !== 'get' && taken.has(operation.value));
}

function chaosRandom(seed: number, client: number): () => number {
  return random(seed * 1000 + client);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
