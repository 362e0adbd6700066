import t from 'tap';
import { FlagError, flagHelp, parseDuration, parseFlags } from './flags.ts';

const flags = {
  name: { type: 'string', required: true, help: 'a name' },
  port: { type: 'number', default: 6443, help: 'a port' },
  secure: { type: 'boolean', default: true, help: 'a switch' },
  'etcd-servers': { type: 'list', default: [], help: 'a list' },
  'lease-duration': { type: 'duration', default: '15s', help: 'a time' },
  optional: { type: 'string', help: 'may be absent' },
} as const;

t.test('values, defaults and every way to write a flag', async (t) => {
  t.strictSame(parseFlags(flags, ['--name', 'a', '--etcd-servers=b,c', '--etcd-servers', 'd']), {
    name: 'a',
    port: 6443,
    secure: true,
    'etcd-servers': ['b', 'c', 'd'],
    'lease-duration': 15_000,
  });
  t.equal(parseFlags(flags, ['--name=x', '--secure=false']).secure, false);
  t.equal(parseFlags(flags, ['--name=x', '--secure', '--port', '1']).secure, true);
  t.equal(parseFlags(flags, ['--name=a=b']).name, 'a=b');
  t.equal(parseFlags(flags, ['--name=', '--lease-duration=1m30s'])['lease-duration'], 90_000);
});

t.test('a wrong command line names the flag', async (t) => {
  const cases: [string[], string][] = [
    [[], 'required flag not set: --name'],
    [['--nmae=a'], 'unknown flag: --nmae'],
    [['--constructor=a'], 'unknown flag: --constructor'],
    [['a'], 'unknown argument: a'],
    [['--name'], 'flag needs an argument: --name'],
    [['--name=a', '--port=x'], 'invalid argument "x" for "--port" flag: must be a number'],
    [['--name=a', '--port='], 'invalid argument "" for "--port" flag: must be a number'],
    [['--name=a', '--secure=yes'], 'invalid argument "yes" for "--secure" flag: must be true or false'],
    [
      ['--name=a', '--lease-duration=15'],
      'invalid argument "15" for "--lease-duration" flag: must be a duration such as 10s or 1m30s',
    ],
  ];
  for (const [argv, message] of cases)
    t.throws(() => parseFlags(flags, argv), new FlagError(message), argv.join(' '));
});

t.test('durations are read as Go reads them', async (t) => {
  t.equal(parseDuration('0'), 0);
  t.equal(parseDuration('1h2m3s4ms'), 3_723_004);
  t.equal(parseDuration('1.5s'), 1500);
  t.equal(parseDuration(''), undefined);
  t.equal(parseDuration('5'), undefined);
  t.equal(parseDuration('s'), undefined);
});

t.test('help has a line for every flag', async (t) => {
  const text = flagHelp('thing', flags);
  for (const name of Object.keys(flags)) t.match(text, `--${name}`);
  t.match(text, '(default 6443)');
});
