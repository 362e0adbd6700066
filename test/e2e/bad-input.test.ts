import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import type { Status } from '../../api/object.ts';
import { clientTool } from '../../deploy/kubectl-binary.ts';
import { type ControlPlane, startControlPlane } from '../lib/control-plane.ts';
import { runProgram } from '../lib/program.ts';
import { waitUntil } from '../lib/wait-until.ts';

interface Answer {
  code: number;
  body: string;
}

let plane: ControlPlane;
let agent: Agent;

t.before(async () => {
  plane = await startControlPlane(t.testdir(), { also: ['controller-manager'] });
  const admin = await plane.client();
  const { ca, cert, key } = admin.config;
  agent = new Agent({ ca, cert, key, keepAlive: true });
  // Pods are refused for lack of a service account before anything else.
  await waitUntil('the default service account is made', () =>
    admin.text({ method: 'GET', path: '/api/v1/namespaces/default/serviceaccounts/default' }),
  );
});
t.teardown(async () => {
  agent?.destroy();
  await plane?.stop();
});

/** A request as bytes, past every check that a client makes itself. */
function send(
  method: string,
  path: string,
  body: string | object = '',
  contentType = 'application/json',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: plane.config.ports.apiserver,
        agent,
        method,
        path,
        headers: { 'content-type': contentType },
      },
      (response) =>
        text(response).then((answer) => resolve({ code: response.statusCode ?? 0, body: answer }), reject),
    );
    call.once('error', reject);
    call.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

const statusOf = (answer: Answer): Partial<Status> => {
  try {
    return JSON.parse(answer.body) as Status;
  } catch {
    return { message: answer.body };
  }
};

const pods = '/api/v1/namespaces/default/pods';
const configMaps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const services = '/api/v1/namespaces/default/services';

const pod = (name: string, spec: object = { containers: [{ name: 'c', image: 'i' }] }) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec,
});
const deployment = (name: string, spec: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec,
});
const template = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'c', image: 'i' }] },
});
const configMap = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...more },
});

interface Case {
  what: string;
  send: [method: string, path: string, body?: string | object, contentType?: string];
  code: number;
  reason: string;
  message: string | RegExp;
}

const strict = '?fieldValidation=Strict';
const dnsSubdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const cases: Case[] = [
  {
    what: 'malformed JSON',
    send: ['POST', pods, '{"apiVersion": "v1", "kind": "Pod",'],
    code: 400,
    reason: 'BadRequest',
    message: /unexpected end of JSON input|couldn't get version\/kind; json parse error/,
  },
  {
    what: 'malformed YAML',
    send: ['POST', pods, 'apiVersion: v1\nkind: Pod\n  metadata: x', 'application/yaml'],
    code: 400,
    reason: 'BadRequest',
    message: /yaml: line \d/,
  },
  {
    what: 'an empty body',
    send: ['POST', pods, ''],
    code: 400,
    reason: 'BadRequest',
    message: /./,
  },
  {
    what: 'a body that is a list',
    send: ['POST', pods, '[]'],
    code: 400,
    reason: 'BadRequest',
    message: /cannot unmarshal array into Go value/,
  },
  {
    what: 'an unknown field under strict validation',
    send: ['POST', pods + strict, pod('a', { containers: [{ name: 'c', image: 'i', imagee: 'x' }], nod: 1 })],
    code: 400,
    reason: 'BadRequest',
    message:
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containers[0].imagee", unknown field "spec.nod"',
  },
  {
    what: 'a string where a number belongs',
    send: ['POST', deployments, deployment('a', { replicas: 'three', template: template('a') })],
    code: 400,
    reason: 'BadRequest',
    message:
      'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  },
  {
    what: 'another kind than the path serves',
    send: ['POST', pods, configMap('a')],
    code: 400,
    reason: 'BadRequest',
    message: /the object provided is unrecognized|ConfigMap in version "v1" cannot be handled as a Pod/,
  },
  {
    what: 'a pod without containers',
    send: ['POST', pods, pod('a', {})],
    code: 422,
    reason: 'Invalid',
    message: 'Pod "a" is invalid: spec.containers: Required value',
  },
  {
    what: 'a container without an image',
    send: ['POST', pods, pod('a', { containers: [{ name: 'c' }] })],
    code: 422,
    reason: 'Invalid',
    message: 'Pod "a" is invalid: spec.containers[0].image: Required value',
  },
  {
    what: 'a name that is no DNS name',
    send: ['POST', configMaps, configMap('Bad_Name')],
    code: 422,
    reason: 'Invalid',
    message: `ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": ${dnsSubdomain}`,
  },
  {
    what: 'an object without a name',
    send: ['POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap' }],
    code: 422,
    reason: 'Invalid',
    message: 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  },
  {
    what: 'a selector that does not match the template',
    send: [
      'POST',
      deployments,
      deployment('a', { selector: { matchLabels: { app: 'a' } }, template: template('b') }),
    ],
    code: 422,
    reason: 'Invalid',
    message:
      'Deployment.apps "a" is invalid: spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`',
  },
  {
    what: 'a node port outside of the range',
    send: [
      'POST',
      services,
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'a' },
        spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
      },
    ],
    code: 422,
    reason: 'Invalid',
    message:
      'Service "a" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 20000-20999',
  },
  {
    what: 'a body over 3 MiB',
    send: ['POST', configMaps, { ...configMap('large'), data: { x: 'x'.repeat(3 * 1024 * 1024) } }],
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: 'Request entity too large: limit is 3145728',
  },
  {
    what: 'a namespace that does not exist',
    send: ['POST', '/api/v1/namespaces/nowhere/configmaps', configMap('a')],
    code: 404,
    reason: 'NotFound',
    message: 'namespaces "nowhere" not found',
  },
  {
    what: 'an object that does not exist',
    send: ['GET', `${pods}/nothing`],
    code: 404,
    reason: 'NotFound',
    message: 'pods "nothing" not found',
  },
  {
    what: 'a resource that does not exist',
    send: ['GET', '/api/v1/namespaces/default/nothings'],
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
  },
  {
    what: 'a media type that nobody understands',
    send: ['POST', pods, pod('a'), 'text/csv'],
    code: 415,
    reason: 'UnsupportedMediaType',
    message:
      /the body of the request was in an unknown format - accepted media types include: application\/json/,
  },
  {
    what: 'a label selector that does not parse',
    send: ['GET', `${pods}?labelSelector=${encodeURIComponent('a in (')}`],
    code: 400,
    reason: 'BadRequest',
    message: /unable to parse requirement|found '', expected/,
  },
  {
    what: 'a field selector on a field that has none',
    send: ['GET', `${pods}?fieldSelector=spec.color%3Dred`],
    code: 400,
    reason: 'BadRequest',
    message: /field label not supported: spec.color/,
  },
  {
    what: 'a JSON patch that is none',
    send: ['PATCH', `${configMaps}/patched`, '{"op": "add"}', 'application/json-patch+json'],
    code: 400,
    reason: 'BadRequest',
    message: /cannot unmarshal object into Go value of type/,
  },
  {
    what: 'a JSON patch of a path that is not there',
    send: [
      'PATCH',
      `${configMaps}/patched`,
      [{ op: 'remove', path: '/data/none' }],
      'application/json-patch+json',
    ],
    code: 422,
    reason: 'Invalid',
    message: /the server rejected our request due to an error in our request/,
  },
  {
    what: 'a namespace in the body other than that of the path',
    send: ['POST', configMaps, configMap('a', { namespace: 'kube-system' })],
    code: 400,
    reason: 'BadRequest',
    message: 'the namespace of the provided object does not match the namespace sent on the request',
  },
  {
    what: 'a name in the body other than that of the path',
    send: ['PUT', `${configMaps}/patched`, configMap('other')],
    code: 400,
    reason: 'BadRequest',
    message: 'the name of the object (other) does not match the name on the URL (patched)',
  },
];

t.test('bad input gets the code and the words that Kubernetes gives', async (t) => {
  t.equal((await send('POST', configMaps, configMap('patched'))).code, 201);
  for (const { what, send: call, code, reason, message } of cases) {
    const answer = await send(...call);
    const status = statusOf(answer);
    t.equal(answer.code, code, `${what}: code`);
    t.equal(status.reason, reason, `${what}: reason`);
    if (typeof message === 'string') t.equal(status.message, message, `${what}: message`);
    else t.match(status.message, message, `${what}: message`);
  }
});

t.test('a second object of the same name is refused', async (t) => {
  await send('POST', configMaps, configMap('twice'));
  const answer = await send('POST', configMaps, configMap('twice'));
  t.equal(answer.code, 409);
  t.match(statusOf(answer), { reason: 'AlreadyExists', message: 'configmaps "twice" already exists' });
});

t.test('an update with a stale resourceVersion is refused', async (t) => {
  const created = JSON.parse((await send('POST', configMaps, configMap('stale'))).body) as {
    metadata: { resourceVersion: string };
  };
  const update = {
    ...configMap('stale', { resourceVersion: created.metadata.resourceVersion }),
    data: { a: '1' },
  };
  t.equal((await send('PUT', `${configMaps}/stale`, update)).code, 200);
  const answer = await send('PUT', `${configMaps}/stale`, update);
  t.equal(answer.code, 409);
  t.match(statusOf(answer), {
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on configmaps "stale": the object has been modified; please apply your changes to the latest version and try again',
  });
});

t.test('who shows no certificate is refused', async (t) => {
  const { ca } = (await plane.client()).config;
  const anonymous = new Agent({ ca });
  const answer = await new Promise<Answer>((resolve, reject) => {
    request(
      { host: '127.0.0.1', port: plane.config.ports.apiserver, agent: anonymous, path: pods },
      (response) => text(response).then((body) => resolve({ code: response.statusCode ?? 0, body }), reject),
    )
      .once('error', reject)
      .end();
  });
  anonymous.destroy();
  t.equal(answer.code, 401);
  t.match(statusOf(answer), { reason: 'Unauthorized', message: 'Unauthorized' });
});

t.test('kubectl shows the words as its users know them', async (t) => {
  const kubectl = await clientTool('kubectl', '1.35');
  const apply = (input: string | object) =>
    runProgram(kubectl, ['apply', '-f', '-'], {
      input: typeof input === 'string' ? input : JSON.stringify(input),
      environment: { KUBECONFIG: plane.kubeconfig },
    });
  for (const [input, message] of [
    [
      pod('a', { containers: [{ name: 'c', image: 'i' }], nod: 1 }),
      'Error from server (BadRequest): error when creating "STDIN": Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.nod"',
    ],
    [pod('a', {}), 'The Pod "a" is invalid: spec.containers: Required value'],
    [
      { ...configMap('a', { namespace: 'nowhere' }) },
      'Error from server (NotFound): error when creating "STDIN": namespaces "nowhere" not found',
    ],
    ['kind: Pod\nx: [', 'error: error parsing STDIN: error converting YAML to JSON: yaml: line 2'],
    [
      { apiVersion: 'example.com/v1', kind: 'Nothing', metadata: { name: 'a' } },
      'no matches for kind "Nothing" in version "example.com/v1"',
    ],
  ] as const) {
    const result = await apply(input);
    t.equal(result.code, 1);
    t.match(result.stderr, message);
  }
});

t.test('the API server has met none of it with an error of its own', async (t) => {
  const log = readFileSync(join(plane.paths.root, 'apiserver.log'), 'utf8');
  t.same(
    log.split('\n').filter((line) => /"level":(50|60)/.test(line)),
    [],
  );
});
