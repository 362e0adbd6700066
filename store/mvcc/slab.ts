const slabSize = 64 * 1024;

/**
 * Gives out small buffers from slabs of their own. Node's shared pool would put a value that is kept for long beside
 * frames that are gone at once, and keep 8 KiB alive for each; here neighbours are kept and dropped together.
 */
export class Slab {
  private slab = Buffer.allocUnsafeSlow(0);
  private used = 0;

  /** A buffer of any content. */
  readonly allocate = (size: number): Buffer => {
    if (size > slabSize / 4) return Buffer.allocUnsafeSlow(size);
    if (this.used + size > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(slabSize);
      this.used = 0;
    }
    const start = this.used;
    this.used += size;
    return this.slab.subarray(start, this.used);
  };
}
