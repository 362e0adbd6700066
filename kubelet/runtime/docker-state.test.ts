import t from 'tap';
import { parseEvent } from './docker-runtime.ts';
import { apiTime, type Inspection, parseContainer, parseSandbox } from './docker-state.ts';

const inspection = (state: Partial<Inspection['State']>, labels: Record<string, string> = {}): Inspection =>
  ({
    Id: 'id',
    Created: '2026-01-01T12:00:00.123456789Z',
    Image: 'sha256:1',
    State: {
      Status: 'running',
      Running: false,
      OOMKilled: false,
      ExitCode: 0,
      Error: '',
      StartedAt: '0001-01-01T00:00:00Z',
      FinishedAt: '0001-01-01T00:00:00Z',
      ...state,
    },
    Config: { Image: 'web', Labels: labels },
    HostConfig: { NetworkMode: 'net' },
    Mounts: [],
  }) as unknown as Inspection;

t.test("Docker's times become the API's", async (t) => {
  t.equal(apiTime('2026-01-01T12:00:00.123456789Z'), '2026-01-01T12:00:00Z');
  t.equal(apiTime('0001-01-01T00:00:00Z'), undefined);
});

t.test("Docker's states", async (t) => {
  const state = (of: Partial<Inspection['State']>) => parseContainer(inspection(of)).state;
  t.equal(state({ Status: 'created' }), 'created');
  t.equal(state({ Status: 'running', Running: true }), 'running');
  t.equal(state({ Status: 'paused', Running: true, Paused: true }), 'running');
  t.equal(state({ Status: 'exited' }), 'exited');
  t.equal(state({ Status: 'dead' }), 'exited');
  t.equal(state({ Status: 'created', Error: 'no such file' }), 'exited');
});

t.test('a container that ran', async (t) => {
  const labels = {
    'io.kubernetes.container.name': 'c',
    'io.kubernetes.container.restartCount': '3',
    'io.kubernetes.sandbox.id': 's',
    'nekalakube.io/image': 'web:1',
  };
  const ended = {
    Status: 'exited',
    ExitCode: 137,
    OOMKilled: true,
    StartedAt: '2026-01-01T12:00:01.5Z',
    FinishedAt: '2026-01-01T12:00:09Z',
  };
  t.match(parseContainer(inspection(ended, labels)), {
    name: 'c',
    attempt: 3,
    image: 'web:1',
    sandboxID: 's',
    startedAt: '2026-01-01T12:00:01Z',
    finishedAt: '2026-01-01T12:00:09Z',
    exitCode: 137,
    oomKilled: true,
  });
});

t.test('a start that failed counts as an end with 128', async (t) => {
  const failed = parseContainer(inspection({ Status: 'created', ExitCode: 127, Error: 'not found' }));
  t.match(failed, { state: 'exited', exitCode: 128, error: 'not found', finishedAt: '2026-01-01T12:00:00Z' });
  t.equal(failed.startedAt, undefined);
});

t.test('a sandbox', async (t) => {
  const labels = { 'nekalakube.io/pod-ip': '10.0.0.7', 'io.kubernetes.container.restartCount': '1' };
  t.match(parseSandbox(inspection({ Running: true }, labels)), {
    attempt: 1,
    state: 'running',
    ip: '10.0.0.7',
    hostNetwork: false,
  });
});

t.test('only container events of pods count', async (t) => {
  const actor = { ID: 'id', Attributes: { 'io.kubernetes.pod.uid': 'u' } };
  t.same(parseEvent({ Action: 'die', Actor: actor }), { uid: 'u', containerID: 'id', action: 'die' });
  t.equal(parseEvent({ Action: 'exec_start: x', Actor: actor }), undefined);
  t.equal(parseEvent({ Action: 'die', Actor: { ID: 'id', Attributes: {} } }), undefined);
  t.equal(parseEvent(null), undefined);
});
