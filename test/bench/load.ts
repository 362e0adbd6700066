/** What a number of operations took. Times are milliseconds. */
export interface Load {
  perSecond: number;
  p50: number;
  p99: number;
  max: number;
}

/** Runs `count` operations with so many in flight; `worker` is which of these runs it. */
export async function load(
  count: number,
  inFlight: number,
  operation: (i: number, worker: number) => Promise<unknown>,
): Promise<Load> {
  const times: number[] = [];
  let next = 0;
  const start = performance.now();
  const work = async (worker: number) => {
    while (next < count) {
      const i = next++;
      const begin = performance.now();
      await operation(i, worker);
      times.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, worker) => work(worker)));
  return { perSecond: count / ((performance.now() - start) / 1000), ...quantiles(times) };
}

export function quantiles(times: number[]): Omit<Load, 'perSecond'> {
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export const showTimes = ({ p50, p99 }: Pick<Load, 'p50' | 'p99'>) =>
  `p50 ${p50.toFixed(2)} ms p99 ${p99.toFixed(2)} ms`;

export const showLoad = (load: Load) => `${Math.round(load.perSecond)}/s ${showTimes(load)}`;
