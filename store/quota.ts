import { AlarmType } from '../api/etcd/messages.ts';
import { errors } from './errors.ts';

/** etcd's default. */
const defaultLimit = 2 * 1024 ** 3;
/** The files are measured again after so many written bytes, or so many milliseconds. */
const measureBytes = 8 * 1024 * 1024;
const measureInterval = 1000;

export interface QuotaOptions {
  /** Bytes; 0: etcd's default, negative: none. */
  limit: number;
  measure(): Promise<number>;
  now(): number;
  /** Told when the limit is first exceeded. */
  raise(): void;
  onError(error: unknown): void;
}

/**
 * Refuses writes that add data once the files exceed a limit, so that reads, deletes and compactions still have
 * room. The alarm stays until an operator takes it back, as in etcd.
 */
export class Quota {
  readonly limit: number;
  /** Bytes of all files when last measured, and what was written since. */
  fileBytes = 0;
  private readonly options: QuotaOptions;
  private writtenSince = 0;
  private measuredAt = Number.NEGATIVE_INFINITY;
  private measuring = false;

  constructor(options: QuotaOptions) {
    this.options = options;
    this.limit = options.limit === 0 ? defaultLimit : options.limit;
  }

  /** @throws {GrpcError} when there is no room for a request that adds `bytes`. */
  check(bytes: number, alarms: ReadonlySet<number>): void {
    if (alarms.has(AlarmType.nospace)) throw errors.noSpace();
    if (this.limit < 0) return;
    this.fileBytes += bytes;
    this.writtenSince += bytes;
    if (
      this.writtenSince > measureBytes ||
      this.options.now() - this.measuredAt > measureInterval ||
      this.fileBytes > this.limit
    )
      void this.measure();
    if (this.fileBytes <= this.limit) return;
    this.options.raise();
    throw errors.noSpace();
  }

  /** Measures the files now. */
  async measure(): Promise<void> {
    if (this.measuring) return;
    this.measuring = true;
    this.measuredAt = this.options.now();
    this.writtenSince = 0;
    try {
      const size = await this.options.measure();
      this.fileBytes = size + this.writtenSince;
    } catch (error) {
      this.options.onError(error);
    } finally {
      this.measuring = false;
    }
  }
}
