import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import t, { type Test } from 'tap';
import { pack } from 'tar-stream';
import { hasStatus } from './docker-errors.ts';
import { ImageCollector } from './image-collector.ts';
import { type KnownImage, planCollection } from './plan-collection.ts';

const docker = new Docker({ socketPath: '/var/run/docker.sock' });
const minutes = 60_000;
const image = (id: string, lastUsed: number, over: Partial<KnownImage> = {}): KnownImage => ({
  id,
  lastUsed,
  sizeBytes: 40,
  inUse: false,
  ...over,
});

t.test(
  'below the high threshold nothing goes; above it the least recently used, down to the low one',
  async (t) => {
    const images = [image('new', 30), image('old', 10), image('middle', 20)];
    const now = 60 * minutes;
    const plan = (availableBytes: number, list = images) =>
      planCollection({ capacityBytes: 1000, availableBytes, images: list, now });
    t.same(plan(151).remove, []);
    t.same(plan(150), { wantedBytes: 50, foundBytes: 80, remove: ['old', 'middle'] });
    t.same(plan(0), { wantedBytes: 200, foundBytes: 120, remove: ['old', 'middle', 'new'] });
    const kept = [image('used', 10, { inUse: true }), image('young', now - minutes)];
    t.same(plan(0, kept), { wantedBytes: 200, foundBytes: 0, remove: [] });
  },
);

/** An image of this test alone, with its ID. */
async function makeImage(t: Test): Promise<string> {
  const archive = pack();
  archive.entry({ name: 'file' }, randomBytes(16));
  archive.finalize();
  const stream = await docker.importImage(
    Readable.from([await buffered(archive as AsyncIterable<Uint8Array>)]),
  );
  const { status } = JSON.parse(await text(stream as Readable)) as { status: string };
  t.teardown(() =>
    docker
      .getImage(status)
      .remove({ force: true })
      .catch(() => undefined),
  );
  return status;
}
async function buffered(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
const exists = (id: string) =>
  docker
    .getImage(id)
    .inspect()
    .then(
      () => true,
      (error: unknown) => !hasStatus(error, 404),
    );

t.test(
  'only images that the kubelet pulled and no container has are removed, over restarts too',
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'collector-'));
    t.teardown(() => rm(directory, { recursive: true }));
    let now = 1_000_000;
    const create = (availableBytes: number) =>
      new ImageCollector({
        docker,
        recordFile: join(directory, 'images.json'),
        now: () => now,
        disk: async () => ({ capacityBytes: 1000, availableBytes }),
      });
    const [pulled, used, foreign] = await Promise.all([makeImage(t), makeImage(t), makeImage(t)]);
    const container = await docker.createContainer({ Image: used, Cmd: ['none'] });
    t.teardown(() => container.remove({ force: true }));
    const before = create(0);
    await Promise.all([before.pulled(pulled), before.pulled(used)]);
    now += 10 * minutes;
    t.same(await create(500).collect(), { removed: [] }, 'with room on the disk nothing goes');
    const { removed, problem } = await create(0).collect();
    t.same(removed, [pulled]);
    t.match(
      problem,
      /^Failed to garbage collect required amount of images\. Attempted to free 200 bytes, but only found \d+ bytes/,
    );
    t.same(await Promise.all([pulled, used, foreign].map(exists)), [false, true, true]);
  },
);
