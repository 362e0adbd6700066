/**
 * What a watch promises (https://etcd.io/docs/v3.5/learning/api_guarantees/#watch-apis), checked on what one
 * client has received over all its reconnections.
 */

export interface SeenEvent {
  revision: number;
  key: string;
  /** null: deleted. */
  value: string | null;
  createRevision: number;
  version: number;
  /** The value before; undefined when the response did not carry one. */
  previous: string | undefined;
}

/** A response with events; of a progress notification, without. `start`: where its watch began. */
export interface SeenResponse {
  headerRevision: number;
  events: readonly SeenEvent[];
  start: number;
  progress: boolean;
}

export interface Write {
  revision: number;
  key: string;
  value: string | null;
}

/**
 * Every broken promise in words; none when all hold.
 * @param responses in the order received, over all connections of one watcher of all keys
 * @param acknowledged writes that must appear
 * @param skippedTo the compacted revisions below which events may be missing
 */
export function brokenPromises(
  responses: readonly SeenResponse[],
  acknowledged: readonly Write[],
  skippedTo = 0,
): string[] {
  const broken: string[] = [];
  const events = responses.flatMap(({ events }) => events);
  const state = new Map<string, { value: string; create: number; version: number }>();
  let last = 0;
  const inRevision = new Set<string>();
  for (const response of responses) {
    const first = response.events[0];
    // A revision must not go on in the next response; the same watch may not repeat one either.
    if (first && first.revision <= last)
      broken.push(`W1 W2 W4: revision ${first.revision} after ${last} was received`);
    if (first && first.revision < response.start)
      broken.push(`W5: revision ${first.revision} on a watch from ${response.start}`);
    if (response.progress && response.headerRevision > last) last = response.headerRevision;
    for (const event of response.events) {
      if (event.revision < last) broken.push(`W1 W6: revision ${event.revision} after ${last}`);
      if (event.revision > last) inRevision.clear();
      if (inRevision.has(event.key)) broken.push(`W2: ${event.key} twice in revision ${event.revision}`);
      inRevision.add(event.key);
      last = event.revision;
      broken.push(...checkState(state, event, skippedTo));
    }
  }
  const byRevision = new Map(events.map((event) => [`${event.revision} ${event.key}`, event]));
  for (const { revision, key, value } of acknowledged) {
    if (revision < skippedTo) continue;
    const event = byRevision.get(`${revision} ${key}`);
    if (!event) broken.push(`W3: acknowledged write of ${key} at ${revision} was never seen`);
    else if (event.value !== value)
      broken.push(`W7: ${key} at ${revision} was written as ${value} and seen as ${event.value}`);
  }
  return broken;
}

function checkState(
  state: Map<string, { value: string; create: number; version: number }>,
  event: SeenEvent,
  skippedTo: number,
): string[] {
  const broken: string[] = [];
  const before = state.get(event.key);
  const certain = event.revision > skippedTo && (before !== undefined || skippedTo === 0);
  if (certain && event.previous !== undefined && event.previous !== before?.value)
    broken.push(
      `W7: prev_kv of ${event.key} at ${event.revision} is ${event.previous}, was ${before?.value}`,
    );
  if (event.value === null) {
    if (certain && !before) broken.push(`W7: ${event.key} deleted at ${event.revision} but did not exist`);
    state.delete(event.key);
    return broken;
  }
  const created = event.createRevision === event.revision;
  if (certain && created !== (before === undefined))
    broken.push(`W7: ${event.key} at ${event.revision}: create flag is ${created}`);
  if (certain && event.version !== (before?.version ?? 0) + 1)
    broken.push(
      `W3: ${event.key} at ${event.revision} has version ${event.version} after ${before?.version ?? 0}`,
    );
  state.set(event.key, { value: event.value, create: event.createRevision, version: event.version });
  return broken;
}
