import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SnapshotError } from '../../store/snapshot/file.ts';
import { EtcdClient } from '../../store/testing/etcd.ts';
import {
  freePort,
  type Kind,
  removeDirectory,
  StoreProcess,
  temporaryDirectory,
} from '../../store/testing/process.ts';
import { LoopDisk } from '../lib/loop-disk.ts';
import { random } from '../lib/random.ts';
import { Bulk } from './store-bulk.ts';
import { ChaosClient, pair } from './store-client.ts';
import { type Life, planLife } from './store-disturbance.ts';
import { History } from './store-history.ts';
import { Leases } from './store-leases.ts';
import { compareRestored, saveSnapshot, unfinishedSnapshots } from './store-snapshots.ts';
import { brokenPromises, type SeenResponse } from './store-watch-rules.ts';
import { Watching } from './store-watching.ts';

export interface RunOptions {
  kind: Kind;
  seconds: number;
  clients: number;
  seed: number;
  /** The run goes on, for a minute at most, until so many are made, and the process was killed so often. */
  minOperations: number;
  minKills: number;
  /** Most of the kills are power cuts too: what was not flushed to the disk is lost. Needs root. */
  powerCuts: boolean;
}

export interface RunResult {
  operations: number;
  unknown: number;
  events: number;
  kills: number;
  /** Kills that were power cuts as well. */
  cuts: number;
  pauses: number;
  compactions: number;
  /** Snapshots that came whole, and were. */
  snapshots: number;
  leases: number;
  megabytes: number;
  /** How often the process died at which fault point. */
  struck: Record<string, number>;
  /** What was found wrong, short enough to read. */
  problems: string[];
}

/** So that etcd removes log files within a run, and the disk need not be larger. */
const diskFlags = {
  store: [],
  etcd: ['--snapshot-count=200', '--max-wals=1', '--max-snapshots=1'],
} as const;
const storeFlags = ['--auto-compaction-mode=periodic', '--auto-compaction-retention=1s'];

/**
 * More than a fast machine writes within a run: LevelDB gives the space of what was removed back late, and etcd lays
 * out two log files of 64 MiB before it writes.
 */
const diskMegabytes = 1536;

/** One run: clients and watchers against a store that is killed, paused and compacted, then the checks. */
export class ChaosRun {
  private readonly options: RunOptions;
  private readonly history = new History();
  private readonly leases = new Leases(this.history);
  private readonly bulk = new Bulk(this.history);
  private readonly random: () => number;
  private readonly result: RunResult;
  private readonly directory = temporaryDirectory();
  private disk: LoopDisk | undefined;
  private process!: StoreProcess;
  private life: Life;
  private port = 0;
  private running = true;
  private compactedTo = 0;
  /** A fault struck in a snapshot, and none has come whole since. */
  private snapshotCutOff = false;

  constructor(options: RunOptions) {
    this.options = options;
    this.random = random(options.seed);
    this.life = planLife(0, this.random);
    this.result = {
      operations: 0,
      unknown: 0,
      events: 0,
      kills: 0,
      cuts: 0,
      pauses: 0,
      compactions: 0,
      snapshots: 0,
      leases: 0,
      megabytes: 0,
      struck: {},
      problems: this.history.problems,
    };
  }

  async run(): Promise<RunResult> {
    const watchers = [this.watching(), this.watching()];
    const removeFiles = () => removeDirectory(this.directory);
    process.once('exit', removeFiles);
    try {
      this.port = await freePort();
      if (this.options.powerCuts) this.disk = LoopDisk.create(diskMegabytes);
      await this.start(this.life);
      const clients = Array.from({ length: this.options.clients }, (_, id) => this.client(id).run());
      for (const watcher of watchers) void watcher.run();
      await this.disturb();
      this.running = false;
      await Promise.all(clients);
      await this.settle(watchers);
      const difference = await compareRestored(this.process);
      if (difference) this.history.problems.push(`D3: ${difference}`);
      this.check(watchers);
    } catch (error) {
      this.history.problems.push(error instanceof Error ? error.message : String(error));
    } finally {
      this.running = false;
      for (const watcher of watchers) watcher.stop();
      await this.process?.stop('SIGKILL');
      this.disk?.remove();
      removeFiles();
      process.off('exit', removeFiles);
    }
    const { operations, unknown } = this.history;
    const megabytes = Math.round(this.history.bytes / 1e6);
    return Object.assign(this.result, { operations, unknown, megabytes, leases: this.leases.granted });
  }

  private get dataDir(): string {
    return join(this.disk?.directory ?? this.directory, 'data');
  }

  private watching(): Watching {
    return new Watching({
      connect: () => this.process.connect(),
      trustProgress: this.options.kind === 'store',
    });
  }

  private client(id: number): ChaosClient {
    const next = random(this.options.seed * 1000 + id);
    return new ChaosClient({
      id,
      random: next,
      history: this.history,
      leases: this.leases,
      bulk: this.bulk,
      sizes: () => this.life.sizes,
      connect: () => this.process.connect(),
      running: () => this.running,
    });
  }

  // ---- the disturbance ----------------------------------------------------------------------------------

  /** Life after life until the time is over; then a quiet one for the last checks. */
  private async disturb(): Promise<void> {
    const { seconds, minOperations, minKills } = this.options;
    const end = Date.now() + seconds * 1000;
    const isShort = () => this.history.operations < minOperations || this.result.kills < minKills;
    const goesOn = () => Date.now() < end || (isShort() && Date.now() < end + 60_000);
    for (let round = 1; goesOn(); round++) {
      await this.live();
      const next = planLife(round, this.random);
      if (next.stillborn !== undefined) {
        this.spawn(undefined);
        await Promise.race([this.process.answers().catch(() => undefined), delay(next.stillborn)]);
        await this.interrupt();
      }
      await this.start(next);
    }
    await this.live();
    await this.start({ ...this.life, fault: undefined });
  }

  private async live(): Promise<void> {
    const { operations, pause, compaction, snapshot, fault } = this.life;
    await this.operationsMade(operations / 2);
    if (pause) {
      this.process.signal('SIGSTOP');
      await delay(100);
      this.process.signal('SIGCONT');
      this.result.pauses++;
    }
    if (this.random() < 0.5) await this.compact();
    await this.operationsMade(operations / 2);
    const underWay = [compaction && this.compact(), snapshot && this.takeSnapshot()];
    if (fault?.point === 'during-snapshot') await underWay[1];
    else if (fault?.point.endsWith('compaction')) await underWay[0];
    await this.interrupt();
    await Promise.all(underWay);
  }

  /** Waits for so many more operations, so that a slow machine is killed as often per operation as a fast one. */
  private async operationsMade(count: number): Promise<void> {
    const target = this.history.operations + count;
    const deadline = Date.now() + 5000;
    while (this.history.operations < target && Date.now() < deadline && this.process.alive) await delay(5);
  }

  /** Kills the process, unless it has been struck already, and cuts the power where the life ends so. */
  private async interrupt(): Promise<void> {
    const { fault, kept } = this.life;
    const struck = !this.process.alive && fault?.point;
    const { code } = await this.process.stop('SIGKILL');
    if (code !== null) throw new Error(`the process ended by itself with code ${code}: ${this.process.log}`);
    if (this.disk && kept !== undefined) {
      this.disk.cut({ kept, random: this.random });
      this.result.cuts++;
    }
    this.history.processEnded();
    this.result.kills++;
    if (struck === 'during-snapshot') this.snapshotCutOff = true;
    if (struck) this.result.struck[struck] = (this.result.struck[struck] ?? 0) + 1;
  }

  private spawn(fault: Life['fault']): void {
    const { kind } = this.options;
    const env: Record<string, string> =
      fault && kind === 'store' ? { STORE_FAULT: `${fault.point}:${fault.passes}` } : {};
    const flags = [...(kind === 'store' ? storeFlags : []), ...(this.disk ? diskFlags[kind] : [])];
    this.process = StoreProcess.spawn({ kind, dataDir: this.dataDir, port: this.port, env, flags });
  }

  /** Starts a life and looks at once whether all is there that was acknowledged in those before. */
  private async start(life: Life): Promise<void> {
    const acknowledged = this.history.highest;
    this.life = life;
    this.spawn(life.fault);
    try {
      await this.process.answers();
      await this.lookAround(acknowledged);
      if (this.snapshotCutOff) await this.takeSnapshot();
    } catch (error) {
      await Promise.race([this.process.ended, delay(1000)]);
      // A fault may strike before the first answer; then the store is started once more, without one.
      const struck = life.fault && !this.process.alive && this.options.kind === 'store';
      if (!struck) throw new Error(`D1: after kill ${this.result.kills}: ${(error as Error).message}`);
      await this.interrupt();
      await this.start({ ...life, fault: undefined });
    }
  }

  private async lookAround(acknowledged: number): Promise<void> {
    const { problems } = this.history;
    if (this.options.kind === 'store') {
      const unfinished = unfinishedSnapshots(this.dataDir);
      if (unfinished.length > 0) problems.push(`after a restart ${unfinished} are left`);
    }
    const connection = await this.process.connect();
    try {
      const etcd = new EtcdClient(connection);
      const { header } = await etcd.range({ key: Buffer.from('k') });
      if (header!.revision < acknowledged)
        problems.push(
          `D1: revision ${acknowledged} was acknowledged, ${header!.revision} is left after a kill`,
        );
      await this.leases.check(etcd);
      await this.bulk.check(etcd);
    } finally {
      connection.close();
    }
  }

  private async compact(): Promise<void> {
    const target = this.history.highest - 20;
    if (target <= this.compactedTo) return;
    const physical = this.random() < 0.5;
    try {
      const connection = await this.process.connect();
      await new EtcdClient(connection)
        .compact({ revision: target, physical })
        .finally(() => connection.close());
      this.result.compactions++;
    } catch {
      // It may have been decided all the same.
    }
    this.compactedTo = target;
  }

  /** A snapshot may be cut off, but not be taken for whole then. */
  private async takeSnapshot(): Promise<void> {
    const { history, result, directory, process } = this;
    const before = history.highest;
    const path = join(directory, `snapshot-${result.kills}.db`);
    try {
      const connection = await process.connect();
      const revision = await saveSnapshot(connection, path).finally(() => connection.close());
      result.snapshots++;
      this.snapshotCutOff = false;
      if (revision < before)
        history.problems.push(`D1: a snapshot begun at revision ${before} ends at ${revision}`);
    } catch (error) {
      await Promise.race([process.ended, delay(1000)]);
      if (error instanceof SnapshotError || process.alive)
        history.problems.push(`D4: a snapshot failed: ${(error as Error).message}`);
    } finally {
      rmSync(path, { force: true });
    }
  }

  // ---- the end ------------------------------------------------------------------------------------------

  /** Waits until every watcher has everything. */
  private async settle(watchers: readonly Watching[]): Promise<void> {
    const connection = await this.process.connect();
    // A last write, whose event ends the wait.
    const { header } = await new EtcdClient(connection).put({
      key: Buffer.from('k/z'),
      value: Buffer.from('end'),
    });
    connection.close();
    const { revision } = header!;
    this.history.acknowledge(revision, 'k/z', 'end');
    const deadline = Date.now() + 20_000;
    while (watchers.some(({ next }) => next <= revision) && Date.now() < deadline) await delay(20);
    for (const { next } of watchers)
      if (next <= revision)
        this.history.problems.push(`W3: a watcher is stuck before ${next}, the last write is ${revision}`);
  }

  private check(watchers: readonly Watching[]): void {
    const { problems, acknowledged } = this.history;
    for (const { responses } of watchers) {
      this.result.events += responses.reduce((sum, { events }) => sum + events.length, 0);
      problems.push(...brokenPromises(responses, acknowledged).slice(0, 5));
      problems.push(...tornPairs(responses).slice(0, 5));
    }
    this.history.check();
  }
}

/** Transactions of which a watcher saw one key without the other. */
function tornPairs(responses: readonly SeenResponse[]): string[] {
  const torn: string[] = [];
  for (const { events } of responses)
    for (const { key, revision, value } of events) {
      if (key !== pair[0]) continue;
      const other = events.find((event) => event.key === pair[1] && event.revision === revision);
      if (other?.value !== value)
        torn.push(`W4 D4: at ${revision} ${pair[0]} is ${value} and ${pair[1]} ${other?.value}`);
    }
  return torn;
}
