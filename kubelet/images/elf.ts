/** A CPU architecture by Docker's (and Go's) name. */
export type Architecture = 'amd64' | 'arm64';

const machine: Record<Architecture, number> = { amd64: 62, arm64: 183 };

/** Where the single segment is mapped. */
export const loadAddress = 0x400000;

/** Bytes before the code: the 64-byte ELF header and one 56-byte program header. */
export const headerSize = 64 + 56;

/**
 * Wraps position-dependent machine code, to be mapped at `loadAddress + headerSize`, in a static 64-bit
 * little-endian executable with one readable, executable segment that starts at its first byte.
 * Layout: System V ABI, ELF-64 object file format.
 */
export function elfExecutable(architecture: Architecture, code: Uint8Array): Buffer {
  const size = headerSize + code.length;
  const file = Buffer.alloc(size);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  file.writeUInt16LE(2, 16); // e_type: ET_EXEC
  file.writeUInt16LE(machine[architecture], 18);
  file.writeUInt32LE(1, 20); // e_version
  file.writeBigUInt64LE(BigInt(loadAddress + headerSize), 24); // e_entry
  file.writeBigUInt64LE(64n, 32); // e_phoff
  file.writeUInt16LE(64, 52); // e_ehsize
  file.writeUInt16LE(56, 54); // e_phentsize
  file.writeUInt16LE(1, 56); // e_phnum
  file.writeUInt16LE(64, 58); // e_shentsize
  file.writeUInt32LE(1, 64); // p_type: PT_LOAD
  file.writeUInt32LE(5, 68); // p_flags: read, execute
  file.writeBigUInt64LE(BigInt(loadAddress), 80); // p_vaddr
  file.writeBigUInt64LE(BigInt(loadAddress), 88); // p_paddr
  file.writeBigUInt64LE(BigInt(size), 96); // p_filesz
  file.writeBigUInt64LE(BigInt(size), 104); // p_memsz
  file.writeBigUInt64LE(0x1000n, 112); // p_align
  file.set(code, headerSize);
  return file;
}
