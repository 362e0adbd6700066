/** An IPv4 network: its first address and its prefix length. */
export interface CIDR {
  /** First address of the network as an unsigned 32-bit number. */
  first: number;
  prefix: number;
}

/** Parses dotted-quad IPv4 (`10.96.0.1`) to an unsigned 32-bit number; undefined if it is not one. */
export function parseIPv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let address = 0;
  for (let i = 1; i <= 4; i++) {
    const part = match[i]!;
    // A leading zero means octal to some parsers, so Kubernetes refuses it (CVE-2021-29923).
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

/** The dotted-quad text of an unsigned 32-bit number. */
export const formatIPv4 = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

/** Parses `10.96.0.0/16`; host bits are cleared. Undefined if it is not an IPv4 network. */
export function parseCIDR(text: string): CIDR | undefined {
  const slash = text.indexOf('/');
  if (slash < 0 || !/^\d{1,2}$/.test(text.slice(slash + 1))) return undefined;
  const address = parseIPv4(text.slice(0, slash));
  const prefix = Number(text.slice(slash + 1));
  if (address === undefined || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  return { first: Math.floor(address / size) * size, prefix };
}

export const formatCIDR = (cidr: CIDR): string => `${formatIPv4(cidr.first)}/${cidr.prefix}`;

/** How many addresses the network has, the first and last included. */
export const sizeOfCIDR = (cidr: CIDR): number => 2 ** (32 - cidr.prefix);

/** Whether the address, as text or number, belongs to the network. IPv6 and malformed text never do. */
export function cidrContains(cidr: CIDR, address: string | number): boolean {
  const number = typeof address === 'number' ? address : parseIPv4(address);
  return number !== undefined && number >= cidr.first && number < cidr.first + sizeOfCIDR(cidr);
}

/** The network's address number `index`, counted from its first. @throws {RangeError} outside the network. */
export function addressAt(cidr: CIDR, index: number): string {
  if (index < 0 || index >= sizeOfCIDR(cidr))
    throw new RangeError(`${formatCIDR(cidr)} has no address number ${index}`);
  return formatIPv4(cidr.first + index);
}

/** Part number `index` of the network cut into networks of `prefix` bits; undefined when there is none. */
export function subnetAt(cidr: CIDR, prefix: number, index: number): CIDR | undefined {
  if (prefix < cidr.prefix || prefix > 32 || index < 0 || index >= 2 ** (prefix - cidr.prefix))
    return undefined;
  return { first: cidr.first + index * 2 ** (32 - prefix), prefix };
}

/** An IPv4 address that came over an IPv6 socket (`::ffff:10.0.0.1`) without its prefix; others unchanged. */
export const unmapIPv4 = (address: string): string =>
  address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;

/**
 * Splits `host:port`, `[ipv6]:port` or `:port` (host empty). Undefined without a port from 0 to 65535.
 * The form of flags such as `--healthz-bind-address`.
 */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (!match || Number(match[3]) > 65535) return undefined;
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}
