/**
 * The file format of bbolt, in which etcd keeps and snapshots its data: pages of a copy-on-write B+tree.
 * Specified by https://github.com/etcd-io/bbolt (`page.go`, `db.go`, `bucket.go`). Little-endian.
 */
export const pageSize = 4096;
export const pageHeaderSize = 16;
export const elementSize = 16;
export const bucketHeaderSize = 16;

export const PageFlag = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;
export const bucketLeafFlag = 0x01;

export const metaMagic = 0xed0cdaed;
export const metaVersion = 2;
/** Bytes of a meta page's body that its checksum covers. */
export const metaChecked = 56;
export const metaSize = 64;

/** A file that is not a whole bolt database. */
export class BoltError extends Error {
  override name = 'BoltError';
}

/** FNV-1a, 64 bits. */
export function fnv64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
