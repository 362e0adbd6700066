import { existsSync } from 'node:fs';
import { stopProcesses } from '../cluster-processes.ts';
import type { ClusterConfig } from '../config.ts';
import { type ContainerSummary, DockerApi } from '../engine/docker-api.ts';
import { acquireLock } from '../lock.ts';
import { type Paths, pathsOf } from '../paths.ts';
import { readPidFile, removePidFile } from '../processes.ts';
import { runSteps, type Step } from '../progress.ts';
import { readConfig } from '../saved-config.ts';
import { endProcess } from '../supervised-process.ts';
import { stopService } from '../systemd.ts';
import { UserError } from '../user-error.ts';

export interface DownOptions {
  dataDir: string;
  purge: boolean;
  /** Names the cluster where its configuration is lost already. */
  clusterName?: string;
}

export const clusterLabel = 'nekalakube.io/cluster';

/** Seconds between the signals of a container's stop. */
const grace = 10;

/** Stops the cluster: processes in order, then pods' containers. With `purge` nothing of it stays. */
export async function down(options: DownOptions): Promise<void> {
  const paths = pathsOf(options.dataDir);
  const lock = await acquireLock(`up:${paths.root}`);
  if (!lock) throw new UserError(`another nkube up or down works on ${paths.root}: wait until it is done`);
  try {
    const config = readConfig(paths);
    const clusterName = options.clusterName ?? config?.clusterName;
    if (!clusterName && !existsSync(paths.root)) {
      process.stdout.write(`No cluster in ${paths.root}: nothing to do.\n`);
      return;
    }
    const docker = new DockerApi(config?.dockerHost ?? 'unix:///var/run/docker.sock');
    const steps: Step[] = [
      {
        title: 'stop the processes',
        async run() {
          if (clusterName) await stopService(clusterName, options.purge);
          await stopProcesses(paths);
        },
      },
    ];
    if (clusterName) {
      if (options.purge) {
        const { purgeSteps } = await import('../purge.ts');
        steps.push(...purgeSteps({ clusterName, config, paths, docker }));
      } else steps.push(stopContainersStep(clusterName, docker));
    }
    steps.push(stopEngineStep(paths, docker));
    if (options.purge) {
      const { removeFilesStep } = await import('../purge.ts');
      steps.push(removeFilesStep(paths));
    }
    await runSteps(steps);
    process.stdout.write(closingWords(config, options.purge, paths));
  } finally {
    await lock.release();
  }
}

const closingWords = (config: ClusterConfig | undefined, purge: boolean, paths: Paths): string =>
  purge
    ? `Cluster ${config?.clusterName ?? ''} is gone: nothing of it is left on this machine.\n`.replace(
        '  ',
        ' ',
      )
    : `Cluster ${config?.clusterName ?? ''} is down. Its data stays in ${paths.root}: 'nkube up' brings it back with all objects and pods.\n`;

const isSandbox = (container: ContainerSummary) =>
  container.Names.some((name) => name.startsWith('/k8s_POD_'));

/** Containers first, then the sandboxes that hold their network, as the kubelet ends a pod. */
function stopContainersStep(clusterName: string, docker: DockerApi): Step {
  return {
    title: "stop pods' containers",
    async run(say) {
      let containers: ContainerSummary[];
      try {
        containers = await docker.containers({ label: [`${clusterLabel}=${clusterName}`] }, false);
      } catch (error) {
        say(`Docker Engine does not answer: ${(error as Error).message}`);
        return;
      }
      const stop = (chosen: ContainerSummary[]) =>
        Promise.all(chosen.map((item) => docker.stop(item.Id, grace)));
      await stop(containers.filter((item) => !isSandbox(item)));
      await stop(containers.filter(isSandbox));
    },
  };
}

/** An engine that `up` started goes too, unless somebody else has come to use it. */
function stopEngineStep(paths: Paths, docker: DockerApi): Step {
  return {
    title: 'container engine',
    async run(say) {
      const engine = readPidFile(paths.pidFile('dockerd'));
      if (!engine) return;
      const running = await docker.info().then(
        (info) => info.ContainersRunning,
        () => 0,
      );
      if (running > 0) {
        say(`${running} other containers run in it: it stays`);
        return;
      }
      await endProcess(engine, 30_000);
      removePidFile(paths.pidFile('dockerd'));
    },
  };
}
