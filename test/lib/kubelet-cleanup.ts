import { DockerPodNetwork } from '../../kubelet/network/docker-pod-network.ts';
import { connectDocker } from '../../kubelet/runtime/docker-client.ts';
import { unmountBelow } from '../../kubelet/volumes/mounts.ts';
import { runProgram } from './program.ts';

/** Takes away all that a kubelet of this cluster name left in the engine, in the network and in mounts. */
export async function runKubeletCleanup(options: {
  clusterName: string;
  nodeName: string;
  bridgeName: string;
  clusterCIDR: string;
  rootDirectory: string;
}): Promise<void> {
  const { clusterName, nodeName, bridgeName, clusterCIDR, rootDirectory } = options;
  const list = await runProgram('docker', [
    'ps',
    '--all',
    '--quiet',
    '--filter',
    `label=nekalakube.io/cluster=${clusterName}`,
  ]);
  const ids = list.stdout.split('\n').filter(Boolean);
  if (ids.length > 0) await runProgram('docker', ['rm', '--force', '--volumes', ...ids]);
  await unmountBelow(rootDirectory);
  const docker = connectDocker('unix:///var/run/docker.sock');
  await new DockerPodNetwork({ docker, clusterName, nodeName, bridge: bridgeName, clusterCIDR }).cleanup();
}
