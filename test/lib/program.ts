import { spawn } from 'node:child_process';

export interface ProgramResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface ProgramOptions {
  environment?: Record<string, string | undefined>;
  input?: string | Uint8Array;
  cwd?: string;
  /** Ends the program after this long; its code is then 124. */
  seconds?: number;
}

/** Runs a program to its end and collects what it printed. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const running = startProgram(program, args, options);
  running.child.stdin?.end(options.input ?? '');
  const seconds = options.seconds ?? 120;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    running.child.kill('SIGKILL');
  }, seconds * 1000);
  return running.ended.then((code) => {
    clearTimeout(timer);
    const note = late ? `\n${program} ${args.join(' ')}: not done after ${seconds} s` : '';
    return { code: late ? 124 : code, stdout: running.stdout(), stderr: running.stderr() + note };
  });
}

/** A program under way, such as `kubectl get --watch`. */
export interface RunningProgram {
  child: ReturnType<typeof spawn>;
  /** What it printed until now. */
  stdout(): string;
  stderr(): string;
  /** Its exit code, once it ended. */
  ended: Promise<number>;
  /** Ends it and waits. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a program whose output is looked at while it runs. */
export function startProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): RunningProgram {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
    ...(options.cwd && { cwd: options.cwd }),
  });
  child.stdin.on('error', () => {}); // it may end without reading
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      stderr += error.message;
      resolve(127);
    });
    child.once('close', (code) => resolve(code ?? 1));
  });
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await ended;
    },
  };
}
