import t from 'tap';
import { completeConfig } from '../config.ts';
import { type MachineFacts, preflightProblems, preflightReport } from './checks.ts';

const config = completeConfig({}, undefined, { hostname: 'node-1', nodeIP: '192.0.2.7' });
const good: MachineFacts = {
  isRoot: true,
  cpus: 2,
  memoryBytes: 2 * 1024 ** 3,
  swaps: [],
  missingPrograms: [],
  portsInUse: [],
  cgroupControllers: ['cpuset', 'cpu', 'memory', 'pids'],
  freeDiskBytes: 10 * 1024 ** 3,
  routes: [],
  hostnameResolves: true,
  engine: { reachable: true, version: '20.10.24', apiVersion: '1.41', cgroupDriver: 'cgroupfs' },
};

t.test('a good machine has no problems', async (t) => {
  t.same(preflightProblems(good, config), []);
});

t.test("each problem is named and worded as kubeadm's, and says what to do", async (t) => {
  for (const [change, name, message] of [
    [{ isRoot: false }, 'IsPrivilegedUser', 'user is not running as root'],
    [{ cpus: 1 }, 'NumCPU', 'the number of available CPUs 1 is less than the required 2'],
    [{ memoryBytes: 1024 ** 3 }, 'Mem', 'the system RAM (1024 MB) is less than the minimum 1700 MB'],
    [
      { swaps: ['/dev/sda2'] },
      'Swap',
      'running with swap on is not supported. Please disable swap (/dev/sda2)',
    ],
    [{ portsInUse: [6443] }, 'Port-6443', 'Port 6443 is in use'],
    [{ missingPrograms: ['iptables'] }, 'FileExisting-iptables', 'iptables not found in system path'],
    [
      { cgroupControllers: ['cpu', 'cpuset', 'pids'] },
      'SystemVerification',
      'missing required cgroups: memory',
    ],
    [
      { engine: { reachable: false, reason: 'connect ENOENT /var/run/docker.sock' } },
      'CRI',
      'container runtime is not running: no Docker Engine answers at unix:///var/run/docker.sock: connect ENOENT /var/run/docker.sock',
    ],
    [
      { engine: { reachable: true, version: '18.09.1', apiVersion: '1.39', cgroupDriver: 'cgroupfs' } },
      'SystemVerification',
      'unsupported Docker version: 18.09.1 (API 1.39)',
    ],
    [
      { routes: [{ first: 0x0a000000, prefix: 8 }] },
      'Networks',
      '--cluster-cidr 10.244.0.0/16 overlaps with the route to 10.0.0.0/8 of this machine',
    ],
    [
      { freeDiskBytes: 5 * 1024 ** 2 },
      'DiskSpace',
      'only 5 MB are free for the data directory, 1024 MB are required',
    ],
  ] satisfies [Partial<MachineFacts>, string, string][]) {
    const [first] = preflightProblems({ ...good, ...change }, config);
    t.match(first, { name, severity: 'error', message });
    t.ok(first?.remedy, `${name} has a remedy`);
  }
});

t.test('an unknown hostname is a warning only', async (t) => {
  const problems = preflightProblems({ ...good, hostnameResolves: false }, config);
  t.match(problems, [{ name: 'Hostname', severity: 'warning' }]);
  t.equal(preflightReport(problems, []).fatal, undefined);
});

t.test('ignored errors become warnings, by name in any case or all together', async (t) => {
  const problems = preflightProblems({ ...good, cpus: 1, swaps: ['/swap'] }, config);
  t.match(
    preflightReport(problems, []).fatal,
    /^\[preflight\] Some fatal errors occurred:\n\t\[ERROR NumCPU\]: .*\n.*\n\t\[ERROR Swap\]: /,
  );
  const one = preflightReport(problems, ['numcpu']);
  t.match(one.warnings, [/^\t\[WARNING NumCPU\]/]);
  t.notMatch(one.fatal, /NumCPU\]/);
  t.match(one.fatal, /\[ERROR Swap\]/);
  t.match(preflightReport(problems, ['all']), { fatal: undefined, warnings: [/NumCPU/, /Swap/] });
});
