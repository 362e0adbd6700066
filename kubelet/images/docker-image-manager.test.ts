import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import t, { type Test } from 'tap';
import type { Container, Pod, Secret } from '../../api/types/core-v1.ts';
import { freePort } from '../../test/lib/free-port.ts';
import { startProgram } from '../../test/lib/program.ts';
import { waitUntil } from '../../test/lib/wait-until.ts';
import { DockerImageManager } from './docker-image-manager.ts';
import { jsonLines } from './json-lines.ts';
import { ensureSandboxImage, pauseImage } from './pause-image.ts';

const docker = new Docker({ socketPath: '/var/run/docker.sock' });
const signal = new AbortController().signal;

/** A real registry on loopback; `password` for the user "puller" makes it a private one. */
async function startRegistry(t: Test, password?: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'));
  const address = `127.0.0.1:${await freePort()}`;
  // bcrypt of "secret".
  const hash = '$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a';
  const auth = password ? `auth: { htpasswd: { realm: test, path: ${directory}/htpasswd } }\n` : '';
  await writeFile(join(directory, 'htpasswd'), `puller:${hash}\n`);
  await writeFile(
    join(directory, 'config.yml'),
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${directory}/data } }\nhttp: { addr: "${address}" }\n${auth}`,
  );
  const registry = startProgram('docker-registry', ['serve', join(directory, 'config.yml')]);
  t.teardown(async () => {
    await registry.stop('SIGKILL');
    await rm(directory, { recursive: true });
  });
  await waitUntil('the registry answers', () => fetch(`http://${address}/v2/`));
  return address;
}

/** Puts the pause image into a registry and off this machine. */
async function publish(name: string, authconfig?: { username: string; password: string }): Promise<void> {
  await ensureSandboxImage(docker);
  const colon = name.lastIndexOf(':');
  const [repo, tag] = [name.slice(0, colon), name.slice(colon + 1)];
  await docker.getImage(pauseImage).tag({ repo, tag });
  const stream = await docker.getImage(name).push({ authconfig: { serveraddress: '', ...authconfig } });
  for await (const line of jsonLines(stream as AsyncIterable<Buffer>)) {
    const { error } = line as { error?: string };
    if (error) throw new Error(error);
  }
  await docker.getImage(name).remove();
}

function setUp(secrets: Record<string, Secret> = {}) {
  const events: string[] = [];
  let now = 1_000_000;
  const manager = new DockerImageManager({
    docker,
    now: () => now,
    secret: async (_namespace, name) => secrets[name],
    events: { event: (_object, type, reason, message) => events.push(`${type} ${reason} ${message}`) },
  });
  const request = (image: string, imagePullPolicy?: string, pullSecrets: string[] = []) => {
    const container: Container = {
      name: 'c',
      image,
      imagePullPolicy: imagePullPolicy as Container['imagePullPolicy'],
    };
    const pod: Pod = {
      metadata: { name: 'p', namespace: 'default', uid: 'u' },
      spec: { containers: [container], imagePullSecrets: pullSecrets.map((name) => ({ name })) },
    };
    return { pod, container, signal };
  };
  return {
    manager,
    events,
    request,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

t.test('an image is pulled once if it is missing, with the familiar events', async (t) => {
  const name = `${await startRegistry(t)}/app:v1`;
  await publish(name);
  t.teardown(() =>
    docker
      .getImage(name)
      .remove()
      .catch(() => {}),
  );
  const { manager, events, request } = setUp();
  const image = await manager.ensureImage(request(name));
  t.match(image, { id: /^sha256:/, user: '', hasCommand: true });
  t.match(image.imageID, new RegExp(`^docker-pullable://${name.replace(':v1', '')}@sha256:`));
  t.equal(events[0], `Normal Pulling Pulling image "${name}"`);
  t.match(
    events[1],
    /^Normal Pulled Successfully pulled image ".*" in [\d.]+m?s \([\d.]+m?s including waiting\)\. Image size: 232 bytes\.$/,
  );
  events.length = 0;
  await manager.ensureImage(request(name, 'IfNotPresent'));
  t.same(events, [`Normal Pulled Container image "${name}" already present on machine`]);
  await manager.ensureImage(request(name, 'Always'));
  t.match(events[2], /Successfully pulled/);
});

t.test('an image that is nowhere fails, backs off, and is tried again', async (t) => {
  const name = `${await startRegistry(t)}/none:v1`;
  const { manager, events, request, pass } = setUp();
  const wanted = request(name);
  await t.rejects(manager.ensureImage(wanted), {
    reason: 'ErrImagePull',
    message: /^manifest for .* not found: manifest unknown/,
  });
  t.match(events, [
    /^Normal Pulling/,
    /^Warning Failed Failed to pull image/,
    'Warning Failed Error: ErrImagePull',
  ]);
  events.length = 0;
  t.equal(manager.retryAt(wanted.pod, wanted.container), 1_010_000);
  await t.rejects(manager.ensureImage(wanted), {
    reason: 'ImagePullBackOff',
    message: new RegExp(`^Back-off pulling image "${name}": ErrImagePull: .*manifest unknown`),
  });
  t.same(events, [
    `Normal BackOff Back-off pulling image "${name}"`,
    'Warning Failed Error: ImagePullBackOff',
  ]);
  pass(10_000);
  t.equal(manager.retryAt(wanted.pod, wanted.container), undefined);
  await t.rejects(manager.ensureImage(wanted), { reason: 'ErrImagePull', message: /./ });
});

t.test("without a registry the message is the engine's own", async (t) => {
  const { manager, request } = setUp();
  await t.rejects(manager.ensureImage(request('127.0.0.1:1/none:v1')), {
    reason: 'ErrImagePull',
    message: /^Get "http:\/\/127\.0\.0\.1:1\/v2\/": .*connection refused$/,
  });
});

t.test('policy Never and names that are none have their own reasons', async (t) => {
  const { manager, events, request } = setUp();
  await t.rejects(manager.ensureImage(request('example.invalid/x:1', 'Never')), {
    reason: 'ErrImageNeverPull',
    message: 'Container image "example.invalid/x:1" is not present with pull policy of Never',
  });
  t.match(events, [/^Warning ErrImageNeverPull Container image/, 'Warning Failed Error: ErrImageNeverPull']);
  await t.rejects(manager.ensureImage(request('BAD NAME')), {
    reason: 'InvalidImageName',
    message:
      /^Failed to apply default image tag "BAD NAME": couldn't parse image name "BAD NAME": invalid reference format/,
  });
});

t.test('a private registry is opened by imagePullSecrets only', async (t) => {
  const registry = await startRegistry(t, 'secret');
  const name = `${registry}/private:v1`;
  await publish(name, { username: 'puller', password: 'secret' });
  t.teardown(() =>
    docker
      .getImage(name)
      .remove()
      .catch(() => {}),
  );
  const secret = (password: string): Secret => ({
    type: 'kubernetes.io/dockerconfigjson',
    data: {
      '.dockerconfigjson': Buffer.from(
        JSON.stringify({ auths: { [registry]: { username: 'puller', password } } }),
      ).toString('base64'),
    },
  });
  const { manager, request } = setUp({ right: secret('secret'), wrong: secret('x') });
  await t.rejects(setUp().manager.ensureImage(request(name)), { message: /no basic auth credentials/ });
  await t.rejects(setUp({ wrong: secret('x') }).manager.ensureImage(request(name, undefined, ['wrong'])), {
    reason: 'ErrImagePull',
    message: /./,
  });
  const image = await manager.ensureImage(request(name, undefined, ['missing', 'wrong', 'right']));
  t.match(image.id, /^sha256:/, 'each of several is tried');
});

t.test('pods that want the same image share one pull, and one may give up', async (t) => {
  // A registry that answers when told to, to hold the pull open.
  const released = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  let manifests = 0;
  const server = createServer(async (request, response) => {
    if (request.url?.includes('/manifests/')) {
      manifests++;
      asked.resolve();
      await released.promise;
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
    } else response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}/app:v1`;
  const { manager, request } = setUp();
  const abort = new AbortController();
  const leaver = manager.ensureImage({ ...request(name), signal: abort.signal });
  const others = [manager.ensureImage(request(name)), manager.ensureImage(request(name))];
  const settled = Promise.allSettled(others);
  await asked.promise;
  abort.abort(new Error('pod deleted'));
  await t.rejects(leaver, /pod deleted/);
  released.resolve();
  for (const result of await settled)
    t.match(result, { status: 'rejected', reason: { reason: 'ErrImagePull' } });
  t.ok(manifests <= 2, `the registry was asked ${manifests} times, by HEAD and GET of one pull at most`);
});
