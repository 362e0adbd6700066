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

/** What is known of a key: nothing, that it is not there, or its last change. */
type Known = undefined | null | { value: string; version: number };

/**
 * Every broken promise in words; none when all hold. A watch that starts later than after the last event was told
 * that what is between them has been compacted: of that, nothing is demanded.
 * @param responses in the order received, over all connections of one watcher of all keys
 * @param acknowledged writes that must appear
 */
export function brokenPromises(responses: readonly SeenResponse[], acknowledged: readonly Write[]): string[] {
  const broken: string[] = [];
  const events = responses.flatMap(({ events }) => events);
  const gaps: { from: number; to: number }[] = [];
  let state = new Map<string, Known>();
  let last = 0;
  const inRevision = new Set<string>();
  for (const response of responses) {
    if (response.start > last + 1) {
      gaps.push({ from: last + 1, to: response.start });
      state = new Map();
      last = response.start - 1;
    }
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
      const before = state.get(event.key);
      // A watch from the beginning knows that what it has not heard of is not there.
      broken.push(...checkEvent(event, before === undefined && gaps.length === 0 ? null : before));
      state.set(event.key, event.value === null ? null : { value: event.value, version: event.version });
    }
  }
  const byRevision = new Map(events.map((event) => [`${event.revision} ${event.key}`, event]));
  for (const { revision, key, value } of acknowledged) {
    if (gaps.some(({ from, to }) => revision >= from && revision < to)) continue;
    const event = byRevision.get(`${revision} ${key}`);
    if (!event) broken.push(`W3: acknowledged write of ${key} at ${revision} was never seen`);
    else if (event.value !== value)
      broken.push(`W7: ${key} at ${revision} was written as ${value} and seen as ${event.value}`);
  }
  return broken;
}

function checkEvent(event: SeenEvent, before: Known): string[] {
  const { key, revision, value, version, createRevision, previous } = event;
  if (before === undefined) return [];
  const broken: string[] = [];
  if (previous !== undefined && previous !== before?.value)
    broken.push(`W7: prev_kv of ${key} at ${revision} is ${previous}, was ${before?.value}`);
  if (value === null) {
    if (!before) broken.push(`W7: ${key} deleted at ${revision} but did not exist`);
    return broken;
  }
  const created = createRevision === revision;
  if (created !== (before === null)) broken.push(`W7: ${key} at ${revision}: create flag is ${created}`);
  if (version !== (before?.version ?? 0) + 1)
    broken.push(`W3: ${key} at ${revision} has version ${version} after ${before?.version ?? 0}`);
  return broken;
}
