import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { hasStatus } from './docker-errors.ts';
import type { Architecture } from './elf.ts';
import { pauseProgram } from './pause-program.ts';

/** The sandbox image that the kubelet makes itself. Its tag changes when the program in it changes. */
export const pauseImage = 'nekalakube/pause:1';

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

async function tar(files: { name: string; bytes: Uint8Array | string; mode: number }[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, bytes, mode } of files)
    archive.entry({ name, mode, mtime: new Date(0), uid: 0, gid: 0, type: 'file' }, Buffer.from(bytes));
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * The pause image as `docker save` would write it: the same bytes for the same architecture.
 * https://github.com/moby/moby/blob/master/image/spec/v1.2.md
 */
export async function pauseImageArchive(architecture: Architecture): Promise<Buffer> {
  const layer = await tar([{ name: 'pause', bytes: pauseProgram(architecture), mode: 0o755 }]);
  const config = JSON.stringify({
    architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Entrypoint: ['/pause'], WorkingDir: '/', Env: ['PATH=/'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'nekalakube kubelet: sandbox process' }],
  });
  const configName = `${sha256(config)}.json`;
  const layerName = `${sha256(layer)}.tar`;
  const manifest = [{ Config: configName, RepoTags: [pauseImage], Layers: [layerName] }];
  return tar([
    { name: layerName, bytes: layer, mode: 0o644 },
    { name: configName, bytes: config, mode: 0o644 },
    { name: 'manifest.json', bytes: JSON.stringify(manifest), mode: 0o644 },
  ]);
}

async function isPresent(docker: Docker, image: string): Promise<boolean> {
  try {
    await docker.getImage(image).inspect();
    return true;
  } catch (error) {
    if (hasStatus(error, 404)) return false;
    throw error;
  }
}

/**
 * Returns an image to run sandboxes from, without the network: `configured` (`--pod-infra-container-image`)
 * if the engine has it, else `nekalakube/pause:1`, made and loaded if it is missing.
 * @throws if the engine's architecture is neither amd64 nor arm64, or the engine refuses the image.
 */
export async function ensureSandboxImage(docker: Docker, configured?: string): Promise<string> {
  if (configured && (await isPresent(docker, configured))) return configured;
  if (await isPresent(docker, pauseImage)) return pauseImage;
  const { Arch } = await docker.version();
  if (Arch !== 'amd64' && Arch !== 'arm64')
    throw new Error(
      `no sandbox image for the architecture ${Arch}: load one and name it with --pod-infra-container-image`,
    );
  const answer = await text(await docker.loadImage(Readable.from([await pauseImageArchive(Arch)])));
  if (!(await isPresent(docker, pauseImage))) throw new Error(`cannot load ${pauseImage}: ${answer.trim()}`);
  return pauseImage;
}
