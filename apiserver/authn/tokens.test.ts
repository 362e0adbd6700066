import { test } from 'tap';
import { startApiFixture } from '../testing/api-fixture.ts';
import { staticTokens, TokenFileError } from './token-file.ts';

interface TokenAnswer {
  message?: string;
  status: { token: string; expirationTimestamp: string };
}
interface Who {
  status: { userInfo: { username: string; groups: string[]; uid?: string } };
}

const api = await startApiFixture();
const accounts = '/api/v1/namespaces/default/serviceaccounts';
const whoami = (token: string) =>
  api.call<Who>({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    as: null,
    headers: { authorization: `Bearer ${token}` },
  });
const issue = (name: string, spec: object = {}) =>
  api.call<TokenAnswer>({
    method: 'POST',
    path: `${accounts}/${name}/token`,
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
  });
const createAccount = (name: string) =>
  api.call({
    method: 'POST',
    path: accounts,
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } },
  });

test('an issued token is its service account until that is gone', async (t) => {
  await createAccount('robot');
  const { code, body } = await issue('robot');
  t.equal(code, 201);
  const who = await whoami(body.status.token);
  t.match(who.body.status.userInfo, {
    username: 'system:serviceaccount:default:robot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  });
  await api.call({ method: 'DELETE', path: `${accounts}/robot` });
  t.equal((await whoami(body.status.token)).code, 401);
  await createAccount('robot');
  t.equal((await whoami(body.status.token)).code, 401, 'another account of the same name is another');
});

test('a token bound to a pod dies with the pod', async (t) => {
  await createAccount('bound');
  const pods = '/api/v1/namespaces/default/pods';
  await api.call({
    method: 'POST',
    path: pods,
    body: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'holder' },
      spec: { serviceAccountName: 'bound', containers: [{ name: 'c', image: 'x' }] },
    },
  });
  const { body } = await issue('bound', {
    boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'holder' },
  });
  t.equal((await whoami(body.status.token)).code, 201);
  await api.call({ method: 'DELETE', path: `${pods}/holder` });
  t.equal((await whoami(body.status.token)).code, 401);
});

test('a token for another audience is not for this server', async (t) => {
  await createAccount('elsewhere');
  const { body } = await issue('elsewhere', { audiences: ['vault'] });
  t.equal((await whoami(body.status.token)).code, 401);
});

test('a changed token is refused', async (t) => {
  await createAccount('forger');
  const { body } = await issue('forger');
  const [header, payload, signature] = body.status.token.split('.');
  const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
  const forged = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 9999 })).toString('base64url');
  t.equal((await whoami(`${header}.${forged}.${signature}`)).code, 401);
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  t.equal((await whoami(`${none}.${payload}.`)).code, 401);
});

test('too short a lifetime is refused', async (t) => {
  await createAccount('brief');
  const { code, body } = await issue('brief', { expirationSeconds: 60 });
  t.equal(code, 422);
  t.match(
    body.message,
    /spec\.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes/,
  );
});

test('an administrator may act as another, others may not', async (t) => {
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const headers = { 'impersonate-user': 'bob', 'impersonate-group': 'staff' };
  const admin = await api.call<Who>({ method: 'POST', path, body, headers });
  t.match(admin.body.status.userInfo, { username: 'bob', groups: ['staff', 'system:authenticated'] });
  const alice = await api.call<{ message: string }>({
    method: 'POST',
    path,
    body,
    as: null,
    headers: { ...headers, authorization: 'Bearer secret-token' },
  });
  t.equal(alice.code, 403);
  t.equal(
    alice.body.message,
    'users "bob" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
});

test('the lines of a token file become users', async (t) => {
  const tokens = staticTokens('a1,alice,1,"x,y"\n# comment\nb2,bob,2\n');
  t.strictSame(await tokens.authenticate('a1'), { name: 'alice', uid: '1', groups: ['x', 'y'] });
  t.strictSame(await tokens.authenticate('b2'), { name: 'bob', uid: '2', groups: [] });
  t.equal(await tokens.authenticate('c3'), undefined);
  t.throws(() => staticTokens('only-a-token'), TokenFileError);
});

// Last, so that it also cleans up.
test('stops', async (t) => {
  await t.resolves(api.stop());
});
