import { networkInterfaces } from 'node:os';
import { FlagError } from '../api/flags.ts';
import { type CIDR, parseCIDR } from '../api/net.ts';
import type { PortRange } from './allocation/service-allocator.ts';

/** The network of a flag. @throws {FlagError} naming the flag */
export function cidrFlag(name: string, text: string): CIDR {
  const cidr = parseCIDR(text);
  if (!cidr || cidr.prefix > 30)
    throw new FlagError(
      `invalid argument ${JSON.stringify(text)} for "--${name}" flag: must be an IPv4 network such as 10.96.0.0/16`,
    );
  return cidr;
}

/** `30000-32767` @throws {FlagError} naming the flag */
export function portRangeFlag(name: string, text: string): PortRange {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const range = { first: Number(match?.[1]), last: Number(match?.[2]) };
  if (!match || range.first < 1 || range.last > 65535 || range.first > range.last)
    throw new FlagError(
      `invalid argument ${JSON.stringify(text)} for "--${name}" flag: must be a range of ports such as 30000-32767`,
    );
  return range;
}

/** Where others reach a server that listens on `bind`: that address, or the machine's first for a wildcard. */
export function advertisedAddress(bind: string): string {
  if (bind !== '0.0.0.0' && bind !== '::') return bind;
  for (const addresses of Object.values(networkInterfaces()))
    for (const { family, internal, address } of addresses ?? [])
      if (family === 'IPv4' && !internal) return address;
  return '127.0.0.1';
}
