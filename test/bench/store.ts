import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Event, WatchRequest } from '../../api/etcd/messages.ts';
import { WireReader } from '../../api/etcd/wire.ts';
import { type FlagDeclarations, FlagError, parseFlags } from '../../api/flags.ts';
import { EtcdClient } from '../../store/testing/etcd.ts';
import {
  freePort,
  type Kind,
  removeDirectory,
  StoreProcess,
  temporaryDirectory,
} from '../../store/testing/process.ts';
import { type Load, load, showLoad } from './load.ts';

/**
 * Our store and an etcd under the same load from the same client, in turns, ratios printed:
 * `node test/bench/store.ts [--parts writes,reads,watchers,keys,compaction] [--scale 1]`
 */
const flags = {
  parts: {
    type: 'list',
    default: ['writes', 'reads', 'watchers', 'keys', 'compaction'],
    help: 'what to measure',
  },
  scale: { type: 'number', default: 1, help: 'multiplies the number of operations' },
  'max-keys': { type: 'number', default: 1_000_000, help: 'largest number of keys of the part keys' },
  'compaction-seconds': { type: 'number', default: 60, help: 'duration of the part compaction' },
} as const satisfies FlagDeclarations;

interface CountedResponse {
  created: boolean;
  events: number;
  /** The first event, encoded. */
  first: Buffer | undefined;
}

/** Counts the events of a WatchResponse: at a million a second, a client that decoded them would measure itself. */
function countEvents(bytes: Uint8Array): CountedResponse {
  const buffer = bytes as Buffer;
  const result: CountedResponse = { created: false, events: 0, first: undefined };
  const reader = new WireReader(buffer);
  while (reader.position < reader.end) {
    const tag = reader.uint32();
    if (tag === (11 << 3) + 2) {
      const end = reader.fieldEnd();
      if (result.events++ === 0) result.first = buffer.subarray(reader.position, end);
      reader.position = end;
    } else if ((tag & 7) === 2) reader.position = reader.fieldEnd();
    else if (reader.int64() !== 0 && tag === 3 << 3) result.created = true;
  }
  return result;
}

const kinds: readonly Kind[] = ['store', 'etcd'];
const bytes = (text: string) => Buffer.from(text);
const podKey = (i: number) => bytes(`/registry/pods/default/pod-${String(i).padStart(8, '0')}`);

function residentMiB(pid: number): number {
  const match = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) / 1024;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Starts a fresh process of a kind for the duration of `use`. */
async function withProcess<T>(
  kind: Kind,
  use: (target: StoreProcess, restart: () => Promise<StoreProcess>) => Promise<T>,
  extra: readonly string[] = [],
): Promise<T> {
  const dataDir = temporaryDirectory();
  const quota = '--quota-backend-bytes=8000000000';
  const options = { kind, dataDir, port: await freePort(), flags: [quota, ...extra] };
  let target = await StoreProcess.start(options);
  try {
    return await use(target, async () => {
      await target.stop();
      target = await StoreProcess.start(options);
      return target;
    });
  } finally {
    await target.stop();
    removeDirectory(dataDir);
  }
}

/** A process of each kind, both running; `use` is called with them and they are ended after it. */
async function withBoth<T>(use: (etcds: readonly EtcdClient[]) => Promise<T>): Promise<T> {
  return withProcess('store', (store) =>
    withProcess('etcd', async (etcd) => {
      const clients = await Promise.all([store.connect(), etcd.connect()]);
      try {
        return await use(clients.map((client) => new EtcdClient(client)));
      } finally {
        for (const client of clients) client.close();
      }
    }),
  );
}

const rounds = 9;
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

/**
 * Measures both in turns, so that whatever else the machine does meets both alike, and compares the medians of the
 * rounds. `warm` brings a server to the state of one that has been up for a while.
 */
async function compare(
  title: string,
  warm: (etcd: EtcdClient) => Promise<unknown>,
  measure: (etcd: EtcdClient) => Promise<Load>,
): Promise<void> {
  const [ours, theirs] = await withBoth(async (etcds) => {
    for (const etcd of etcds) await warm(etcd);
    const results: Load[][] = etcds.map(() => []);
    for (let round = 0; round < rounds; round++)
      for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) results[i]!.push(await measure(etcds[i]!));
    const middle = (list: Load[], name: keyof Load) => median(list.map((load) => load[name]));
    return results.map((list) => ({
      perSecond: middle(list, 'perSecond'),
      p50: middle(list, 'p50'),
      p99: middle(list, 'p99'),
      max: middle(list, 'max'),
    })) as [Load, Load];
  });
  const ratio = (a: number, b: number) => (a / b).toFixed(2);
  print(
    `${title.padEnd(34)} store ${showLoad(ours)} | etcd ${showLoad(theirs)} | ratio ${ratio(ours.perSecond, theirs.perSecond)}, of p50 ${ratio(ours.p50, theirs.p50)}`,
  );
}

async function writes(scale: number): Promise<void> {
  for (const size of [300, 8192])
    for (const inFlight of [1, 64, 512]) {
      const count = Math.round((inFlight === 1 ? 800 : size > 1000 ? 3000 : 6000) * scale);
      const value = Buffer.alloc(size, 120);
      const put = (count: number) => (etcd: EtcdClient) =>
        load(count, inFlight, (i) => etcd.put({ key: podKey(i), value }));
      await compare(`puts, ${size} bytes, ${inFlight} in flight`, put(8000), put(count));
    }
}

async function reads(scale: number): Promise<void> {
  const keys = 5000;
  const fill = (etcd: EtcdClient) =>
    load(keys, 64, (i) => etcd.put({ key: podKey(i), value: Buffer.alloc(300, 120) }));
  const get = (count: number) => (etcd: EtcdClient) =>
    load(count, 64, (i) => etcd.range({ key: podKey((i * 7919) % keys) }));
  const list = (count: number) => (etcd: EtcdClient) =>
    load(count, 64, (i) => {
      const first = (i * 7919) % (keys - 500);
      return etcd.range({ key: podKey(first), range_end: podKey(first + 500) });
    });
  for (const [title, read, count] of [
    ['ranges of one key, 64 in flight', get, 6000],
    ['ranges of 500 keys, 64 in flight', list, 300],
  ] as const) {
    const warm = (etcd: EtcdClient) => fill(etcd).then(() => read(count)(etcd));
    await compare(title, warm, read(Math.round(count * scale)));
  }
}

/** Delays are counted in buckets: lists of them would be collected for longer than an event takes. */
const perMillisecond = 10;

/** Watchers on one prefix, on ten connections; writes at a steady rate; from the call of a put to each event. */
async function watchers(scale: number): Promise<void> {
  for (const kind of kinds) {
    const line = await withProcess(kind, async (target) => {
      const writer = await target.connect();
      const connections = await Promise.all(Array.from({ length: 10 }, () => target.connect()));
      /** Events by the milliseconds / {@link perMillisecond} that the first of their response has waited. */
      const delays = new Uint32Array(60_000 * perMillisecond);
      let events = 0;
      let created = 0;
      for (const connection of connections) {
        const codecs = { request: WatchRequest, response: { decode: countEvents } };
        const stream = connection.stream('/etcdserverpb.Watch/Watch', codecs, {
          onMessage: ({ created: isCreated, events: count, first }) => {
            if (isCreated) created++;
            if (!first) return;
            const delay = performance.now() - Number(Event.decode(first).kv!.value.toString());
            events += count;
            delays[Math.min(delays.length - 1, Math.ceil(delay * perMillisecond))]! += count;
          },
          onEnd: () => undefined,
        });
        for (let i = 0; i < 100; i++)
          stream.write({ create_request: { key: bytes('/w/'), range_end: bytes('/w0') } });
      }
      while (created < 1000) await new Promise(setImmediate);
      const etcd = new EtcdClient(writer);
      const write = async (seconds: number) => {
        delays.fill(0);
        events = 0;
        const begin = performance.now();
        let sent = 0;
        const answers: Promise<unknown>[] = [];
        while (sent < seconds * 1000) {
          const due = Math.min(seconds * 1000, Math.floor(performance.now() - begin));
          for (; sent < due; sent++)
            answers.push(
              etcd.put({ key: bytes(`/w/${sent % 100}`), value: bytes(String(performance.now())) }),
            );
          // Not a busy loop: the servers need the processor more than this does.
          await delay(1);
        }
        await Promise.all(answers);
        const perSecond = sent / ((performance.now() - begin) / 1000);
        const deadline = performance.now() + 60_000;
        while (events < sent * 1000 && performance.now() < deadline) await delay(1);
        return { sent, perSecond };
      };
      await write(2); // warm, as for the other parts
      const { sent, perSecond } = await write(Math.max(1, 5 * scale));
      for (const connection of [...connections, writer]) connection.close();
      const at = (share: number) => {
        let left = events * share;
        const found = delays.findIndex((count) => {
          left -= count;
          return left <= 0;
        });
        return (found / perMillisecond).toFixed(1);
      };
      return `${Math.round(perSecond)} writes/s, ${events} of ${sent * 1000} events, p50 ${at(0.5)} ms p99 ${at(0.99)} ms`;
    });
    print(`1,000 watchers, 1,000 writes/s: ${kind.padEnd(5)} ${line}`);
  }
}

/** What a write, a compaction and a start cost with more and more keys. */
async function keys(maximum: number): Promise<void> {
  const value = Buffer.alloc(300, 120);
  for (const count of [10_000, 100_000, 1_000_000].filter((size) => size <= maximum))
    await withProcess('store', async (target, restart) => {
      let client = await target.connect();
      let etcd = new EtcdClient(client);
      await load(count, 512, (i) => etcd.put({ key: podKey(i), value }));
      const write = await load(2000, 1, (i) => etcd.put({ key: podKey((i * 7919) % count), value }));
      const { header } = await etcd.range({ key: bytes('x') });
      const begin = performance.now();
      await etcd.compact({ revision: header!.revision, physical: true });
      const compaction = performance.now() - begin;
      client.close();
      const stop = performance.now();
      const again = await restart();
      const opened = performance.now() - stop;
      client = await again.connect();
      etcd = new EtcdClient(client);
      const found = await etcd.range({ key: bytes('/'), range_end: bytes('0'), count_only: true });
      print(
        `${count} keys of 300 bytes: put p50 ${write.p50.toFixed(2)} ms p99 ${write.p99.toFixed(2)} ms, ` +
          `compaction of 2,000 changes ${compaction.toFixed(0)} ms, stop and start ${(opened / 1000).toFixed(2)} s, ` +
          `${residentMiB(again.pid).toFixed(0)} MiB resident, ${found.count} keys found`,
      );
      client.close();
    });
}

/** Overwrites at full speed while history is compacted away: the disk must stay bounded, writers unhindered. */
async function compaction(seconds: number): Promise<void> {
  await withProcess(
    'store',
    async (target) => {
      const client = await target.connect();
      const etcd = new EtcdClient(client);
      const value = Buffer.alloc(1000, 120);
      const end = performance.now() + seconds * 1000;
      const sizes: number[] = [];
      let pause = 0;
      let writes = 0;
      while (performance.now() < end) {
        const part = await load(5000, 64, (i) => etcd.put({ key: podKey(i % 1000), value }));
        writes += 5000;
        pause = Math.max(pause, part.max);
        sizes.push((await etcd.status({})).dbSize);
      }
      const half = sizes.slice(Math.floor(sizes.length / 2));
      print(
        `overwrites with auto-compaction, ${seconds} s: ${Math.round(writes / seconds)}/s, disk at most ` +
          `${(Math.max(...sizes) / 2 ** 20).toFixed(0)} MiB, in the second half ${(Math.max(...half) / 2 ** 20).toFixed(0)} MiB, ` +
          `longest write ${pause.toFixed(0)} ms`,
      );
      client.close();
    },
    ['--auto-compaction-mode=revision', '--auto-compaction-retention=10000'],
  );
}

try {
  const values = parseFlags(flags, process.argv.slice(2));
  const { scale } = values;
  const parts: Record<string, () => Promise<void>> = {
    writes: () => writes(scale),
    reads: () => reads(scale),
    watchers: () => watchers(scale),
    keys: () => keys(values['max-keys']),
    compaction: () => compaction(values['compaction-seconds']),
  };
  for (const name of values.parts) {
    const part = parts[name];
    if (!part)
      throw new FlagError(`--parts: unknown part ${name}; there are ${Object.keys(parts).join(', ')}`);
    await part();
  }
  process.exit(0);
} catch (error) {
  if (!(error instanceof FlagError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
