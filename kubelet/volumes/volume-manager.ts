import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { bytes } from '../../api/quantity.ts';
import type { Pod, Volume } from '../../api/types/core-v1.ts';
import { writeAtomically } from './atomic-writer.ts';
import { prepareHostPath } from './host-path.ts';
import { mountMemory, unmountBelow } from './mounts.ts';
import { PodDirectory } from './pod-directory.ts';
import { type ProjectionInput, projectVolume } from './projections.ts';
import { VolumeError } from './volume-error.ts';

/** One volume that could not be set up; the message is the kubelet's for the event `FailedMount`. */
export class MountFailure extends Error {
  override name = 'MountFailure';
  constructor(volume: string, cause: Error) {
    super(`MountVolume.SetUp failed for volume "${volume}" : ${cause.message}`, { cause });
  }
}

const kindOf = (volume: Volume): string => Object.keys(volume).find((key) => key !== 'name') ?? 'none';

/** Folders of secrets are kept in memory only, so that they never reach the disk. */
const secretSize = 0;

const holdsSecrets = (volume: Volume): boolean =>
  volume.secret !== undefined ||
  (volume.projected?.sources ?? []).some((source) => source.secret ?? source.serviceAccountToken);

async function setUpEmptyDir(pod: Pod, volume: Volume, path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  const { medium, sizeLimit } = volume.emptyDir ?? {};
  if (medium === 'Memory') await mountMemory(path, bytes(sizeLimit));
  else if (medium) throw new VolumeError(`unknown storage medium ${JSON.stringify(medium)}`);
  const group = pod.spec?.securityContext?.fsGroup;
  if (group === undefined) return chmod(path, 0o777);
  await chown(path, 0, group);
  // New files belong to the group: setgid.
  await chmod(path, 0o2777);
}

/**
 * Sets up one volume, or brings its files up to date. Idempotent.
 * @returns its path on the node
 */
async function setUp(input: ProjectionInput, volume: Volume, directory: PodDirectory): Promise<string> {
  if (volume.hostPath) {
    await prepareHostPath(volume.hostPath);
    return volume.hostPath.path;
  }
  const path = directory.volume(volume);
  if (volume.emptyDir) {
    await setUpEmptyDir(input.pod, volume, path);
    return path;
  }
  const projection = projectVolume(input, volume);
  if (!projection) throw new VolumeError(`volume type ${kindOf(volume)} is not supported by this kubelet`);
  await mkdir(path, { recursive: true });
  if (holdsSecrets(volume)) await mountMemory(path, secretSize);
  await chmod(path, 0o755);
  await writeAtomically(path, projection, { group: input.pod.spec?.securityContext?.fsGroup });
  return path;
}

/**
 * Sets up all volumes of a pod side by side.
 * @returns each volume's path on the node, by name
 * @throws {MountFailure} for the first that fails
 */
export async function setUpVolumes(
  input: ProjectionInput,
  rootDirectory: string,
): Promise<Map<string, string>> {
  const directory = new PodDirectory(rootDirectory, input.pod.metadata?.uid ?? '');
  await mkdir(directory.path, { recursive: true, mode: 0o750 });
  const set = (input.pod.spec?.volumes ?? []).map(async (volume) => {
    try {
      return [volume.name, await setUp(input, volume, directory)] as const;
    } catch (error) {
      throw new MountFailure(volume.name, error as Error);
    }
  });
  return new Map(await Promise.all(set));
}

/** Removes the volumes of a pod that has ended; its logs and messages stay until it is deleted. */
export async function tearDownVolumes(rootDirectory: string, uid: string): Promise<void> {
  const { volumes } = new PodDirectory(rootDirectory, uid);
  await unmountBelow(volumes);
  await rm(volumes, { recursive: true, force: true });
}

/** Removes everything that a pod has on the node, with its mounts. */
export async function tearDownPod(rootDirectory: string, uid: string): Promise<void> {
  const { path } = new PodDirectory(rootDirectory, uid);
  await unmountBelow(path);
  await rm(path, { recursive: true, force: true });
}
