import { spawn } from 'node:child_process';

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  environment?: Record<string, string>;
  cwd?: string;
  /** Shows the program's output to the user, on stderr, instead of collecting it. */
  show?: boolean;
  input?: string;
}

/** Runs a program from an argument array, never through a shell. A program that is missing gives code 127. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const output = options.show ? 2 : 'pipe';
    const child = spawn(program, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', output, output],
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, ...options.environment },
      ...(options.cwd && { cwd: options.cwd }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin?.on('error', () => {}); // it closed its input: its exit code tells why
    child.stdin?.end(options.input);
    child.once('error', (error) => resolve({ code: 127, stdout, stderr: `${program}: ${error.message}` }));
    child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}
