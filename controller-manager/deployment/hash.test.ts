import t from 'tap';
import { aTemplate } from '../testing/objects.ts';
import { podTemplateHash } from './hash.ts';

t.test('the hash is the same for the same template, in whatever order its fields are', async (t) => {
  const template = aTemplate('web:1', { a: '1', b: '2' });
  const reordered = { spec: template.spec, metadata: { labels: { b: '2', a: '1' } } };
  t.equal(podTemplateHash(template), podTemplateHash(reordered));
  // Pods keep their ReplicaSet over an upgrade only as long as this does not change.
  t.equal(podTemplateHash(aTemplate()), '794686fc5b');
});

t.test('another template or another collision count gives another hash', async (t) => {
  const hashes = [
    podTemplateHash(aTemplate('web:1')),
    podTemplateHash(aTemplate('web:2')),
    podTemplateHash(aTemplate('web:1'), 1),
    podTemplateHash(aTemplate('web:1'), 2),
  ];
  t.equal(new Set(hashes).size, 4);
  for (const hash of hashes) t.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
});
