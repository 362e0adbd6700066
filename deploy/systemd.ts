import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { supervisorCommand } from './cluster-processes.ts';
import type { ClusterConfig } from './config.ts';
import { systemdRuns } from './engine/ensure-engine.ts';
import type { Paths } from './paths.ts';
import { run } from './run.ts';
import { UserError } from './user-error.ts';

const unitName = (clusterName: string) => `nekalakube-${clusterName}.service`;
const unitPath = (clusterName: string) => `/etc/systemd/system/${unitName(clusterName)}`;

/** Words of an ExecStart line; see systemd.service(5) on quoting. */
const quoted = (word: string) =>
  `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`;

/** The unit that runs the supervisor of one cluster. */
export function unitText(clusterName: string, paths: Paths): string {
  const command = [...supervisorCommand(paths), '--no-guard'].map(quoted).join(' ');
  return `[Unit]
Description=Nekalakube cluster ${clusterName}
After=network-online.target docker.service
Wants=network-online.target docker.service

[Service]
Environment=${quoted(`NODE_COMPILE_CACHE=${paths.compileCache}`)}
ExecStart=${command}
Restart=always
RestartSec=1
# Pods belong to Docker Engine: ending this service's processes leaves their containers alone.
KillMode=mixed
TimeoutStopSec=90
Delegate=yes

[Install]
WantedBy=multi-user.target
`;
}

/** Installs and starts the unit where systemd runs. Returns false where it does not. */
export async function startService(paths: Paths, config: ClusterConfig): Promise<boolean> {
  if (!systemdRuns()) return false;
  writeFileSync(unitPath(config.clusterName), unitText(config.clusterName, paths));
  for (const args of [['daemon-reload'], ['enable', '--now', unitName(config.clusterName)]]) {
    const result = await run('systemctl', args);
    if (result.code !== 0) throw new UserError(`systemctl ${args.join(' ')}: ${result.stderr.trim()}`);
  }
  return true;
}

/** Stops the unit so that systemd does not bring it back; `remove` takes its file away too. */
export async function stopService(clusterName: string, remove: boolean): Promise<void> {
  const path = unitPath(clusterName);
  if (!existsSync(path)) return;
  if (systemdRuns())
    await run('systemctl', [...(remove ? ['disable', '--now'] : ['stop']), unitName(clusterName)]);
  if (!remove) return;
  rmSync(path, { force: true });
  if (systemdRuns()) await run('systemctl', ['daemon-reload']);
}
