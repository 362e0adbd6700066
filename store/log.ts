import { type Logger, pino } from 'pino';

/** JSON lines on standard error, written at once: a store that dies must not take its last words with it. */
export function createLog(level: string): Logger {
  return pino({ level, base: { component: 'store' } }, pino.destination({ fd: 2, sync: true }));
}

export type { Logger } from 'pino';
