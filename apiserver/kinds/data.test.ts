import t from 'tap';
import { configMap } from './config-map.ts';
import { secret } from './secret.ts';
import { created, problems, row, updated } from './test-support.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const mebibyte = 'x'.repeat(1024 * 1024);

t.test('the text data of a secret becomes data, and its type Opaque', async (t) => {
  const object = created(secret, { data: { a: base64('1') }, stringData: { b: '2', a: '3' } });
  t.same(object.data, { a: base64('3'), b: base64('2') });
  t.equal(object.stringData, undefined);
  t.equal(object.type, 'Opaque');
});

const refusedSecrets: [object: object, errors: (string | RegExp)[]][] = [
  [{ stringData: { 'a/b': '' } }, [/^data\[a\/b\]: Invalid value: "a\/b": a valid config key must consist/]],
  [{ stringData: { a: `${mebibyte}x` } }, ['data: Too long: may not be more than 1048576 bytes']],
  [{ stringData: { a: mebibyte } }, []],
  [{ type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'x' } }, ['data[tls.key]: Required value']],
  [
    { type: 'kubernetes.io/basic-auth' },
    ['data[username]: Required value', 'data[password]: Required value'],
  ],
  [
    { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{secret' } },
    [/^data\[\.dockerconfigjson\]: Invalid value: "<secret contents redacted>": (?!.*secret\b)/],
  ],
  [
    { type: 'kubernetes.io/service-account-token' },
    ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
  ],
];

for (const [object, errors] of refusedSecrets)
  t.test(
    `a secret ${errors.length ? 'is refused' : 'is good'}: ${JSON.stringify(object).slice(0, 90)}`,
    async (t) => {
      const found = problems(secret, object);
      t.equal(found.length, errors.length, found.join('\n'));
      for (const [index, error] of errors.entries()) t.match(found[index], error);
    },
  );

t.test('the type of a secret is fixed, and all of an immutable one', async (t) => {
  const before = created(secret, { immutable: true, stringData: { a: '1' } });
  t.same(
    updated(secret, before, (next) => {
      next.type = 'other';
      next.immutable = false;
      next.data = {};
    }).problems,
    [
      'type: Invalid value: "other": field is immutable',
      'immutable: Forbidden: field is immutable when `immutable` is set',
      'data: Forbidden: field is immutable when `immutable` is set',
    ],
  );
});

t.test('a config map may hold a key once and a mebibyte in all', async (t) => {
  t.same(problems(configMap, { data: { a: 'x' }, binaryData: { a: base64('x') } }), [
    'data[a]: Invalid value: "a": duplicate of key present in binaryData',
  ]);
  t.same(problems(configMap, { data: { a: mebibyte }, binaryData: { b: base64('x') } }), [
    '[]: Too long: may not be more than 1048576 bytes',
  ]);
  t.same(problems(configMap, { data: { a: mebibyte } }), []);
});

t.test('an immutable config map stays as it is, but for its metadata', async (t) => {
  const before = created(configMap, { immutable: true, data: { a: '1' } });
  t.same(
    updated(configMap, before, (next) => {
      next.data = { a: '2' };
    }).problems,
    ['data: Forbidden: field is immutable when `immutable` is set'],
  );
  t.same(
    updated(configMap, before, (next) => {
      next.metadata!.labels = { a: 'b' };
    }).problems,
    [],
  );
});

t.test('kubectl get counts entries', async (t) => {
  t.match(row(configMap, created(configMap, { data: { a: '1' }, binaryData: { b: '' } })), { Data: 2 });
  t.match(row(secret, created(secret, { stringData: { a: '1' } })), { Type: 'Opaque', Data: 1 });
});
