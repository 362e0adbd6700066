import t from 'tap';
import { parseImageReference } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

t.test('image names are taken apart as Docker does', async (t) => {
  const cases: [string, string, string, string | undefined, string][] = [
    ['busybox', 'docker.io', 'library/busybox', 'latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io', 'library/busybox', '1.36', 'busybox:1.36'],
    ['docker.io/busybox', 'docker.io', 'library/busybox', 'latest', 'docker.io/busybox:latest'],
    ['index.docker.io/a/b', 'docker.io', 'a/b', 'latest', 'index.docker.io/a/b:latest'],
    ['user/app:v1', 'docker.io', 'user/app', 'v1', 'user/app:v1'],
    ['localhost/app', 'localhost', 'app', 'latest', 'localhost/app:latest'],
    ['localhost:5000/a/b:v2', 'localhost:5000', 'a/b', 'v2', 'localhost:5000/a/b:v2'],
    ['127.0.0.1:5000/app', '127.0.0.1:5000', 'app', 'latest', '127.0.0.1:5000/app:latest'],
    [
      'registry.k8s.io/e2e-test_images/a__b:1',
      'registry.k8s.io',
      'e2e-test_images/a__b',
      '1',
      'registry.k8s.io/e2e-test_images/a__b:1',
    ],
    [`busybox@${digest}`, 'docker.io', 'library/busybox', undefined, `busybox@${digest}`],
    [`busybox:1@${digest}`, 'docker.io', 'library/busybox', '1', `busybox:1@${digest}`],
  ];
  for (const [text, domain, path, tag, name] of cases)
    t.match(parseImageReference(text), { domain, path, tag, name }, text);
});

t.test('what Docker refuses is refused in its words', async (t) => {
  const cases: [string, RegExp][] = [
    ['', /^invalid reference format$/],
    ['BusyBox', /repository name \(library\/BusyBox\) must be lowercase/],
    ['busybox:', /^invalid reference format$/],
    ['busybox:a b', /^invalid reference format$/],
    ['a//b', /^invalid reference format$/],
    [':5000/a', /^invalid reference format$/],
    ['busybox@sha256:12', /^invalid reference format$/],
    ['http://registry/app', /^invalid reference format$/],
    ['a'.repeat(64), /cannot specify 64-byte hexadecimal strings/],
    [`r.example/${'x/'.repeat(130)}y`, /must not be more than 255 characters/],
  ];
  for (const [text, message] of cases)
    t.throws(() => parseImageReference(text), { message }, JSON.stringify(text));
});
