// The import rule between the rooms of the repository. Usage: check-imports.ts; exits with 1 if it is broken.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** What a room may import besides itself. Nothing imports a process's room: processes meet on the wire. */
export const allowedRooms: Readonly<Record<string, readonly string[]>> = {
  api: [],
  client: ['api'],
  store: ['api'],
  apiserver: ['api', 'client'],
  scheduler: ['api', 'client'],
  'controller-manager': ['api', 'client'],
  kubelet: ['api', 'client'],
  proxy: ['api', 'client'],
  deploy: ['api', 'client'],
};

/** Tests start real servers of other rooms. */
const isTest = (path: string) => /\.test\.ts$|(^|\/)(test|testing|bench)\//.test(path);

/** The generator of api/types writes files; it is no part of the vocabulary. */
const isGenerator = (path: string) => path.startsWith('api/generate/');

const statement =
  /^\s*(?:import|export)\s+(?<type>type\s)?[^'"`;]*?from\s*['"](?<from>[^'"]+)['"]|^\s*import\s*['"](?<bare>[^'"]+)['"]|\bimport\(\s*['"](?<dynamic>[^'"]+)['"]\s*\)/gm;

/** What is wrong with one file's imports, one sentence each. `path` is relative to the repository. */
export function importProblems(path: string, text: string): string[] {
  const room = path.split('/')[0]!;
  const allowed = allowedRooms[room];
  if (!allowed || isTest(path) || isGenerator(path)) return [];
  const problems: string[] = [];
  for (const match of text.matchAll(statement)) {
    const { type, from, bare, dynamic } = match.groups as Record<string, string | undefined>;
    const target = from ?? bare ?? dynamic ?? '';
    if (target.startsWith('.')) {
      const other = normalize(join(dirname(path), target)).split('/')[0]!;
      if (other !== room && !allowed.includes(other))
        problems.push(`${path}: ${room} may not import ${other} (${target})`);
    } else if (room === 'api' && target.startsWith('node:') && target !== 'node:buffer' && !type)
      problems.push(`${path}: api is pure and may not import ${target}`);
  }
  return problems;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  const files = Object.keys(allowedRooms).flatMap((room) => globSync(`${room}/**/*.ts`, { cwd: root }));
  const problems = files.flatMap((path) => importProblems(path, readFileSync(join(root, path), 'utf8')));
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length ? 1 : 0;
}
