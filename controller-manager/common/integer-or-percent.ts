/**
 * The number that an int-or-string stands for: itself, or a percentage of `total` rounded as asked.
 * Anything else counts as 0; validation keeps it out of stored objects.
 */
export function scaledValue(value: number | string | undefined, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value ?? '')?.[1];
  if (percent === undefined) return 0;
  const exact = (Number(percent) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
