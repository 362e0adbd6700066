import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { type Pack, pack } from 'tar-stream';
import { runProgram } from './program.ts';

/** Prefix of all images that tests make, so that they can be told from a user's. */
export const imagePrefix = 'nekalakube-test';

export const busyboxImage = `${imagePrefix}/busybox:1`;

const applets = [
  'sh',
  'echo',
  'sleep',
  'cat',
  'ls',
  'wget',
  'nc',
  'httpd',
  'nslookup',
  'ip',
  'ps',
  'env',
  'id',
  'hostname',
  'kill',
  'touch',
  'rm',
  'true',
  'false',
  'date',
  'seq',
  'head',
  'stty',
  'tty',
  'mkdir',
];

const epoch = new Date(0);

/** The file system: Debian's static busybox, a link an applet, and a few empty directories. */
async function busyboxLayer(): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: 'bin/busybox', mode: 0o755, mtime: epoch }, readFileSync('/usr/bin/busybox'));
  for (const name of applets)
    archive.entry({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox', mtime: epoch });
  for (const name of ['etc', 'tmp', 'www', 'var'])
    archive.entry({ name, type: 'directory', mode: name === 'tmp' ? 0o1777 : 0o755, mtime: epoch });
  archive.entry({ name: 'etc/passwd', mtime: epoch }, 'root:x:0:0:root:/:/bin/sh\n');
  return finished(archive);
}

function finished(archive: Pack): Promise<Buffer> {
  archive.finalize();
  return buffer(archive);
}

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

/**
 * Makes an image of busybox under a tag. The same content has the same image id however often it is made, so
 * tests may make it side by side and leave no untagged image behind.
 */
export async function makeBusyboxImage(tag = busyboxImage): Promise<void> {
  const layer = await busyboxLayer();
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: epoch.toISOString(),
    config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created: epoch.toISOString(), created_by: imagePrefix }],
  });
  const configName = `${sha256(config)}.json`;
  const archive = pack();
  archive.entry({ name: 'layer.tar' }, layer);
  archive.entry({ name: configName }, config);
  archive.entry(
    { name: 'manifest.json' },
    JSON.stringify([{ Config: configName, RepoTags: [tag], Layers: ['layer.tar'] }]),
  );
  const bytes = await finished(archive);
  const { code, stderr } = await runProgram('docker', ['load', '--quiet'], { input: bytes });
  if (code !== 0) throw new Error(`docker load ${tag}: ${stderr}`);
}
