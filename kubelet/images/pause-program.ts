import { type Architecture, elfExecutable, headerSize, loadAddress } from './elf.ts';

const SIGINT = 2;
const SIGTERM = 15;
const SIGCHLD = 17;
const SIG_IGN = 1n;

/** The kernel's `struct sigaction` {handler, flags, restorer, mask} for "ignore", then the set {INT, TERM}. */
function data(): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeBigUInt64LE(SIG_IGN, 0);
  bytes.writeBigUInt64LE((1n << BigInt(SIGINT - 1)) | (1n << BigInt(SIGTERM - 1)), 32);
  return bytes;
}

const u32 = (value: number): number[] => [
  value & 0xff,
  (value >> 8) & 0xff,
  (value >> 16) & 0xff,
  value >>> 24,
];

/** System call numbers and encodings: Intel SDM volume 2; Linux arch/x86/entry/syscalls/syscall_64.tbl. */
function amd64(): Buffer {
  const length = 72;
  const ignore = loadAddress + headerSize + length;
  const set = ignore + 32;
  const syscall = [0x0f, 0x05];
  const eax = (value: number) => [0xb8, ...u32(value)];
  const edi = (value: number) => [0xbf, ...u32(value)];
  const esi = (value: number) => [0xbe, ...u32(value)];
  const zeroEdx = [0x31, 0xd2];
  const zeroEdi = [0x31, 0xff];
  const zeroEsi = [0x31, 0xf6];
  const setUp = [
    ...[0x41, 0xba, ...u32(8)], // mov r10d, 8: size of a signal set; system calls keep it
    ...[...eax(13), ...edi(SIGCHLD), ...esi(ignore), ...zeroEdx, ...syscall], // rt_sigaction
    ...[...eax(14), ...zeroEdi, ...esi(set), ...zeroEdx, ...syscall], // rt_sigprocmask(SIG_BLOCK)
  ];
  const wait = [...eax(128), ...edi(set), ...zeroEsi, ...zeroEdx, ...syscall]; // rt_sigtimedwait
  const again = [0x85, 0xc0, 0x7e, -(wait.length + 4) & 0xff]; // test eax, eax; jle wait
  const exit = [...zeroEdi, ...eax(231), ...syscall]; // exit_group(0)
  const code = [...setUp, ...wait, ...again, ...exit];
  if (code.length > length) throw new Error(`pause program has ${code.length} bytes of code, not ${length}`);
  return Buffer.concat([Buffer.from(code), Buffer.alloc(length - code.length), data()]);
}

/** Encodings: Arm Architecture Reference Manual, A64; system calls: Linux include/uapi/asm-generic/unistd.h. */
function arm64(): Buffer {
  const words: number[] = [];
  const length = 22;
  const ignore = length;
  const set = length + 8;
  const mov = (register: number, value: number) => words.push(0xd2800000 | (value << 5) | register);
  const address = (register: number, word: number) => {
    const offset = (word - words.length) * 4;
    words.push(0x10000000 | ((offset & 3) << 29) | (((offset >> 2) & 0x7ffff) << 5) | register);
  };
  const call = (number: number) => {
    mov(8, number);
    words.push(0xd4000001);
  };
  mov(3, 8);
  mov(0, SIGCHLD);
  address(1, ignore);
  mov(2, 0);
  call(134); // rt_sigaction
  mov(0, 0);
  address(1, set);
  mov(2, 0);
  call(135); // rt_sigprocmask(SIG_BLOCK)
  const wait = words.length;
  address(0, set);
  mov(1, 0);
  mov(2, 0);
  call(137); // rt_sigtimedwait
  words.push(0x7100001f); // cmp w0, #0
  words.push(0x54000000 | (((wait - words.length) & 0x7ffff) << 5) | 0xd); // b.le wait
  mov(0, 0);
  call(94); // exit_group
  while (words.length < length) words.push(0xd503201f); // nop, so that the data is 8-byte aligned
  if (words.length !== length)
    throw new Error(`pause program has ${words.length} instructions, not ${length}`);
  const code = Buffer.alloc(length * 4);
  words.forEach((word, i) => {
    code.writeUInt32LE(word >>> 0, i * 4);
  });
  return Buffer.concat([code, data()]);
}

/**
 * The sandbox's process, as a static executable of about 200 bytes: it ignores SIGCHLD, so that the kernel
 * reaps the orphans of a shared PID namespace by itself, and sleeps until SIGTERM or SIGINT, then exits 0.
 * It blocks both signals and waits for them instead of handling them: the kernel drops unhandled signals to
 * the first process of a PID namespace, but keeps blocked ones (signal(7), rt_sigtimedwait(2)).
 */
export const pauseProgram = (architecture: Architecture): Buffer =>
  elfExecutable(architecture, architecture === 'amd64' ? amd64() : arm64());
