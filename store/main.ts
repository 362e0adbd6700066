import { setFlagsFromString } from 'node:v8';
import { FlagError, flagHelp, parseFlags } from '../api/flags.ts';
import { type StoreFlags, storeFlags } from './flags.ts';
import { createLog } from './log.ts';
import { StoreServer } from './server.ts';

function readFlags(argv: readonly string[]): StoreFlags {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(flagHelp('store', storeFlags));
    process.exit(0);
  }
  try {
    return parseFlags(storeFlags, argv);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

// Buffers count like the rest of the heap, which doubles before all of it is collected. Otherwise that would happen
// for every 64 MiB of requests, while what it costs grows with the number of keys.
setFlagsFromString('--external-memory-accounted-in-global-limit');
setFlagsFromString('--heap-growing-percent=100');

const flags = readFlags(process.argv.slice(2));
const log = createLog(flags['log-level']);
try {
  const server = await StoreServer.start(flags, log);
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      log.info({ signal }, 'stopping');
      server.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'could not stop cleanly');
          process.exit(1);
        },
      );
    });
} catch (error) {
  log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
  process.exit(1);
}
