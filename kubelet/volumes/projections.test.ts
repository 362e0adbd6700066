import t from 'tap';
import type { Pod, Volume } from '../../api/types/core-v1.ts';
import { projectVolume, tokenSources } from './projections.ts';
import { referencedNames } from './references.ts';
import { VolumeError } from './volume-error.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

const pod: Pod = {
  metadata: { name: 'p', namespace: 'n', uid: 'u', labels: { a: 'b' } },
  spec: { containers: [] },
};

function project(volume: Omit<Volume, 'name'>, of: Pod = pod) {
  const projection = projectVolume(
    {
      pod: of,
      objects: {
        configMap: (name) =>
          name === 'cm' ? { data: { k: 'v' }, binaryData: { bin: base64('\u0000') } } : undefined,
        secret: (name) => (name === 'sec' ? { data: { user: base64('me') } } : undefined),
      },
      facts: {
        nodeName: 'node',
        hostIP: '',
        allocatable: { milliCPU: 0, memoryBytes: 0, ephemeralStorageBytes: 0 },
      },
      token: ({ audience }) => `token for ${audience}`,
    },
    { name: 'x', ...volume },
  );
  return projection && [...projection].map(([path, { data, mode }]) => `${path} ${data} ${mode.toString(8)}`);
}

t.test('configMaps and secrets, whole or by items', async (t) => {
  t.same(project({ configMap: { name: 'cm' } }), ['k v 644', 'bin \u0000 644']);
  t.same(
    project({
      configMap: { name: 'cm', defaultMode: 0o600, items: [{ key: 'k', path: 'd/f', mode: 0o444 }] },
    }),
    ['d/f v 444'],
  );
  t.same(project({ secret: { secretName: 'sec', defaultMode: 0o400 } }), ['user me 400']);
});

t.test('what is missing fails unless it is optional', async (t) => {
  t.throws(() => project({ configMap: { name: 'gone' } }), new VolumeError('configmap "gone" not found'));
  t.throws(() => project({ secret: { secretName: 'gone' } }), new VolumeError('secret "gone" not found'));
  t.throws(
    () => project({ configMap: { name: 'cm', items: [{ key: 'nope', path: 'f' }] } }),
    new VolumeError('references non-existent config key: nope'),
  );
  t.same(project({ configMap: { name: 'gone', optional: true } }), []);
  t.same(project({ secret: { secretName: 'sec', optional: true, items: [{ key: 'nope', path: 'f' }] } }), []);
});

t.test('projected sources and the downward API', async (t) => {
  t.same(
    project({
      projected: {
        defaultMode: 0o640,
        sources: [
          { configMap: { name: 'cm', items: [{ key: 'k', path: 'c' }] } },
          { secret: { name: 'sec' } },
          { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
          { serviceAccountToken: { path: 'token', audience: 'vault' } },
        ],
      },
    }),
    ['c v 640', 'user me 640', 'labels a="b" 640', 'token token for vault 640'],
  );
});

t.test('an fsGroup may read whatever the mode says', async (t) => {
  const grouped = { ...pod, spec: { containers: [], securityContext: { fsGroup: 5 } } };
  t.same(project({ secret: { secretName: 'sec', defaultMode: 0o400 } }, grouped), ['user me 440']);
});

t.test('a path must stay in the volume', async (t) => {
  for (const path of ['../x', '/etc/x', 'a/../../x'])
    t.throws(() => project({ configMap: { name: 'cm', items: [{ key: 'k', path }] } }), VolumeError, path);
});

t.test('other kinds of volumes have no files of their own', async (t) => {
  t.equal(project({ emptyDir: {} }), undefined);
});

t.test('all that a pod refers to is found', async (t) => {
  const full: Pod = {
    spec: {
      volumes: [
        { name: 'a', configMap: { name: 'cm1' } },
        { name: 'b', secret: { secretName: 'sec1' } },
        {
          name: 'c',
          projected: {
            sources: [
              { configMap: { name: 'cm2' } },
              { secret: { name: 'sec2' } },
              { serviceAccountToken: { path: 'token' } },
            ],
          },
        },
      ],
      initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'cm3' } }] }],
      containers: [
        {
          name: 'c',
          envFrom: [{ secretRef: { name: 'sec3' } }],
          env: [
            { name: 'A', valueFrom: { configMapKeyRef: { name: 'cm4', key: 'k' } } },
            { name: 'B', valueFrom: { secretKeyRef: { name: 'sec4', key: 'k' } } },
          ],
        },
      ],
    },
  };
  const { configMaps, secrets } = referencedNames(full);
  t.same([...configMaps].sort(), ['cm1', 'cm2', 'cm3', 'cm4']);
  t.same([...secrets].sort(), ['sec1', 'sec2', 'sec3', 'sec4']);
  t.same(tokenSources(full), [{ path: 'token' }]);
});
