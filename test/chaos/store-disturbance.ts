import type { FaultPoint } from '../../store/fault.ts';
import { largestValue } from './store-values.ts';

/**
 * How large the values are that clients write. Large ones fill a log file of LevelDB within a life; in a flood
 * large transactions are written too, which together fill a log file of etcd, of 64 MiB.
 */
export type Sizes = 'small' | 'mixed' | 'large' | 'flood';

/** What happens to a process from its start to its end. */
export interface Life {
  /** It is interrupted after so many, unless a fault strikes first. */
  operations: number;
  /** Where it kills itself, and at which passing. */
  fault?: { point: FaultPoint; passes: number };
  sizes: Sizes;
  pause: boolean;
  /** A compaction is under way at the end. */
  compaction: boolean;
  /** A snapshot is under way at the end. */
  snapshot: boolean;
  /** Of a power cut: the share that survives of what the disk was given and not told to flush. */
  kept: number | undefined;
  /** Before this life, the process is interrupted so many milliseconds after its start. */
  stillborn: number | undefined;
}

/** Fault points in the order of the lives they strike in, and the latest passing at which they do. */
const faults: ({ point: FaultPoint; latest: number } | undefined)[] = [
  undefined,
  { point: 'during-snapshot', latest: 1 },
  { point: 'during-commit', latest: 150 },
  { point: 'after-checkpoint', latest: 2 },
  { point: 'during-compaction', latest: 1 },
  { point: 'after-commit', latest: 150 },
  undefined,
  { point: 'before-commit', latest: 150 },
  { point: 'during-apply', latest: 40 },
  { point: 'before-compaction', latest: 2 },
  { point: 'during-snapshot', latest: 3 },
  { point: 'before-apply', latest: 40 },
  { point: 'after-publish', latest: 150 },
];
const sizes: Sizes[] = ['mixed', 'large', 'small', 'flood', 'small', 'mixed', 'large'];
const lengths: Record<Sizes, number> = { small: 200, mixed: 200, large: 350, flood: 200 };
const kept = [0, 0.5, 0, 1, undefined, 0.1];

/** The n-th life of a run; the numbers of `random` decide the details. */
export function planLife(round: number, random: () => number): Life {
  const fault = faults[round % faults.length];
  const size = sizes[round % sizes.length]!;
  const stillborn = random() * 2000;
  // A compaction works in steps, and many must be written for it to have one.
  const full = size === 'large' || size === 'flood' || fault?.point === 'during-compaction';
  return {
    operations: lengths[size] * (full ? 1 : 0.1 + 0.9 * random()),
    fault: fault && { point: fault.point, passes: 1 + Math.floor(random() * fault.latest) },
    sizes: size,
    pause: round % 3 === 2,
    compaction: random() < 0.7,
    snapshot: fault?.point === 'during-snapshot' || random() < 0.3,
    kept: kept[Math.floor(random() * kept.length)],
    stillborn: stillborn < 500 ? stillborn : undefined,
  };
}

/** Bytes of one value. */
export function valueSize(sizes: Sizes, random: () => number): number {
  if (sizes === 'large' || sizes === 'flood') return Math.floor((0.3 + 0.7 * random()) * largestValue);
  if (sizes === 'small' || random() < 0.7) return 0;
  return Math.floor(random() ** 3 * largestValue);
}

/** The share of large transactions among the operations, and bytes of each of its values. */
export function bulkLoad(sizes: Sizes): { share: number; size: number } {
  return sizes === 'flood' ? { share: 0.5, size: 10 * 1024 } : { share: 0.06, size: 0 };
}
