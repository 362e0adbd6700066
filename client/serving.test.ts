import t from 'tap';
import { serveHealth } from './serving.ts';

t.test('health endpoints say what is wrong, liveness does not depend on others', async (t) => {
  let problem: string | undefined;
  const { port, close } = await serveHealth({
    host: '127.0.0.1',
    port: 0,
    checks: [
      { name: 'ping', check: () => undefined },
      { name: 'informer-sync', check: () => problem, readinessOnly: true },
    ],
    metrics: () => 'up 1\n',
  });
  t.teardown(close);
  const get = async (path: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return [answer.status, await answer.text()];
  };
  t.strictSame(await get('/readyz'), [200, 'ok']);
  problem = '1 informer not started yet';
  t.strictSame(await get('/livez?verbose'), [200, '[+]ping ok\nlivez check passed\n']);
  t.strictSame(await get('/readyz'), [
    500,
    '[+]ping ok\n[-]informer-sync failed: 1 informer not started yet\nreadyz check failed\n',
  ]);
  t.strictSame(await get('/metrics'), [200, 'up 1\n']);
  t.strictSame(await get('/nothing'), [404, '404 page not found\n']);
  t.strictSame(await get('/healthz', 'POST'), [405, 'method not allowed\n']);
});
