import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { repository } from '../../deploy/paths.ts';
import { runProgram, startProgram } from '../lib/program.ts';
import { waitUntil } from '../lib/wait-until.ts';

/** Command lines of live processes that name something. */
const processesOf = (mark: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return ''; // ended meanwhile
      }
    })
    .filter((command) => command.includes(mark));

t.test('a test run that is interrupted takes its cluster down', async (t) => {
  const folder = t.testdir();
  const label = 'label=nekalakube.io/cluster=nkube-e2e-5';
  const run = startProgram(
    process.execPath,
    [join(repository, 'deploy', 'cli.ts'), 'test', 'test/e2e/footprint.test.ts'],
    { environment: { TMPDIR: folder, NEKALAKUBE_TEST_DIR: undefined } },
  );
  t.teardown(() => run.stop('SIGKILL'));
  // Its test process starts this up, and is cut off in the middle of it.
  await waitUntil('the cluster has processes', () => {
    if (run.child.exitCode !== null) throw new Error(run.stdout() + run.stderr());
    return globSync('nkube-test-*/nkube-e2e-5-*/run/kubelet.json', { cwd: folder }).length > 0;
  });
  t.not(processesOf(folder).length, 0);
  await run.stop('SIGTERM');
  t.equal(await run.ended, 143, run.stdout() + run.stderr());
  t.match(run.stdout(), /^interrupted by SIGTERM$/m);
  t.same(processesOf(folder), []);
  t.same(readdirSync(folder), []);
  t.equal((await runProgram('docker', ['ps', '--all', '--quiet', '--filter', label])).stdout, '');
  t.equal((await runProgram('docker', ['network', 'ls', '--quiet', '--filter', label])).stdout, '');
});
