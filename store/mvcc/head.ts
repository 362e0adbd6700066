import { type Infer, int64, message } from '../../api/etcd/codec.ts';

/**
 * The state that every batch writes anew: where history stands and what all records together must add up to.
 * `sum` adds the records' checksums modulo 2^48, so one pass over the disk proves that none is missing.
 */
export const Head = message({
  revision: int64(1),
  compact_revision: int64(2),
  count: int64(3),
  sum: int64(4),
  /** Number of the journal's group that wrote it. */
  sequence: int64(5),
});
export type Head = Infer<typeof Head>;

export const sumModulus = 2 ** 48;

/** The running count, sum and size of all records. */
export class Tally {
  count = 0;
  sum = 0;
  bytes = 0;

  add(crc: number, bytes: number): void {
    this.count++;
    this.bytes += bytes;
    this.sum = (this.sum + crc) % sumModulus;
  }

  remove(crc: number, bytes: number): void {
    this.count--;
    this.bytes -= bytes;
    this.sum = (this.sum - crc + sumModulus) % sumModulus;
  }
}
