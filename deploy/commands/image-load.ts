import { spawn } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { DockerApi, DockerError } from '../engine/docker-api.ts';
import { pathsOf } from '../paths.ts';
import { requireConfig } from '../saved-config.ts';
import { UserError } from '../user-error.ts';

/**
 * Puts an image onto the node without a registry: a tar as `docker save` writes it, or the name of an image
 * that the local engine has.
 */
export async function imageLoad(options: { dataDir: string; source: string }): Promise<void> {
  const config = requireConfig(pathsOf(options.dataDir));
  const docker = new DockerApi(config.dockerHost);
  if (existsSync(options.source)) {
    for (const line of await docker.load(createReadStream(options.source))) process.stdout.write(`${line}\n`);
    return;
  }
  const has = await docker.inspectImage(options.source).catch((error: Error) => {
    if (error instanceof DockerError && error.code === 404) return undefined;
    throw error;
  });
  if (has) {
    process.stdout.write(`${options.source}: the node has it already (${has.Id.slice(7, 19)})\n`);
    return;
  }
  await copyFromLocalEngine(options.source, docker);
}

/** Streams `docker save` of the user's own engine, which may be another than the node's, into the node's. */
async function copyFromLocalEngine(reference: string, docker: DockerApi): Promise<void> {
  const save = spawn('docker', ['save', reference], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  save.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const code = new Promise<number>((resolve) => {
    save.once('error', (error) => {
      complaint = error.message;
      resolve(127);
    });
    save.once('close', (status) => resolve(status ?? 1));
  });
  const missing = () =>
    new UserError(
      `${reference}: neither a file nor an image of the local Docker Engine: ${complaint.trim()}`,
    );
  const lines = await docker.load(save.stdout).catch(async (error: Error) => {
    throw (await code) === 0 ? error : missing();
  });
  if ((await code) !== 0) throw missing();
  for (const line of lines) process.stdout.write(`${line}\n`);
}
