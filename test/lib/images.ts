import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pack } from 'tar-stream';
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

/** Makes an image that holds nothing but Debian's static busybox. Tags of the same content share it. */
export async function makeBusyboxImage(tag = busyboxImage): Promise<void> {
  const archive = pack();
  const busybox = readFileSync('/usr/bin/busybox');
  archive.entry({ name: 'bin/busybox', mode: 0o755, mtime: new Date(0) }, busybox);
  for (const name of applets)
    archive.entry({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox', mtime: new Date(0) });
  for (const name of ['etc', 'tmp', 'www', 'var'])
    archive.entry({ name, type: 'directory', mode: name === 'tmp' ? 0o1777 : 0o755, mtime: new Date(0) });
  archive.entry({ name: 'etc/passwd' }, 'root:x:0:0:root:/:/bin/sh\n');
  archive.finalize();
  const load = spawn('docker', ['import', '--change', 'ENV PATH=/bin', '--change', 'CMD ["sh"]', '-', tag], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let complaint = '';
  load.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  archive.pipe(load.stdin);
  const code = await new Promise<number>((resolve) => load.once('close', (status) => resolve(status ?? 1)));
  if (code !== 0) throw new Error(`docker import ${tag}: ${complaint}`);
}

/** Removes every image that a test made. */
export async function removeTestImages(): Promise<void> {
  const list = await runProgram('docker', ['images', '--quiet', '--filter', `reference=${imagePrefix}/*`]);
  const ids = [...new Set(list.stdout.split('\n').filter(Boolean))];
  if (ids.length) await runProgram('docker', ['rmi', '--force', ...ids]);
}
