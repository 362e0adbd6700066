import { type FlagDeclarations, FlagError, parseFlags } from '../../api/flags.ts';
import { ChaosRun } from './store-run.ts';

/** Runs the checker for as long as asked: `node test/chaos/store-check.ts --seconds 600 --target etcd --power-cuts`. */
const flags = {
  seconds: { type: 'number', default: 60, help: 'how long to disturb' },
  target: { type: 'string', default: 'store', help: 'store or etcd' },
  clients: { type: 'number', default: 6, help: 'concurrent clients' },
  seed: { type: 'number', default: 1, help: 'what the clients do and when they are disturbed' },
  'power-cuts': {
    type: 'boolean',
    default: false,
    help: 'keep the data on a disk of its own and cut its power with most kills; needs root',
  },
  'min-operations': { type: 'number', default: 500, help: 'fewer make the run a failure' },
} as const satisfies FlagDeclarations;

try {
  const values = parseFlags(flags, process.argv.slice(2));
  if (values.target !== 'store' && values.target !== 'etcd') throw new FlagError('--target: store or etcd');
  const { seconds, clients, seed, target } = values;
  const result = await new ChaosRun({
    kind: target,
    seconds,
    clients,
    seed,
    minOperations: values['min-operations'],
    minKills: 1,
    powerCuts: values['power-cuts'],
  }).run();
  const { problems, ...counts } = result;
  if (result.operations < values['min-operations'])
    problems.push(`only ${result.operations} operations were made`);
  process.stdout.write(`${target}: ${JSON.stringify(counts)}\n${problems.join('\n')}\n`);
  process.stdout.write(problems.length === 0 ? 'every promise was kept\n' : `${problems.length} problems\n`);
  process.exit(problems.length === 0 ? 0 : 1);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
