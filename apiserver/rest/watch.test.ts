import type { IncomingMessage } from 'node:http';
import { test } from 'tap';
import { startApiFixture } from '../testing/api-fixture.ts';
import { readWatchLines } from '../testing/watch-lines.ts';

const api = await startApiFixture();
const configMaps = '/api/v1/namespaces/default/configmaps';

interface Line {
  type: string;
  object: {
    kind: string;
    metadata: { name?: string; resourceVersion: string; annotations?: Record<string, string> };
    rows?: { cells: unknown[] }[];
    columnDefinitions?: unknown[] | null;
    code?: number;
  };
}

const put = (name: string, labels: Record<string, string> = {}, data: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
});
const create = (name: string, labels?: Record<string, string>) =>
  api.call<Line['object']>({ method: 'POST', path: configMaps, body: put(name, labels) });
const update = (name: string, labels: Record<string, string>, data: Record<string, string> = {}) =>
  api.call({ method: 'PUT', path: `${configMaps}/${name}`, body: put(name, labels, data) });
const remove = (name: string) => api.call({ method: 'DELETE', path: `${configMaps}/${name}` });

/** The next `count` lines of a watch, which is then closed. */
async function take(response: IncomingMessage, count: number): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readWatchLines(response)) {
    lines.push(line as Line);
    if (lines.length === count) break;
  }
  response.destroy();
  return lines;
}

const watch = (query: string, headers?: Record<string, string>) =>
  api.open({ path: `${configMaps}?watch=1&${query}`, ...(headers && { headers }) });
const brief = (lines: Line[]) => lines.map(({ type, object }) => `${type} ${object.metadata.name}`);

test('a watch from a resourceVersion shows every later change once', async (t) => {
  const first = await create('w1');
  const response = await watch(
    `resourceVersion=${first.body.metadata.resourceVersion}&fieldSelector=metadata.name%3Dw1`,
  );
  await update('w1', { a: '1' });
  await remove('w1');
  await create('w1');
  t.strictSame(brief(await take(response, 3)), ['MODIFIED w1', 'DELETED w1', 'ADDED w1']);
  const again = await watch(
    `resourceVersion=${first.body.metadata.resourceVersion}&fieldSelector=metadata.name%3Dw1`,
  );
  t.strictSame(brief(await take(again, 3)), ['MODIFIED w1', 'DELETED w1', 'ADDED w1'], 'and again');
  await remove('w1');
});

test('a watch without a resourceVersion begins with what there is', async (t) => {
  await create('w2', { set: 'w2' });
  const response = await watch('labelSelector=set%3Dw2');
  await create('w3', { set: 'w2' });
  t.strictSame(brief(await take(response, 2)), ['ADDED w2', 'ADDED w3']);
});

test('objects that leave or enter a selection are deleted or added', async (t) => {
  await create('w4', { set: 'in' });
  const response = await watch('labelSelector=set%3Din');
  await update('w4', { set: 'out' });
  await update('w4', { set: 'out' }, { more: '1' });
  await update('w4', { set: 'in' });
  const lines = await take(response, 3);
  t.strictSame(brief(lines), ['ADDED w4', 'DELETED w4', 'ADDED w4']);
  const versions = lines.map((line) => Number(line.object.metadata.resourceVersion));
  t.ok(versions[1]! > versions[0]! && versions[2]! > versions[1]!, 'the deletion has its own version');
});

test('a streamed list ends its initial events with an annotated bookmark', async (t) => {
  await create('w5', { set: 'stream' });
  const response = await watch(
    'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=set%3Dstream',
  );
  const [added, bookmark] = await take(response, 2);
  t.equal(added?.type, 'ADDED');
  t.match(bookmark, {
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
  t.ok(Number(bookmark?.object.metadata.resourceVersion) >= Number(added?.object.metadata.resourceVersion));
});

test('sendInitialEvents without its match rule is refused', async (t) => {
  const answer = await api.call<{ message: string }>({
    path: `${configMaps}?watch=1&sendInitialEvents=true`,
  });
  t.equal(answer.code, 422);
  t.match(answer.body.message, /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/);
});

test('a watch of tables describes its columns once', async (t) => {
  await create('w6', { set: 'table' });
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const response = await watch('labelSelector=set%3Dtable', { accept });
  await update('w6', { set: 'table' }, { x: '1' });
  const [first, second] = await take(response, 2);
  t.equal(first?.object.columnDefinitions?.length, 3);
  t.equal(second?.object.columnDefinitions, null);
  t.strictSame(second?.object.rows?.[0]?.cells.slice(0, 2), ['w6', 1]);
});

test('a watch ends at its time limit', async (t) => {
  const response = await watch('timeoutSeconds=1&resourceVersion=0&labelSelector=set%3Dnone');
  const lines: unknown[] = [];
  for await (const line of readWatchLines(response)) lines.push(line);
  t.strictSame(lines, []);
});

test('watchers of one resource all get the same events', async (t) => {
  const responses = await Promise.all(Array.from({ length: 10 }, () => watch('labelSelector=set%3Dmany')));
  await create('w7', { set: 'many' });
  const all = await Promise.all(responses.map((response) => take(response, 1)));
  t.equal(new Set(all.map((lines) => JSON.stringify(lines))).size, 1);
});

test('events flow again after the store was killed', async (t) => {
  const response = await watch('labelSelector=set%3Dcrash');
  await api.restartStore();
  await create('w8', { set: 'crash' });
  t.strictSame(brief(await take(response, 1)), ['ADDED w8']);
});

// Last, so that it also cleans up.
test('the server ends open watches when it stops', async (t) => {
  const response = await watch('labelSelector=set%3Dstop');
  const ended = (async () => {
    for await (const _ of readWatchLines(response));
    return 'ended';
  })();
  await api.stop();
  t.equal(await ended, 'ended');
});
