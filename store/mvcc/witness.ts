import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const size = 12;

/**
 * Remembers, outside of LevelDB, the last revision that was acknowledged. LevelDB takes a log that was cut off
 * for one that simply ends there; the witness tells. It is not synced: after a power cut it may lag, never lead.
 */
export class Witness {
  private readonly fd: number;
  private readonly buffer = Buffer.alloc(size);

  constructor(path: string) {
    this.fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  /** The revision noted last; 0 for none, or none that can be read. */
  read(): number {
    const buffer = Buffer.alloc(size);
    if (readSync(this.fd, buffer, 0, size, 0) < size) return 0;
    const valid = buffer.readUInt32BE(8) === crc32(buffer.subarray(0, 8));
    return valid ? Number(buffer.readBigUInt64BE(0)) : 0;
  }

  note(revision: number): void {
    this.buffer.writeBigUInt64BE(BigInt(revision), 0);
    this.buffer.writeUInt32BE(crc32(this.buffer.subarray(0, 8)), 8);
    writeSync(this.fd, this.buffer, 0, size, 0);
  }

  close(): void {
    closeSync(this.fd);
  }
}
