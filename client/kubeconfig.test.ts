import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { KubeconfigError, loadKubeconfig } from './kubeconfig.ts';

const yaml = `
apiVersion: v1
kind: Config
current-context: main
clusters:
- name: c
  cluster: {server: "https://10.0.0.1:6443/", certificate-authority: ca.crt}
contexts:
- {name: main, context: {cluster: c, user: u, namespace: team}}
- {name: orphan, context: {cluster: gone, user: u}}
users:
- name: u
  user: {client-certificate-data: Y2VydA==, client-key-data: a2V5, tokenFile: token}
`;

t.test('a context is resolved with files beside the kubeconfig', async (t) => {
  const directory = t.testdir({ 'ca.crt': 'authority', token: 'one\n', 'admin.conf': yaml });
  const config = await loadKubeconfig(join(directory, 'admin.conf'));
  t.equal(config.server, 'https://10.0.0.1:6443');
  t.equal(config.ca?.toString(), 'authority');
  t.equal(config.cert?.toString(), 'cert');
  t.equal(config.key?.toString(), 'key');
  t.equal(config.namespace, 'team');
  const read = config.token;
  t.type(read, 'function');
  writeFileSync(join(directory, 'token'), 'two');
  t.equal(typeof read === 'function' && read(), 'two', 'a rotated token is read anew');
});

t.test('what cannot be used is refused by name', async (t) => {
  const directory = t.testdir({ 'admin.conf': yaml, 'broken.conf': '{', 'empty.conf': '' });
  const cases: [string, string | undefined, RegExp][] = [
    ['absent.conf', undefined, /absent\.conf: ENOENT/],
    ['broken.conf', undefined, /broken\.conf: /],
    ['empty.conf', undefined, /no current-context/],
    ['admin.conf', 'none', /no context named "none"/],
    ['admin.conf', 'orphan', /no cluster named "gone"/],
    ['admin.conf', 'main', /ca\.crt/],
  ];
  for (const [file, context, message] of cases) {
    const error = await loadKubeconfig(join(directory, file), context).catch((caught: unknown) => caught);
    t.ok(error instanceof KubeconfigError, file);
    t.match((error as Error).message, message);
  }
});
