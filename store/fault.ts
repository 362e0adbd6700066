/** Named places at which a test can have the process killed, as a crash would. */
export type FaultPoint =
  | 'before-commit'
  | 'during-commit'
  | 'after-commit'
  | 'after-publish'
  | 'before-apply'
  | 'during-apply'
  | 'after-checkpoint'
  | 'before-compaction'
  | 'during-compaction'
  | 'during-snapshot';

/**
 * Kills the process, without any clean-up, the n-th time it passes a point: `STORE_FAULT=during-commit:7`.
 * Does nothing in normal operation.
 */
export class Faults {
  private readonly point: string | undefined;
  private left: number;

  constructor(specification: string | undefined) {
    const [point, count] = specification?.split(':') ?? [];
    this.point = point;
    this.left = Number(count ?? 1);
  }

  pass(point: FaultPoint): void {
    if (point === this.point && --this.left === 0) process.kill(process.pid, 'SIGKILL');
  }
}
