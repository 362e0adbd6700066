import { existsSync } from 'node:fs';
import { kubectlProgram } from '../kubectl-binary.ts';
import { pathsOf } from '../paths.ts';
import { UserError } from '../user-error.ts';

/** Becomes kubectl: the terminal, signals and the exit code are kubectl's own. Does not return. */
export async function kubectl(options: { dataDir: string; args: string[] }): Promise<void> {
  const config = pathsOf(options.dataDir).kubeconfig('admin');
  if (!existsSync(config)) throw new UserError(`no cluster in ${options.dataDir}: start one with 'nkube up'`);
  const program = await kubectlProgram();
  process.execve?.(program, [program, ...options.args], { ...process.env, KUBECONFIG: config });
}
