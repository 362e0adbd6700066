import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import t from 'tap';
import { memberDirectory } from '../directories.ts';
import { Disk } from './disk.ts';
import { isHeadKey, recordOf, revisionKey } from './record.ts';

const root = mkdtempSync(join(tmpdir(), 'disk-test-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

async function headsIn(directory: string): Promise<number> {
  const level = new Level<Buffer, Buffer>(join(directory, memberDirectory), { keyEncoding: 'buffer' });
  const keys = await level.keys().all();
  await level.close();
  return keys.filter(isHeadKey).length;
}

t.test('heads that do not count any more go when something else is removed', async (t) => {
  const directory = join(root, 'heads');
  const loaded = async () => {
    const disk = await Disk.open({ directory });
    return { disk, head: await disk.load(() => undefined) };
  };
  const { disk } = await loaded();
  for (let revision = 2; revision <= 21; revision++) {
    const puts = [{ key: revisionKey(revision, 0), record: recordOf(Buffer.from('x')) }];
    await disk.commit({ puts, removals: [] }, { revision, compactRevision: -1 });
    // Or LevelDB would take several together, which have one head.
    await disk.scannable();
  }
  await disk.close();
  t.equal(await headsIn(directory), 20, 'nothing else is removed, so none of them is');

  const again = await loaded();
  t.match(again.head, { revision: 21, count: 20 }, 'the last one counts');
  await again.disk.commit({ puts: [], removals: [revisionKey(2, 0)] }, { revision: 21, compactRevision: 3 });
  await again.disk.close();
  t.equal(await headsIn(directory), 1);

  const last = await loaded();
  t.match(last.head, { revision: 21, compact_revision: 3, count: 19 });
  await last.disk.close();
});
