import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Volume } from '../../api/types/core-v1.ts';

/** Kubernetes' names of the volume kinds in the paths below a pod's directory. */
const pluginOf = (volume: Volume): string => {
  if (volume.emptyDir) return 'kubernetes.io~empty-dir';
  if (volume.configMap) return 'kubernetes.io~configmap';
  if (volume.secret) return 'kubernetes.io~secret';
  if (volume.downwardAPI) return 'kubernetes.io~downward-api';
  return 'kubernetes.io~projected';
};

/** Where the kubelet keeps one pod's files: the layout of Kubernetes' own kubelet. */
export class PodDirectory {
  readonly path: string;

  constructor(rootDirectory: string, uid: string) {
    this.path = join(rootDirectory, 'pods', uid);
  }

  get volumes(): string {
    return join(this.path, 'volumes');
  }

  volume(volume: Volume): string {
    return join(this.volumes, pluginOf(volume), volume.name);
  }

  get etcHosts(): string {
    return join(this.path, 'etc-hosts');
  }

  get resolvConf(): string {
    return join(this.path, 'resolv.conf');
  }

  /** The termination message file of one attempt. */
  terminationMessage(container: string, attempt: number): string {
    return join(this.path, 'containers', container, String(attempt));
  }
}

/** UIDs of pods that have a folder on the node. */
export async function podsWithFiles(rootDirectory: string): Promise<string[]> {
  try {
    return await readdir(join(rootDirectory, 'pods'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
