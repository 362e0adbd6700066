import { parseDuration } from '../api/flags.ts';

/** How much history to keep. */
export type Retention =
  | { mode: 'none' }
  | { mode: 'periodic'; milliseconds: number }
  | { mode: 'revision'; revisions: number };

/**
 * Reads etcd's two flags; a periodic retention without a unit is hours.
 * @throws {RangeError} that names the flag.
 */
export function parseRetention(mode: string, text: string): Retention {
  const invalid = () => new RangeError(`--auto-compaction-retention: invalid value ${JSON.stringify(text)}`);
  const whole = /^\d+$/.test(text) ? Number(text) : undefined;
  if (mode !== 'periodic' && mode !== 'revision')
    throw new RangeError(`--auto-compaction-mode: must be periodic or revision, not ${JSON.stringify(mode)}`);
  if (whole === 0) return { mode: 'none' };
  if (mode === 'revision') {
    if (whole === undefined) throw invalid();
    return { mode, revisions: whole };
  }
  const milliseconds = whole !== undefined ? whole * 3_600_000 : parseDuration(text);
  if (!milliseconds) throw invalid();
  return { mode, milliseconds };
}

export interface Sample {
  time: number;
  revision: number;
}

/** Milliseconds between two looks at the history. */
export function compactionInterval(retention: Retention): number {
  if (retention.mode !== 'periodic') return 10_000;
  return Math.min(Math.max(retention.milliseconds / 10, 1000), 300_000);
}

/**
 * Decides what to compact: the revision, if any, and the samples to keep. `samples` are older looks in order,
 * and end with the present.
 */
export function planCompaction(
  retention: Retention,
  samples: readonly Sample[],
): { compact: number | undefined; samples: readonly Sample[] } {
  const present = samples.at(-1);
  if (!present || retention.mode === 'none') return { compact: undefined, samples: [] };
  if (retention.mode === 'revision') {
    const target = present.revision - retention.revisions;
    return { compact: target > 0 ? target : undefined, samples: [] };
  }
  const old = samples.findLastIndex(({ time }) => time <= present.time - retention.milliseconds);
  if (old < 0) return { compact: undefined, samples };
  return { compact: samples[old]!.revision, samples: samples.slice(old + 1) };
}

/** Compacts from time to time. */
export class AutoCompaction {
  private readonly timer: NodeJS.Timeout | undefined;
  private samples: readonly Sample[] = [];

  constructor(options: {
    retention: Retention;
    now: () => number;
    revision: () => number;
    compactRevision: () => number;
    compact: (revision: number) => Promise<void>;
    onError: (error: unknown) => void;
  }) {
    const { retention, now, revision, compactRevision, compact, onError } = options;
    if (retention.mode === 'none') return;
    this.timer = setInterval(() => {
      const plan = planCompaction(retention, [...this.samples, { time: now(), revision: revision() }]);
      this.samples = plan.samples;
      if (plan.compact !== undefined && plan.compact > compactRevision())
        compact(plan.compact).catch(onError);
    }, compactionInterval(retention));
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
