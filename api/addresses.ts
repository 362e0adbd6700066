/** Addresses and networks as text. */

/** Whether it is an IPv4 address in the usual form (no leading zeros). */
export function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return (
    parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  );
}

/** Whether it is an IPv6 address (RFC 4291), without a zone. */
export function isIPv6(text: string): boolean {
  let address = text;
  const embedded = /^(.*:)([^:]*\.[^:]*)$/.exec(address);
  if (embedded) {
    if (!isIPv4(embedded[2]!)) return false;
    address = `${embedded[1]}0:0`;
  }
  const halves = address.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half ? half.split(':') : []));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

/** Whether it is an IP address of either family. */
export const isIP = (text: string): boolean => isIPv4(text) || isIPv6(text);

/** Whether it is a network such as `10.0.0.0/16`. */
export function isCIDR(text: string): boolean {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  if (!match) return false;
  const bits = Number(match[2]);
  return (isIPv4(match[1]!) && bits <= 32) || (isIPv6(match[1]!) && bits <= 128);
}
