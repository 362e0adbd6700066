import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { Pod } from '../../api/types/core-v1.ts';
import { ApiClient } from '../../client/api-client.ts';
import { StatusManager } from './status-manager.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

interface Asked {
  method: string;
  body: { metadata: { uid: string }; status: Record<string, unknown> };
}

/** A server that answers each request with the next of `answers`, and patches with a newer pod otherwise. */
async function manager(t: Test, answers: { code: number; body: object }[] = []) {
  const asked: Asked[] = [];
  let version = 10;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      asked.push({ method: request.method ?? '', body: text ? JSON.parse(text) : undefined });
      const status = asked.at(-1)?.body?.status;
      const next = answers.shift() ?? { code: 200, body: pod(++version, status) };
      response.writeHead(next.code, { 'content-type': 'application/json' }).end(JSON.stringify(next.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  const client = new ApiClient({ config: { server: `http://127.0.0.1:${port}` }, userAgent: 'test' });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const statuses = new StatusManager({ client, log: silent });
  statuses.observe(pod(1));
  return { statuses, asked };
}

const pod = (version: number, status: Pod['status'] = {}, uid = 'u'): Pod => ({
  metadata: { name: 'p', namespace: 'n', uid, resourceVersion: String(version) },
  status,
});

const failure = (code: number, reason: string) => ({
  code,
  body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, code, message: reason },
});

t.test('writes only what differs, once, and the newest of several', async (t) => {
  const { statuses, asked } = await manager(t);
  statuses.set('u', { phase: 'Pending' });
  statuses.set('u', { phase: 'Running' });
  statuses.set('u', { phase: 'Running', podIP: '10.0.0.1' });
  await statuses.flush('u');
  const before = asked.length;
  t.ok(before <= 2, 'statuses that were overtaken are not written');
  statuses.set('u', { phase: 'Running', podIP: '10.0.0.1' });
  await statuses.flush('u');
  t.equal(asked.length, before, 'what the API has is not written again');
  t.ok(asked.every(({ body }) => body.metadata.uid === 'u'));
});

t.test('a conflict with the same pod is tried again', async (t) => {
  const { statuses, asked } = await manager(t, [failure(409, 'Conflict'), { code: 200, body: pod(5) }]);
  statuses.set('u', { phase: 'Running' });
  await t.rejects(statuses.flush('u'), { message: 'the status could not be written yet' });
  t.same(
    asked.map(({ method }) => method),
    ['PATCH', 'GET'],
  );
});

t.test('a pod whose name another pod has taken is let go', async (t) => {
  const { statuses, asked } = await manager(t, [
    failure(409, 'Conflict'),
    { code: 200, body: pod(5, {}, 'other') },
  ]);
  statuses.set('u', { phase: 'Running' });
  await statuses.flush('u');
  statuses.set('u', { phase: 'Failed' });
  await statuses.flush('u');
  t.equal(asked.length, 2);
});

t.test('a pod that is gone is let go', async (t) => {
  const { statuses, asked } = await manager(t, [failure(404, 'NotFound')]);
  statuses.set('u', { phase: 'Running' });
  await statuses.flush('u');
  t.equal(asked.length, 1);
});
