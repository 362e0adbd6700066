import fc from 'fast-check';
import t from 'tap';
import { FilterType, WatchCreateRequest, type WatchRequest, WatchResponse } from '../../api/etcd/messages.ts';
import { parseFlags } from '../../api/flags.ts';
import { type Data, openData } from '../data.ts';
import { storeFlags } from '../flags.ts';
import { type Frame, frameHeaderSize } from '../grpc/frames.ts';
import type { BidiStream } from '../grpc/service.ts';
import { createLog } from '../log.ts';
import { removeDirectory, temporaryDirectory } from '../testing/process.ts';
import { WatchChecker, WatchModel } from '../testing/watch-model.ts';
import { WatchStream } from './stream.ts';

/** Watches, with all that can happen around them, against a list of what every revision changed. */

const keys = ['a', 'aa', 'b', 'c', '\xff'];
const fragmentBytes = 90;

type Step =
  | { kind: 'write'; changes: [string, string | undefined][] }
  | { kind: 'watch'; request: Watched; copies: number }
  | { kind: 'compact'; share: number }
  | { kind: 'cancel'; id: number }
  | { kind: 'progress' | 'notify' | 'stall' | 'read' | 'turn' | 'settle' };

interface Watched {
  key: string;
  end: string;
  start: { from: 'now' | 'revision' | 'compacted'; offset: number };
  id: number;
  filters: number[];
  previous: boolean;
  fragment: boolean;
  notify: boolean;
}

const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('1', '2'.repeat(40)) },
  fc.constant(undefined),
);
const watched: fc.Arbitrary<Watched> = fc.record({
  key: fc.constantFrom('', ...keys),
  end: fc.constantFrom('', '\0', 'b', 'd'),
  start: fc.record({
    from: fc.constantFrom('now', 'revision', 'revision', 'compacted'),
    offset: fc.integer({ min: -3, max: 2 }),
  }),
  // 0: the store chooses; small, so that some are taken already.
  id: fc.constantFrom(0, 0, 0, 1, 2),
  filters: fc.subarray([FilterType.noput, FilterType.nodelete], { maxLength: 2 }),
  previous: fc.boolean(),
  fragment: fc.boolean(),
  notify: fc.boolean(),
});
const plain = (kind: 'progress' | 'notify' | 'stall' | 'read' | 'turn' | 'settle') => fc.constant({ kind });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .record({
        changes: fc.uniqueArray(fc.tuple(fc.constantFrom(...keys), value), {
          selector: ([key]) => key,
          minLength: 1,
        }),
        // Transactions may delete a range without end and put some of its keys, in either order.
        wipe: fc.constantFrom('no', 'no', 'no', 'no', 'first', 'last'),
      })
      .map(({ changes, wipe }) => {
        const all = keys.map((key): [string, undefined] => [key, undefined]);
        const puts = changes.filter(([, text]) => text !== undefined);
        if (wipe === 'no') return { kind: 'write' as const, changes };
        return { kind: 'write' as const, changes: wipe === 'first' ? [...all, ...puts] : [...puts, ...all] };
      }),
  },
  {
    weight: 6,
    // More than 64 at once are told in another way than few.
    arbitrary: fc
      .record({ request: watched, copies: fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 70) })
      .map((watch) => ({ kind: 'watch' as const, ...watch })),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(0, 0.3, 0.6, 0.9, 1).map((share) => ({ kind: 'compact' as const, share })),
  },
  { weight: 1, arbitrary: fc.nat({ max: 3 }).map((id) => ({ kind: 'cancel' as const, id })) },
  { weight: 2, arbitrary: plain('progress') },
  { weight: 2, arbitrary: plain('notify') },
  { weight: 1, arbitrary: plain('stall') },
  { weight: 2, arbitrary: plain('read') },
  { weight: 4, arbitrary: plain('turn') },
  { weight: 2, arbitrary: plain('settle') },
);

/** The client's end of a stream, in the same process: what is written is checked at once. */
class Client implements BidiStream<WatchRequest, WatchResponse> {
  readonly requestSize = 0;
  reading = true;
  failure: unknown;
  private message: (request: WatchRequest) => void = () => undefined;
  private drain: () => void = () => undefined;
  private cancelled: () => void = () => undefined;
  private readonly checker: WatchChecker;

  constructor(checker: WatchChecker) {
    this.checker = checker;
  }

  onMessage(callback: (request: WatchRequest) => void): void {
    this.message = callback;
  }
  onDrain(callback: () => void): void {
    this.drain = callback;
  }
  onCancel(callback: () => void): void {
    this.cancelled = callback;
  }
  onEnd(): void {}
  end(): void {}

  write(message: Parameters<BidiStream<WatchRequest, WatchResponse>['write']>[0]): boolean {
    return this.writeFrame([WatchResponse.encode(message, frameHeaderSize)]);
  }

  writeFrame(frame: Frame): boolean {
    try {
      this.checker.response(WatchResponse.decode(Buffer.concat(frame).subarray(frameHeaderSize)));
    } catch (error) {
      this.failure ??= error;
    }
    return this.reading;
  }

  send(request: Partial<WatchRequest>): void {
    const none = { create_request: undefined, cancel_request: undefined, progress_request: undefined };
    this.message({ ...none, ...request });
  }

  read(): void {
    this.reading = true;
    this.drain();
  }

  cancel(): void {
    this.cancelled();
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One run of steps on a stream of its own; the store and the model go on from run to run. */
class Run {
  readonly checker: WatchChecker;
  private readonly client: Client;
  private readonly stream: WatchStream;
  private readonly data: Data;
  private readonly model: WatchModel;
  private writes: Promise<unknown>[] = [];

  constructor(data: Data, model: WatchModel) {
    this.data = data;
    this.model = model;
    const { mvcc, hub } = data;
    this.checker = new WatchChecker({ model, state: mvcc, fragmentBytes });
    this.client = new Client(this.checker);
    this.stream = new WatchStream({
      hub,
      stream: this.client,
      header: () => ({ cluster_id: 1n, member_id: 1n, revision: mvcc.revision, raft_term: 1 }),
      revision: () => mvcc.revision,
      fragmentBytes,
    });
  }

  async steps(steps: readonly Step[]): Promise<void> {
    try {
      await this.takeAll(steps);
    } finally {
      this.client.cancel();
      await this.settle();
    }
    if (this.data.hub.watcherCount !== 0) throw new Error('watchers are left');
    if (this.model.events.length > 300) await this.forget();
  }

  private async takeAll(steps: readonly Step[]): Promise<void> {
    for (const one of steps) {
      await this.step(one);
      this.check();
    }
    this.client.read();
    await this.settle();
    // A progress notification says that every watch has everything, and the checker sees to it.
    this.client.send({ progress_request: {} });
    const end = Date.now() + 20_000;
    while (this.checker.progress < this.model.revision && !this.client.failure) {
      if (Date.now() > end) throw new Error('no progress');
      await turn();
    }
    this.check();
  }

  /** Keeps the model, which is searched all the time, small. */
  private async forget(): Promise<void> {
    const { revision, compactRevision } = this.data.mvcc;
    if (revision > compactRevision) await this.data.mvcc.compact(revision);
    this.model.compact(revision);
  }

  private check(): void {
    if (this.client.failure) throw this.client.failure;
  }

  private async settle(): Promise<void> {
    const { writes } = this;
    this.writes = [];
    await Promise.all(writes);
  }

  private step(one: Step): Promise<void> | undefined {
    const { client, checker, data } = this;
    switch (one.kind) {
      case 'write':
        this.write(one.changes);
        return undefined;
      case 'watch':
        for (let i = 0; i < one.copies; i++) this.watch(i === 0 ? one.request : { ...one.request, id: 0 });
        return undefined;
      case 'compact':
        this.compact(one.share);
        return undefined;
      case 'cancel':
        client.send({ cancel_request: { watch_id: one.id } });
        if (checker.open(one.id)) throw new Error(`watch ${one.id} goes on after it was cancelled`);
        return undefined;
      case 'progress':
        client.send({ progress_request: {} });
        return undefined;
      case 'notify':
        this.stream.notifyProgress();
        return undefined;
      case 'stall':
        checker.stalled();
        client.reading = false;
        return undefined;
      case 'read':
        client.read();
        return undefined;
      case 'turn':
        return turn();
      case 'settle':
        return this.settle().then(() => data.mvcc.compacted());
    }
  }

  private write(changes: [string, string | undefined][]): void {
    this.model.apply(changes);
    const { revision } = this.model;
    const done = this.data.mvcc.submit((transaction) => {
      for (const [key, text] of changes)
        if (text !== undefined) transaction.put(Buffer.from(key, 'latin1'), Buffer.from(text), 0n);
        else if (transaction.get(key)?.existed(transaction.revision)) transaction.delete(key);
      if (transaction.revision !== revision) throw new Error(`${transaction.revision}, not ${revision}`);
    });
    this.writes.push(done);
  }

  private watch({ key, end, start, id, filters, previous, fragment, notify }: Watched): void {
    const { mvcc } = this.data;
    const base = start.from === 'compacted' ? mvcc.compactRevision : mvcc.revision;
    const create_request = WatchCreateRequest.decode(
      WatchCreateRequest.encode({
        key: Buffer.from(key, 'latin1'),
        range_end: Buffer.from(end, 'latin1'),
        start_revision: start.from === 'now' ? 0 : Math.max(1, base + start.offset),
        watch_id: id,
        filters,
        prev_kv: previous,
        fragment,
        progress_notify: notify,
      }),
    );
    this.checker.creating(create_request);
    this.client.send({ create_request });
    // While the client does not read, even a new watch may fall behind.
    if (!this.client.reading) this.checker.stalled();
  }

  private compact(share: number): void {
    const { mvcc } = this.data;
    const low = Math.max(1, mvcc.compactRevision + 1);
    const target = Math.round(low + share * (mvcc.revision - low));
    // One that is asked for twice before it is durable is refused.
    this.writes.push(
      mvcc.compact(target).catch((error: Error) => {
        if (!/compacted|future/.test(error.message)) throw error;
      }),
    );
  }
}

t.test(
  'every watch brings what the model says, whatever happens around it',
  { timeout: 240_000 },
  async (t) => {
    const directory = temporaryDirectory();
    const data = await openData(parseFlags(storeFlags, [`--data-dir=${directory}`]), createLog('error'));
    const model = new WatchModel(data.mvcc.revision);
    // So few that a revision is cut in two by the end of a chunk.
    data.hub.chunkRecords = 3;
    let events = 0;
    let notifications = 0;
    const over: Record<string, number> = { compacted: 0, cancelled: 0 };
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
          const run = new Run(data, model);
          await run.steps(steps);
          events += run.checker.events;
          notifications += run.checker.notifications;
          for (const watch of run.checker.watches.values()) if (watch.over) over[watch.over]!++;
        }),
        { endOnFailure: true, numRuns: Number(process.env.WATCH_MODEL_RUNS ?? 500) },
      );
    } finally {
      await data.close();
      removeDirectory(directory);
    }
    t.ok(events > 1000, `${events} events compared`);
    t.ok(notifications > 10, `${notifications} notifications`);
    t.ok(over.compacted! > 10 && over.cancelled! > 10, `ended: ${JSON.stringify(over)}`);
  },
);
