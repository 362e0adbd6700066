import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import t from 'tap';
import { busyboxImage, makeBusyboxImage } from '../../test/lib/images.ts';
import { ensureSandboxImage, pauseImage, pauseImageArchive } from './pause-image.ts';
import { pauseProgram } from './pause-program.ts';

const docker = new Docker({ socketPath: '/var/run/docker.sock' });

t.test('programs are static executables of the right machine', async (t) => {
  for (const [architecture, machine] of [
    ['amd64', 62],
    ['arm64', 183],
  ] as const) {
    const program = pauseProgram(architecture);
    t.equal(program.toString('latin1', 1, 4), 'ELF');
    t.equal(program.readUInt16LE(16), 2, 'executable');
    t.equal(program.readUInt16LE(18), machine);
    t.equal(Number(program.readBigUInt64LE(96)), program.length, 'all of it is mapped');
  }
});

t.test('the image is the same every time', async (t) => {
  t.ok((await pauseImageArchive('amd64')).equals(await pauseImageArchive('amd64')));
});

t.test('a configured image that is there is used, one that is not is made up for', async (t) => {
  t.equal(await ensureSandboxImage(docker, 'example.invalid/pause:none'), pauseImage);
  t.equal(await ensureSandboxImage(docker, pauseImage), pauseImage);
});

t.test('the sandbox reaps orphans and stops at once on SIGTERM', async (t) => {
  const Image = await ensureSandboxImage(docker);
  await makeBusyboxImage();
  const sandbox = await docker.createContainer({ Image, HostConfig: { NetworkMode: 'none' } });
  t.teardown(() => sandbox.remove({ force: true }));
  await sandbox.start();
  // In the sandbox's PID namespace an orphan's parent is the sandbox.
  const script = `
    for i in 1 2 3; do (sleep 0.2 &); done
    while [ $((tries += 1)) -lt 2000 ]; do case "$(ps -o pid,comm)" in *sleep*) ;; *) exit 0 ;; esac; done
    ps -o pid,ppid,stat,comm
    exit 1`;
  const guest = await docker.createContainer({
    Image: busyboxImage,
    Cmd: ['sh', '-c', script],
    HostConfig: { NetworkMode: 'none', PidMode: `container:${sandbox.id}` },
  });
  t.teardown(() => guest.remove({ force: true }));
  const output = await guest.attach({ stream: true, stdout: true, stderr: true });
  await guest.start();
  const left = await text(output);
  t.equal((await guest.wait()).StatusCode, 0, `no process is left over: ${left}`);

  const events = await docker.getEvents({ filters: { container: [sandbox.id], event: ['die'] } });
  await sandbox.kill({ signal: 'SIGTERM' });
  await once(events, 'data');
  (events as unknown as { destroy(): void }).destroy();
  t.equal((await sandbox.inspect()).State.ExitCode, 0);
});
