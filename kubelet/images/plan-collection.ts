/** An image that this kubelet pulled. Times are milliseconds since the epoch. */
export interface KnownImage {
  id: string;
  sizeBytes: number;
  /** When it was pulled, or last seen in use. */
  lastUsed: number;
  inUse: boolean;
}

/** Percent of the disk: above `high` images are removed until it is at `low`. kubelet's own defaults. */
export interface Thresholds {
  high: number;
  low: number;
}

export const defaultThresholds: Thresholds = { high: 85, low: 80 };

/** An image is left alone for this long after its last use. */
const youngestMs = 2 * 60_000;

/** Which images to remove, the least recently used first, and how many bytes the threshold asks for. */
export function planCollection(options: {
  capacityBytes: number;
  availableBytes: number;
  images: readonly KnownImage[];
  now: number;
  thresholds?: Thresholds;
}): { wantedBytes: number; foundBytes: number; remove: string[] } {
  const { capacityBytes, availableBytes, images, now, thresholds = defaultThresholds } = options;
  const usedPercent = capacityBytes > 0 ? 100 - (100 * availableBytes) / capacityBytes : 0;
  if (usedPercent < thresholds.high) return { wantedBytes: 0, foundBytes: 0, remove: [] };
  const wantedBytes = Math.ceil((capacityBytes * (100 - thresholds.low)) / 100 - availableBytes);
  const candidates = images
    .filter(({ inUse, lastUsed }) => !inUse && now - lastUsed >= youngestMs)
    .toSorted((a, b) => a.lastUsed - b.lastUsed);
  const remove: string[] = [];
  let foundBytes = 0;
  for (const { id, sizeBytes } of candidates) {
    if (foundBytes >= wantedBytes) break;
    remove.push(id);
    foundBytes += sizeBytes;
  }
  return { wantedBytes, foundBytes, remove };
}
