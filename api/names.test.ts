import t from 'tap';
import { isCIDR, isIP } from './addresses.ts';
import { type ConditionLike, findCondition, removeCondition, setCondition } from './conditions.ts';
import { duplicate, invalid, invalidMessage, notSupported, required } from './field-error.ts';
import {
  configMapKey,
  dns1035Label,
  dns1123Label,
  dns1123Subdomain,
  envVarName,
  portName,
  portNumber,
  qualifiedName,
  validLabelValue,
} from './names.ts';

type Rule = (value: string) => readonly string[];
const rules: [rule: Rule, good: string[], bad: [value: string, message: RegExp][]][] = [
  [
    dns1123Label,
    ['a', 'my-name', '1', 'a'.repeat(63)],
    [
      ['A', /^a lowercase RFC 1123 label must consist of .*\(e\.g\. 'my-name', {2}or '123-abc', regex used/],
      ['a.b', /^must not contain dots$/],
      ['a'.repeat(64), /^must be no more than 63 characters$/],
      ['-a', /RFC 1123 label/],
    ],
  ],
  [
    dns1123Subdomain,
    ['a.b-c.d', 'x'],
    [
      ['a..b', /RFC 1123 subdomain/],
      ['a_b', /RFC 1123 subdomain/],
    ],
  ],
  [dns1035Label, ['web-1'], [['1web', /DNS-1035 label must consist/]]],
  [
    qualifiedName,
    ['app', 'example.com/My_name.x'],
    [
      ['', /^name part must be non-empty$/],
      ['/x', /^prefix part must be non-empty$/],
      ['a/b/c', /^a qualified name must consist of .* with an optional DNS subdomain prefix/],
      ['a@', /^name part must consist of alphanumeric characters/],
    ],
  ],
  [validLabelValue, ['', 'a_b.C-1'], [['a b', /^a valid label must be an empty string or consist/]]],
  [
    configMapKey,
    ['a.txt', '.bashrc', 'A_b'],
    [
      ['.', /^must not be '\.'$/],
      ['..a', /^must not start with '\.\.'$/],
      ['a/b', /^a valid config key must consist/],
    ],
  ],
  [envVarName, ['PATH', 'my.var', '1x'], [['A=B', /printable ASCII characters other than '='/]]],
  [
    portName,
    ['http', 'a-1'],
    [
      ['80', /at least one letter/],
      ['a--b', /consecutive hyphens/],
      ['abcdefghijklmnop', /no more than 15 characters/],
    ],
  ],
];

for (const [rule, good, bad] of rules)
  t.test(`${rule.name} tells good from bad, in Kubernetes' words`, async (t) => {
    for (const value of good) t.same(rule(value), [], JSON.stringify(value));
    for (const [value, message] of bad) t.match(rule(value)[0], message, JSON.stringify(value));
  });

t.test('port numbers are 1 to 65535', async (t) => {
  t.same(portNumber(65535), []);
  t.same(portNumber(0), ['must be between 1 and 65535, inclusive']);
});

t.test('field errors are worded as Kubernetes words them', async (t) => {
  t.equal(required('spec.a').message, 'Required value');
  t.equal(invalid('spec.a', 'x', 'must be y').message, 'Invalid value: "x": must be y');
  t.equal(invalid('spec.a', 3, 'must be y').message, 'Invalid value: 3: must be y');
  t.equal(notSupported('t', 'C', ['A', 'B']).message, 'Unsupported value: "C": supported values: "A", "B"');
  t.equal(duplicate('t', 'C').message, 'Duplicate value: "C"');
  t.equal(invalidMessage('Pod', 'p', [required('a')]), 'Pod "p" is invalid: a: Required value');
  t.equal(
    invalidMessage('Pod', 'p', [required('a'), required('b'), required('a')]),
    'Pod "p" is invalid: [a: Required value, b: Required value]',
  );
});

t.test('addresses and networks of both families are recognised', async (t) => {
  for (const good of ['10.0.0.1', '::1', 'fe80::1', '2001:db8::ffff', '::ffff:1.2.3.4', '1:2:3:4:5:6:7:8'])
    t.ok(isIP(good), good);
  for (const bad of ['', '10.0.0', '010.0.0.1', '256.1.1.1', ':::', '1:2', 'fe80::1%eth0', '1::2::3'])
    t.notOk(isIP(bad), bad);
  t.ok(isCIDR('10.0.0.0/16'));
  t.ok(isCIDR('2001:db8::/64'));
  t.notOk(isCIDR('10.0.0.0/33'));
  t.notOk(isCIDR('10.0.0.0'));
});

t.test('a condition keeps its transition time while its status stays', async (t) => {
  const first = setCondition<ConditionLike>(undefined, { type: 'Ready', status: 'False', reason: 'A' }, 't1');
  t.same(first, [{ type: 'Ready', status: 'False', reason: 'A', lastTransitionTime: 't1' }]);
  const second = setCondition(first, { type: 'Ready', status: 'False', reason: 'B' }, 't2');
  t.same(findCondition(second, 'Ready'), {
    type: 'Ready',
    status: 'False',
    reason: 'B',
    lastTransitionTime: 't1',
  });
  t.equal(
    setCondition(second, { type: 'Ready', status: 'False', reason: 'B' }, 't3'),
    second,
    'nothing changed',
  );
  const third = setCondition(second, { type: 'Ready', status: 'True' }, 't4');
  t.equal(findCondition(third, 'Ready')?.lastTransitionTime, 't4');
  t.same(removeCondition(third, 'Ready'), []);
});
