import t from 'tap';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { containerCreateOptions, cpuQuota, cpuShares, sandboxCreateOptions } from './create-options.ts';
import { containerName } from './types.ts';

const owner = { cluster: 'test', node: 'node-1' };
const pod = (spec: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { containers: [], terminationGracePeriodSeconds: 7, ...spec },
});

const options = (container: Partial<Container>, spec: Partial<Pod['spec']> = {}) => {
  const whole: Container = { name: 'c', image: 'web:1', ...container };
  return containerCreateOptions(
    owner,
    {
      pod: pod({ containers: [whole], ...spec }),
      container: whole,
      attempt: 2,
      sandboxAttempt: 0,
      sandboxID: 'box',
      hash: 'h',
      imageID: 'sha256:1',
      env: ['A=1'],
      mounts: [{ source: '/s', target: '/t', readOnly: true, propagation: 'rslave' }],
      command: container.command,
      args: container.args,
    },
    2 ** 30,
  );
};

t.test('names and labels are those that people and the kubelet look for', async (t) => {
  t.equal(containerName({ container: 'c', pod: 'p', namespace: 'n', uid: 'u', attempt: 2 }), 'k8s_c_p_n_u_2');
  const { name, Labels } = options({});
  t.equal(name, 'k8s_c_p_n_u_2');
  t.match(Labels, {
    'nekalakube.io/cluster': 'test',
    'nekalakube.io/node': 'node-1',
    'io.kubernetes.pod.name': 'p',
    'io.kubernetes.pod.namespace': 'n',
    'io.kubernetes.pod.uid': 'u',
    'io.kubernetes.container.name': 'c',
    'io.kubernetes.container.restartCount': '2',
    'io.kubernetes.pod.terminationGracePeriod': '7',
    'io.kubernetes.sandbox.id': 'box',
  });
});

t.test('a container joins the sandbox and gets its mounts', async (t) => {
  t.match(options({}).HostConfig, {
    NetworkMode: 'container:box',
    IpcMode: 'container:box',
    PidMode: undefined,
    Mounts: [
      { Type: 'bind', Source: '/s', Target: '/t', ReadOnly: true, BindOptions: { Propagation: 'rslave' } },
    ],
  });
  t.equal(options({}, { shareProcessNamespace: true }).HostConfig?.PidMode, 'container:box');
  t.match(options({}, { hostPID: true, hostIPC: true }).HostConfig, { PidMode: 'host', IpcMode: 'host' });
});

t.test('command and args stand for entrypoint and command as Kubernetes says', async (t) => {
  const of = (container: Partial<Container>) => {
    const { Entrypoint, Cmd } = options(container);
    return [Entrypoint, Cmd];
  };
  t.same(of({}), [undefined, undefined]);
  t.same(of({ command: ['a'] }), [['a'], []]);
  t.same(of({ args: ['b'] }), [undefined, ['b']]);
  t.same(of({ command: ['a'], args: ['b'] }), [['a'], ['b']]);
});

t.test('resources', async (t) => {
  t.equal(cpuShares(0), 2);
  t.equal(cpuShares(500), 512);
  t.equal(cpuQuota(0), 0);
  t.equal(cpuQuota(250), 25_000);
  t.equal(cpuQuota(1), 1000, 'the kernel takes no less than a millisecond');
  const limited = options({ resources: { requests: { cpu: '100m' }, limits: { cpu: '1', memory: '64Mi' } } });
  t.match(limited.HostConfig, {
    CpuShares: 102,
    CpuQuota: 100_000,
    CpuPeriod: 100_000,
    Memory: 2 ** 26,
    MemorySwap: 2 ** 26,
  });
  t.notOk(options({}).HostConfig?.Memory);
});

t.test('who is killed first when memory runs out', async (t) => {
  const score = (resources: Container['resources']) => options({ resources }).HostConfig?.OomScoreAdj;
  t.equal(score({}), 1000);
  t.equal(score({ requests: { memory: '512Mi' } }), 500);
  t.equal(score({ requests: { cpu: '1' } }), 999);
  t.equal(score({ limits: { cpu: '1', memory: '1Mi' } }), undefined);
});

t.test('security contexts', async (t) => {
  const securityContext = {
    privileged: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { add: ['CAP_NET_ADMIN', 'SYS_TIME'], drop: ['ALL'] },
    seccompProfile: { type: 'Unconfined' },
  };
  const spec = { securityContext: { fsGroup: 5, supplementalGroups: [6] } };
  t.match(options({ securityContext }, spec).HostConfig, {
    Privileged: true,
    ReadonlyRootfs: true,
    CapAdd: ['NET_ADMIN', 'SYS_TIME'],
    CapDrop: ['ALL'],
    GroupAdd: ['6', '5'],
    SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'],
  });
});

t.test('a sandbox has the address, the host name and the ports of its pod', async (t) => {
  const of = pod({
    containers: [
      {
        name: 'c',
        ports: [{ containerPort: 80, hostPort: 8080, hostIP: '192.0.2.1' }, { containerPort: 81 }],
      },
    ],
  });
  const made = sandboxCreateOptions(
    owner,
    { pod: of, attempt: 1, ip: '10.0.0.7', hostname: 'h', image: 'pause' },
    'net',
  );
  t.match(made, {
    name: 'k8s_POD_p_n_u_1',
    Hostname: 'h',
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {
      NetworkMode: 'net',
      IpcMode: 'shareable',
      PortBindings: { '80/tcp': [{ HostIp: '192.0.2.1', HostPort: '8080' }] },
    },
    NetworkingConfig: { EndpointsConfig: { net: { IPAMConfig: { IPv4Address: '10.0.0.7' } } } },
  });
  t.notOk(Object.hasOwn(made.HostConfig?.PortBindings ?? {}, '81/tcp'));
});

t.test("with the host's network a sandbox has no address, name or ports of its own", async (t) => {
  const made = sandboxCreateOptions(
    owner,
    { pod: pod({ hostNetwork: true }), attempt: 0, hostname: 'h', image: 'pause' },
    'net',
  );
  t.equal(made.HostConfig?.NetworkMode, 'host');
  t.notOk(made.Hostname);
  t.notOk(made.NetworkingConfig);
});
