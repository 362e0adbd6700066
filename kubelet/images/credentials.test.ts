import t from 'tap';
import type { Secret } from '../../api/types/core-v1.ts';
import { credentialsFor } from './credentials.ts';
import { parseImageReference } from './reference.ts';

const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
const secret = (auths: unknown): Secret => ({
  type: 'kubernetes.io/dockerconfigjson',
  data: { '.dockerconfigjson': base64({ auths }) },
});
const users = (image: string, ...secrets: Secret[]) =>
  credentialsFor(parseImageReference(image), secrets).map(({ username }) => username);

t.test('credentials are found by registry, path and glob, the most specific first', async (t) => {
  const keys = secret({
    'reg.example:5000': { username: 'host' },
    'https://reg.example:5000/team': { username: 'team' },
    '*.example.com': { username: 'glob' },
    'https://index.docker.io/v1/': { username: 'hub' },
  });
  const cases: [string, string[]][] = [
    ['reg.example:5000/team/app', ['team', 'host']],
    ['reg.example:5000/teams/app', ['host']],
    ['reg.example/team/app', []],
    ['a.example.com/app', ['glob']],
    ['a.b.example.com/app', []],
    ['busybox', ['hub']],
    ['docker.io/user/app', ['hub']],
  ];
  for (const [image, expected] of cases) t.same(users(image, keys), expected, image);
});

t.test('both kinds of secret and the auth field are read', async (t) => {
  const old: Secret = {
    type: 'kubernetes.io/dockercfg',
    data: { '.dockercfg': base64({ 'r.example': { auth: base64('me:pa:ss') } }) },
  };
  const image = parseImageReference('r.example/app');
  t.same(credentialsFor(image, [old]), [
    { username: 'me', password: 'pa:ss', identitytoken: undefined, serveraddress: 'r.example' },
  ]);
  t.same(users('r.example/app', secret({ 'r.example': { auth: base64('you:x') } })), ['you']);
});

t.test('secrets that cannot be read count as none', async (t) => {
  const type = 'kubernetes.io/dockerconfigjson';
  const broken: Secret[] = [
    { type, data: { '.dockerconfigjson': base64('{') } },
    { type, data: {} },
    { type, data: { '.dockerconfigjson': base64('[]') } },
    { type: 'Opaque' },
    secret({ 'r.example': 'x' }),
  ];
  t.same(users('r.example/app', ...broken), []);
});
