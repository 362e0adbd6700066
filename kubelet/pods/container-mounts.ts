import { mkdir, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { Container, Pod, VolumeMount } from '../../api/types/core-v1.ts';
import { ContainerConfigError } from '../environment/config-error.ts';
import { expand } from '../environment/expand.ts';
import type { Mount } from '../runtime/types.ts';

const propagations = { HostToContainer: 'rslave', Bidirectional: 'rshared' } as const;

export interface MountsInput {
  pod: Pod;
  container: Container;
  /** Paths of the pod's volumes on the node, by name. */
  volumes: ReadonlyMap<string, string>;
  /** For `subPathExpr`. */
  environment: ReadonlyMap<string, string>;
  /** Mounted unless the container mounts something there itself. */
  own: readonly Mount[];
}

function subPathOf(mount: VolumeMount, environment: ReadonlyMap<string, string>): string | undefined {
  const path = mount.subPathExpr
    ? expand(mount.subPathExpr, (name) => environment.get(name))
    : (mount.subPath ?? '');
  if (path === '') return undefined;
  if (isAbsolute(path) || path.split('/').includes('..'))
    throw new ContainerConfigError(
      `failed to prepare subPath for volumeMount "${mount.name}": subPath must be a relative path without '..'`,
    );
  return path;
}

/** Resolves a subPath without leaving the volume, even through links that a container planted there. */
async function resolveSubPath(volume: string, subPath: string, name: string): Promise<string> {
  const wanted = join(volume, subPath);
  try {
    const real = await realpath(wanted).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      await mkdir(wanted, { recursive: true, mode: 0o750 });
      return realpath(wanted);
    });
    const inside = relative(await realpath(volume), real);
    if (inside === '..' || inside.startsWith('../') || isAbsolute(inside))
      throw new Error('path is outside of the volume');
    return real;
  } catch (error) {
    throw new ContainerConfigError(
      `failed to prepare subPath for volumeMount "${name}": ${(error as Error).message}`,
    );
  }
}

/**
 * What is mounted into a container: its volumes, then the kubelet's own files where it mounts none itself.
 * @throws {ContainerConfigError} for a mount that cannot be made
 */
export async function containerMounts(input: MountsInput): Promise<Mount[]> {
  const { container, volumes, environment, own } = input;
  const mounts = await Promise.all(
    (container.volumeMounts ?? []).map(async (mount): Promise<Mount> => {
      const volume = volumes.get(mount.name);
      if (volume === undefined)
        throw new ContainerConfigError(
          `cannot find volume "${mount.name}" to mount into container "${container.name}"`,
        );
      const subPath = subPathOf(mount, environment);
      const propagation = propagations[mount.mountPropagation as keyof typeof propagations];
      return {
        source: subPath === undefined ? volume : await resolveSubPath(volume, subPath, mount.name),
        target: isAbsolute(mount.mountPath) ? mount.mountPath : `/${mount.mountPath}`,
        readOnly: mount.readOnly ?? false,
        ...(propagation && { propagation }),
      };
    }),
  );
  const taken = new Set(mounts.map(({ target }) => target.replace(/(.)\/+$/, '$1')));
  return [...mounts, ...own.filter(({ target }) => !taken.has(target))];
}
