const slabSize = 64 * 1024;

/**
 * Copies small buffers into slabs of their own. Node's shared pool would put a value that is kept for long beside
 * frames that are gone at once, and keep 8 KiB alive for each; here neighbours are kept and dropped together.
 */
export class Slab {
  private slab = Buffer.allocUnsafeSlow(0);
  private used = 0;

  /** The same bytes, where they may stay. */
  keep(bytes: Buffer): Buffer {
    // Beyond this Buffer.allocUnsafe gives memory of its own.
    if (bytes.length >= Buffer.poolSize >>> 1) return bytes;
    if (this.used + bytes.length > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(slabSize);
      this.used = 0;
    }
    const copy = this.slab.subarray(this.used, this.used + bytes.length);
    copy.set(bytes);
    this.used += bytes.length;
    return copy;
  }
}
