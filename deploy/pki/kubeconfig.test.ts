import t from 'tap';
import { kubeconfigOf, mergeKubeconfig } from './kubeconfig.ts';

const parts = {
  clusterName: 'lab',
  user: 'kubernetes-admin',
  server: 'https://192.0.2.7:6443',
  ca: 'CA',
  certificate: 'CERT',
  key: 'KEY',
};

t.test('merging keeps other clusters and replaces the own one', async (t) => {
  const other = kubeconfigOf({ ...parts, clusterName: 'other', user: 'someone' });
  const old = kubeconfigOf({ ...parts, server: 'https://192.0.2.1:6443' });
  const merged = mergeKubeconfig(mergeKubeconfig(other, old), kubeconfigOf(parts));
  t.same(
    merged.clusters.map((item) => [item.name, item.cluster.server]),
    [
      ['other', 'https://192.0.2.7:6443'],
      ['lab', 'https://192.0.2.7:6443'],
    ],
  );
  t.same(
    merged.contexts.map((item) => item.name),
    ['someone@other', 'kubernetes-admin@lab'],
  );
  t.equal(merged['current-context'], 'kubernetes-admin@lab');
});

t.test('merging into nothing, or into empty lists, gives the own cluster', async (t) => {
  t.same(mergeKubeconfig(undefined, kubeconfigOf(parts)).users.length, 1);
  t.same(mergeKubeconfig({ clusters: undefined, users: [] }, kubeconfigOf(parts)).clusters.length, 1);
});
