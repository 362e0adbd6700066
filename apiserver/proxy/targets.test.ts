import { test } from 'tap';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { ApiError } from '../rest/api-error.ts';
import { parseRequest } from '../rest/request-info.ts';
import { kubeletAddress } from './kubelet-target.ts';
import { logQuery } from './log-options.ts';
import { containerOf, hostOf } from './pod-target.ts';
import { kubeletPath } from './streaming-paths.ts';

const pod = (names: string[], extra: Partial<Pod> = {}): Pod => ({
  metadata: { name: 'p', namespace: 'ns' },
  spec: { nodeName: 'n', containers: names.map((name) => ({ name, image: 'x' })) },
  ...extra,
});

/** The message and code of what a function throws. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return `${error.status.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

test('a container is chosen, or asked for', (t) => {
  t.equal(containerOf(pod(['a']), null), 'a');
  t.equal(containerOf(pod(['a', 'b']), 'b'), 'b');
  const annotated = pod(['a', 'b'], {
    metadata: { name: 'p', annotations: { 'kubectl.kubernetes.io/default-container': 'b' } },
  });
  t.equal(containerOf(annotated, null), 'b');
  t.equal(
    refusal(() => containerOf(pod(['a', 'b']), null)),
    '400 a container name must be specified for pod p, choose one of: [a b]',
  );
  t.equal(
    refusal(() => containerOf(pod(['a']), 'z')),
    '400 container z is not valid for pod p',
  );
  t.equal(
    refusal(() => hostOf({ ...pod(['a']), spec: { containers: [] } })),
    '400 pod p does not have a host assigned',
  );
  t.end();
});

test('a kubelet is reached by the preferred kind of address', (t) => {
  const node: Node = {
    status: {
      addresses: [
        { type: 'Hostname', address: 'host' },
        { type: 'InternalIP', address: '10.0.0.1' },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10_255 } },
    },
  };
  t.strictSame(kubeletAddress(node, ['InternalIP', 'Hostname']), { host: '10.0.0.1', port: 10_255 });
  t.strictSame(kubeletAddress(node, ['ExternalIP', 'Hostname']), { host: 'host', port: 10_255 });
  t.equal(kubeletAddress({}, ['InternalIP']), undefined);
  t.end();
});

const log = (text: string) => logQuery(new URLSearchParams(text));

test('log options are checked before the kubelet is asked', (t) => {
  t.equal(String(log('follow=true&tailLines=0&pretty=x&container=c')), 'follow=true&tailLines=0');
  t.match(
    refusal(() => log('tailLines=-1')),
    /^422 .*tailLines: Invalid value: -1: must be greater than or equal to 0/,
  );
  t.match(
    refusal(() => log('limitBytes=0')),
    /^422 .*limitBytes: Invalid value: 0: must be greater than 0/,
  );
  t.match(
    refusal(() => log('sinceSeconds=x')),
    /^400 .*strconv\.ParseInt: parsing "x": invalid syntax/,
  );
  t.match(
    refusal(() => log('sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z')),
    /^422 .*at most one of/,
  );
  t.end();
});

const path = (rest: string, of = pod(['c'])) =>
  kubeletPath(parseRequest('GET', `/api/v1/namespaces/ns/pods/p/${rest}`), of);

test('streams are asked of the kubelet under its own names', (t) => {
  t.equal(
    path('exec?command=sh&command=-c&command=echo%20a&stdin=true&stdout=true&stderr=true'),
    '/exec/ns/p/c?input=1&output=1&error=1&command=sh&command=-c&command=echo+a',
  );
  t.equal(
    path('attach?stdout=1&tty=true&stderr=true'),
    '/attach/ns/p/c?output=1&tty=1',
    'a terminal has no stderr',
  );
  t.equal(path('portforward?ports=80&ports=443'), '/portForward/ns/p?port=80&port=443');
  t.equal(path('portforward'), '/portForward/ns/p');
  t.end();
});

test('streams that make no sense are refused', (t) => {
  t.match(
    refusal(() => path('exec?stdout=1')),
    /^400 you must specify at least 1 command for the container$/,
  );
  t.match(
    refusal(() => path('exec?command=ls')),
    /^400 you must specify at least one of stdin, stdout, stderr$/,
  );
  t.match(
    refusal(() => path('portforward?ports=99999')),
    /^400 unable to parse ports/,
  );
  const done = pod(['c'], { status: { phase: 'Succeeded' } });
  t.equal(
    refusal(() => path('exec?command=ls&stdout=1', done)),
    '400 cannot exec into a container in a completed pod; current phase is Succeeded',
  );
  t.end();
});
