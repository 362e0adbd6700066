/** A setTimeout cannot wait longer. */
const longestTimer = 0x7fffffff;

/**
 * Calls back for each id when its time has come, with one timer for all of them. A binary heap; an entry whose
 * deadline has moved is dropped when it reaches the top.
 */
export class Deadlines<Id> {
  private readonly now: () => number;
  private readonly onDue: (id: Id) => void;
  private readonly current = new Map<Id, number>();
  private readonly heap: { id: Id; at: number }[] = [];
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Number.POSITIVE_INFINITY;

  constructor(now: () => number, onDue: (id: Id) => void) {
    this.now = now;
    this.onDue = onDue;
  }

  /** Sets or moves a deadline. */
  set(id: Id, at: number): void {
    const before = this.current.get(id);
    this.current.set(id, at);
    // A later deadline needs no second entry: the old one is pushed down again when it is due.
    if (before === undefined || at < before) this.push({ id, at });
    this.arm();
  }

  delete(id: Id): void {
    this.current.delete(id);
  }

  clear(): void {
    this.current.clear();
    this.heap.length = 0;
    clearTimeout(this.timer);
    this.timerAt = Number.POSITIVE_INFINITY;
  }

  private arm(): void {
    const next = this.heap[0]?.at;
    if (next === undefined || next >= this.timerAt) return;
    clearTimeout(this.timer);
    this.timerAt = next;
    this.timer = setTimeout(
      () => {
        this.timerAt = Number.POSITIVE_INFINITY;
        this.run();
      },
      Math.min(Math.max(0, Math.ceil(next - this.now())), longestTimer),
    );
    this.timer.unref();
  }

  private run(): void {
    const now = this.now();
    while (this.heap.length > 0 && this.heap[0]!.at <= now) {
      const { id } = this.pop();
      const at = this.current.get(id);
      if (at === undefined) continue;
      if (at > now) {
        this.push({ id, at });
        continue;
      }
      this.current.delete(id);
      this.onDue(id);
    }
    this.arm();
  }

  private push(item: { id: Id; at: number }): void {
    const { heap } = this;
    let place = heap.push(item) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (heap[parent]!.at <= item.at) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = item;
  }

  private pop(): { id: Id; at: number } {
    const { heap } = this;
    const top = heap[0]!;
    const item = heap.pop()!;
    if (heap.length === 0) return top;
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= item.at) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = item;
    return top;
  }
}
