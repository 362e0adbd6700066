import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addressAt, cidrContains, parseCIDR } from '../api/net.ts';
import { clusterLabel } from './commands/down.ts';
import type { ClusterConfig } from './config.ts';
import type { DockerApi } from './engine/docker-api.ts';
import { planFirewallPurge } from './firewall-purge.ts';
import type { Paths } from './paths.ts';
import type { Step } from './progress.ts';
import { run } from './run.ts';
import { UserError } from './user-error.ts';

export interface PurgeInputs {
  clusterName: string;
  config: ClusterConfig | undefined;
  paths: Paths;
  docker: DockerApi;
}

async function mustRun(program: string, args: string[], input?: string): Promise<string> {
  const result = await run(program, args, input === undefined ? {} : { input });
  if (result.code !== 0) throw new UserError(`${program} ${args.join(' ')}: ${result.stderr.trim()}`);
  return result.stdout;
}

/** Removes what a cluster keeps outside of its data directory. Each step may find its work done already. */
export function purgeSteps({ clusterName, config, paths, docker }: PurgeInputs): Step[] {
  return [
    {
      title: 'remove containers and the pod network',
      async run(say) {
        const filters = { label: [`${clusterLabel}=${clusterName}`] };
        try {
          // Sandboxes hold the network of the others, so they go last.
          for (
            let left = await docker.containers(filters);
            left.length;
            left = await docker.containers(filters)
          ) {
            await Promise.all(left.map((item) => docker.remove(item.Id)));
          }
          for (const network of await docker.networks(filters)) await docker.removeNetwork(network.Id);
          await docker.removeImage('nekalakube/pause:1');
        } catch (error) {
          say(`Docker Engine: ${(error as Error).message}`);
        }
      },
    },
    {
      title: 'remove packet filter rules and routes',
      async run() {
        const saved = await run('iptables-save', []);
        const plan = saved.code === 0 ? planFirewallPurge(saved.stdout, clusterName) : undefined;
        if (plan) await mustRun('iptables-restore', ['--noflush', '-w', '5'], plan);
        if (config) await removeRoutes(config);
        const link = config && (await run('ip', ['link', 'show', 'dev', config.bridgeName]));
        if (config && link?.code === 0) await mustRun('ip', ['link', 'delete', 'dev', config.bridgeName]);
      },
    },
    {
      title: 'unmount volumes',
      async run() {
        for (const mount of mountsUnder(paths.root, readFileSync('/proc/self/mountinfo', 'utf8')))
          await mustRun('umount', [mount]);
      },
    },
  ];
}

async function removeRoutes(config: ClusterConfig): Promise<void> {
  const pods = parseCIDR(config.clusterCIDR)!;
  const entries = JSON.parse(
    (await mustRun('ip', ['-4', '-json', 'route', 'show', 'table', 'all'])) || '[]',
  ) as { dst?: string; type?: string; dev?: string; gateway?: string }[];
  for (const { dst, type, gateway } of entries) {
    const cidr = dst && dst !== 'default' ? parseCIDR(dst.includes('/') ? dst : `${dst}/32`) : undefined;
    if (!cidr) continue;
    if (type === 'local' && dst === config.serviceCIDR)
      await mustRun('ip', ['route', 'del', 'local', dst, 'dev', 'lo']);
    // Routes to other nodes' pods; those of interfaces go with them.
    else if (gateway && cidrContains(pods, addressAt(cidr, 0)))
      await mustRun('ip', ['route', 'del', dst!, 'via', gateway]);
  }
}

/** Mount points below a directory, the deepest first; `mountinfo` as in proc(5). */
export function mountsUnder(directory: string, mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) =>
      path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
    )
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
}

/** Entries of a data directory. Nothing else is removed, whatever `--data-dir` was pointed at. */
const ownEntries =
  /^(config\.yaml|machine\.json|pki|store(\.restoring|\.before-[\dTZ-]+)?|kubelet|run|log|cache|[a-z-]+\.conf)$/;

/** Removes the data directory's own entries, and the directory itself if nothing else is in it. */
export function removeFilesStep(paths: Paths): Step {
  return {
    title: `remove ${paths.root}`,
    async run(say) {
      if (!existsSync(paths.root)) return;
      for (const entry of readdirSync(paths.root))
        if (ownEntries.test(entry)) rmSync(join(paths.root, entry), { recursive: true, force: true });
      const foreign = readdirSync(paths.root);
      if (foreign.length) say(`${paths.root} stays: ${foreign.join(', ')} in it is not of the cluster`);
      else rmdirSync(paths.root);
    },
  };
}
