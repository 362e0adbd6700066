import { test } from 'tap';
import type { KubeObject } from '../../api/object.ts';
import { encodeForStore, withResourceVersion } from './encoding.ts';

const cases: [string, KubeObject][] = [
  ['an ordinary object', { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a', resourceVersion: '1' } }],
  ['an object without metadata', { kind: 'Pod', apiVersion: 'v1', metadata: {} }],
  [
    'text that looks like metadata',
    { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a', annotations: { x: '"metadata":{' } } },
  ],
  ['text beyond ASCII', { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a', labels: { x: '한글🙂' } } }],
];

for (const [title, object] of cases)
  test(`the revision is put into ${title} and nothing else changes`, (t) => {
    const shown = JSON.parse(withResourceVersion(encodeForStore(object), 42).toString()) as KubeObject;
    t.strictSame(shown, { ...object, metadata: { ...object.metadata, resourceVersion: '42' } });
    t.end();
  });

test('what another program laid out otherwise is read too', (t) => {
  const foreign = Buffer.from(
    '{"apiVersion":"v1","spec":{"metadata":{}},"metadata":{"name":"a"},"kind":"Pod"}',
  );
  t.strictSame(JSON.parse(withResourceVersion(foreign, 7).toString()), {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'a', resourceVersion: '7' },
    spec: { metadata: {} },
  });
  t.end();
});

test('no resourceVersion is stored', (t) => {
  const object = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a', resourceVersion: '5' } };
  t.notMatch(encodeForStore(object).toString(), 'resourceVersion');
  t.end();
});
