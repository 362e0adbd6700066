import type { Pod } from '../../api/types/core-v1.ts';

/** https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode */

export const indexAnnotation = 'batch.kubernetes.io/job-completion-index';

/** A pod's completion index; undefined if it has none or the job has no such index. */
export function indexOf(pod: Pod, completions: number): number | undefined {
  const text = pod.metadata?.annotations?.[indexAnnotation];
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const index = Number(text);
  return index < completions ? index : undefined;
}

/** Reads the compressed form of a status: `1,3-5,7`. Indexes from `completions` on are left out. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const result = new Set<number>();
  for (const part of text ? text.split(',') : []) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) continue;
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
    for (let index = Number(match[1]); index <= last; index++) result.add(index);
  }
  return result;
}

/** The compressed form: two neighbours stand as `1,2`, three and more as `1-3`. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    const first = sorted[i]!;
    let last = first;
    while (sorted[i + 1] === last + 1) last = sorted[++i]!;
    i++;
    if (last === first) parts.push(String(first));
    else parts.push(last === first + 1 ? `${first},${last}` : `${first}-${last}`);
  }
  return parts.join(',');
}

/** The first `count` indexes below `completions` that are not taken. */
export function firstFree(count: number, completions: number, taken: ReadonlySet<number>): number[] {
  const result: number[] = [];
  for (let index = 0; index < completions && result.length < count; index++)
    if (!taken.has(index)) result.push(index);
  return result;
}
