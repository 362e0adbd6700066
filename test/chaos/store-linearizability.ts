/**
 * Decides whether a history of one key could have happened one operation after the other, each at some moment
 * between its call and its return: Wing & Gong's search as in Knossos and Porcupine, kept small by following
 * time. Values are unique, so a key's state is its value.
 */

/** What was asked of the key and what came back; `undefined` results are of calls whose outcome is unknown. */
export type Operation =
  | { kind: 'put'; value: string }
  | { kind: 'delete'; deleted: boolean | undefined }
  | { kind: 'get'; value: string | null | undefined }
  | { kind: 'swap'; from: string | null; value: string; succeeded: boolean | undefined };

export interface Recorded {
  operation: Operation;
  client: number;
  call: number;
  /** Infinity when the outcome is unknown: it may take effect at any time until `expires`, or never. */
  return: number;
  /** When the process that was asked was dead. */
  expires?: number;
}

type State = string | null;

/** The state after an operation, or undefined when the operation cannot have had its result in that state. */
export function step(state: State, operation: Operation): State | undefined {
  switch (operation.kind) {
    case 'put':
      return operation.value;
    case 'delete':
      if (operation.deleted !== undefined && operation.deleted !== (state !== null)) return undefined;
      return null;
    case 'get':
      return operation.value === undefined || operation.value === state ? state : undefined;
    case 'swap': {
      const succeeded = state === operation.from;
      if (operation.succeeded !== undefined && operation.succeeded !== succeeded) return undefined;
      return succeeded ? operation.value : state;
    }
  }
}

interface Configuration {
  state: State;
  /** Open operations that have taken effect already. */
  done: ReadonlySet<number>;
}

const nameOf = ({ state, done }: Configuration) => `${state}|${[...done].sort((a, b) => a - b).join()}`;

/** Undefined when the history is linearizable; else the operations around the first one that fits nowhere. */
export function findViolation(history: readonly Recorded[]): Recorded[] | undefined {
  const operations = [...history].sort((a, b) => a.call - b.call);
  const events = operations.flatMap((operation, id) => {
    const isKnown = operation.return !== Number.POSITIVE_INFINITY;
    const end = isKnown ? operation.return : operation.expires;
    const call = { time: operation.call, id, what: 'call' };
    return end === undefined ? [call] : [call, { time: end, id, what: isKnown ? 'return' : 'expire' }];
  });
  events.sort((a, b) => a.time - b.time || Number(a.what !== 'call') - Number(b.what !== 'call'));
  const open = new Set<number>();
  let configurations: Configuration[] = [{ state: null, done: new Set() }];
  for (const { id, what } of events) {
    if (what === 'call') {
      open.add(id);
      continue;
    }
    if (what === 'expire') {
      configurations = expire(id, configurations, open, operations);
      open.delete(id);
      continue;
    }
    configurations = settle(id, configurations, open, operations);
    if (configurations.length === 0) {
      const end = operations[id]!.return;
      return operations.filter((other) => other.call <= end).slice(-20);
    }
    open.delete(id);
  }
  return undefined;
}

/**
 * All configurations after the last moment at which operation `id` can have taken effect: those in which it has
 * and those in which it never will. It may have gone before or after others that are still open.
 */
function expire(
  id: number,
  before: readonly Configuration[],
  open: ReadonlySet<number>,
  operations: readonly Recorded[],
): Configuration[] {
  const never = before.filter(({ done }) => !done.has(id));
  const result = new Map(never.map((configuration) => [nameOf(configuration), configuration]));
  for (const configuration of settle(id, before, open, operations))
    result.set(nameOf(configuration), configuration);
  return [...result.values()];
}

/** All configurations in which operation `id` has taken effect, with other open ones before it where needed. */
function settle(
  id: number,
  before: readonly Configuration[],
  open: ReadonlySet<number>,
  operations: readonly Recorded[],
): Configuration[] {
  const seen = new Set<string>();
  const result = new Map<string, Configuration>();
  const work = [...before];
  for (let configuration = work.pop(); configuration; configuration = work.pop()) {
    const name = nameOf(configuration);
    if (seen.has(name)) continue;
    seen.add(name);
    if (configuration.done.has(id)) {
      const done = new Set(configuration.done);
      done.delete(id);
      const settled = { state: configuration.state, done };
      result.set(nameOf(settled), settled);
      continue;
    }
    for (const next of open) {
      if (configuration.done.has(next)) continue;
      const state = step(configuration.state, operations[next]!.operation);
      if (state !== undefined) work.push({ state, done: new Set([...configuration.done, next]) });
    }
  }
  return [...result.values()];
}

/** A history short enough to read. */
export function printHistory(key: string, history: readonly Recorded[]): string {
  const start = history[0]?.call ?? 0;
  const lines = history.map(
    ({ client, call, return: end, operation }) =>
      `  client ${client} ${(call - start).toFixed(2)}..${(end - start).toFixed(2)} ms ${JSON.stringify(operation)}`,
  );
  return [`key ${key}:`, ...lines].join('\n');
}
