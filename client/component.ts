import { pino } from 'pino';
import { type FlagDeclarations, FlagError, type FlagValues, flagHelp, parseFlags } from '../api/flags.ts';
import { version } from './version.ts';

export interface ComponentContext {
  log: pino.Logger;
  /** Aborts on SIGTERM or SIGINT. */
  signal: AbortSignal;
}

export interface Component<F extends FlagDeclarations> {
  name: string;
  flags: F;
  /** Builds and runs the component; resolves when it has stopped cleanly after `signal`. */
  start(values: FlagValues<F>, context: ComponentContext): Promise<void>;
}

/** Flags that every component takes. */
const common = {
  v: { type: 'number', default: 2, help: 'log verbosity: 0 warnings, 2 information, 4 and more debug' },
} as const satisfies FlagDeclarations;

const levelOf = (verbosity: number) => (verbosity >= 4 ? 'debug' : verbosity >= 1 ? 'info' : 'warn');

/** A stop that hangs must not keep a supervisor waiting. */
const longestStop = 20_000;

/**
 * The main function of a process: reads flags, sets up the log and the stop signal, runs, and exits with 0
 * after a clean stop and 1 after a wrong command line or a failure.
 */
export async function runComponent<const F extends FlagDeclarations>(component: Component<F>): Promise<void> {
  const argv = process.argv.slice(2);
  const flags = { ...common, ...component.flags };
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(flagHelp(component.name, flags));
    return;
  }
  if (argv.includes('--version')) {
    process.stdout.write(`Nekalakube ${version.gitVersion}\n`);
    return;
  }
  let values: FlagValues<F> & { v: number };
  try {
    values = parseFlags(flags, argv) as FlagValues<F> & { v: number };
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${component.name}: ${error.message}\nSee '${component.name} --help'.\n`);
    process.exitCode = 1;
    return;
  }
  const log = pino(
    { name: component.name, level: levelOf(values.v), base: { name: component.name } },
    pino.destination(2),
  );
  const stopping = new AbortController();
  const stop = (signal: string) => {
    if (stopping.signal.aborted) process.exit(1);
    log.info({ signal }, 'stopping');
    stopping.abort();
    setTimeout(() => {
      log.error({}, 'stop took too long');
      process.exit(1);
    }, longestStop).unref();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('unhandledRejection', (error) => {
    // A bug: the state of whoever forgot to wait is unknown, and a restart converges.
    log.fatal({ err: error }, 'unhandled rejection');
    process.exit(1);
  });
  try {
    await component.start(values, { log, signal: stopping.signal });
    process.exit(0);
  } catch (error) {
    log.fatal({ err: error }, (error as Error).message);
    process.exit(1);
  }
}
