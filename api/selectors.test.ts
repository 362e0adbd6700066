import t from 'tap';
import {
  formatLabelSelector,
  parseFieldSelector,
  parseLabelSelector,
  selectorFromLabelSelector,
  selectorFromLabels,
} from './selectors.ts';

const labels = { app: 'web', tier: 'front', size: '5', empty: '' };

const matches: [selector: string, matches: boolean][] = [
  ['', true],
  ['app=web', true],
  ['app==web', true],
  ['app=db', false],
  ['app!=db', true],
  ['other!=x', true],
  ['app', true],
  ['other', false],
  ['!other', true],
  ['!app', false],
  ['app in (db, web)', true],
  ['app notin (db)', true],
  ['other notin (db)', true],
  ['other in (db)', false],
  ['size>4', true],
  ['size<5', false],
  ['app>4', false],
  ['empty=', true],
  ['empty in (,x)', true],
  ['app=web,tier=front', true],
  ['app=web,tier=back', false],
  ['tier in (in,front)', true],
];

for (const [selector, expected] of matches)
  t.test(`the label selector "${selector}" ${expected ? 'matches' : 'does not match'}`, async (t) => {
    t.equal(parseLabelSelector(selector).matches(labels), expected);
  });

t.test('a parsed label selector is written back in canonical order', async (t) => {
  t.equal(
    String(parseLabelSelector('tier in (b,a),!old, app = web,x!=y,n>3')),
    'app=web,n>3,!old,tier in (a,b),x!=y',
  );
});

const malformed: [selector: string, message: string][] = [
  ['a,', "found '', expected: identifier after ','"],
  ['=x', "found '=', expected: !, identifier, or 'end of string'"],
  ['a=b c', "found 'c', expected: ',' or 'end of string'"],
  ['a in b', "unable to parse requirement: found 'b', expected: '('"],
  ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
  ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  [
    'a>x',
    `unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`,
  ],
];

for (const [selector, message] of malformed)
  t.test(`"${selector}" is not a label selector`, async (t) => {
    t.throws(() => parseLabelSelector(selector), { name: 'SelectorError', message });
  });

t.test(
  'a selector in an object combines labels and expressions; absent matches nothing, empty everything',
  async (t) => {
    const selector = {
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['front', 'back'] },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    };
    t.ok(selectorFromLabelSelector(selector).matches(labels));
    t.notOk(selectorFromLabelSelector(selector).matches({ ...labels, old: '1' }));
    t.ok(selectorFromLabelSelector({}).matches({}));
    t.notOk(selectorFromLabelSelector(undefined).matches(labels));
    t.equal(formatLabelSelector(selector), 'app=web,!old,tier in (back,front)');
    t.equal(formatLabelSelector({}), '<none>');
    t.throws(() => selectorFromLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Near' }] }), {
      message: '"Near" is not a valid label selector operator',
    });
    t.ok(selectorFromLabels({ app: 'web' }).matches(labels));
  },
);

t.test('a field selector compares fields by name and unescapes values', async (t) => {
  const read = (field: string): string => ({ 'status.phase': 'Running', name: 'a,b' })[field] ?? '';
  t.ok(parseFieldSelector('').matches(read));
  t.ok(parseFieldSelector('status.phase=Running').matches(read));
  t.ok(parseFieldSelector('status.phase!=Failed,other=').matches(read));
  t.notOk(parseFieldSelector('status.phase==Failed').matches(read));
  const escaped = parseFieldSelector('name=a\\,b');
  t.ok(escaped.matches(read));
  t.equal(String(escaped), 'name=a\\,b');
  t.equal(escaped.exact('name'), 'a,b');
  t.equal(parseFieldSelector('name!=x').exact('name'), undefined);
  t.throws(() => parseFieldSelector('phase'), {
    message: "invalid selector: 'phase'; can't understand 'phase'",
  });
});
