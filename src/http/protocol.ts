/** IP protocols by name or number (IANA "Protocol Numbers"). */

const NUMBERS: ReadonlyMap<string, number> = new Map([
  ['icmp', 1],
  ['igmp', 2],
  ['ipip', 4],
  ['tcp', 6],
  ['udp', 17],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['icmpv6', 58],
  ['ospf', 89],
  ['pim', 103],
  ['vrrp', 112],
  ['l2tp', 115],
  ['sctp', 132],
  ['udplite', 136],
]);

const NAMES: ReadonlyMap<number, string> = new Map([...NUMBERS].map(([name, number]) => [number, name]));

/** `udp` for 17; the number as text where there is no usual name. */
export function protocolName(protocol: number): string {
  return NAMES.get(protocol) ?? String(protocol);
}

/** 17 for `udp`, `UDP`, `"17"` and 17; undefined for what is no protocol. */
export function parseProtocol(value: string | number): number | undefined {
  const named = typeof value === 'string' ? NUMBERS.get(value.toLowerCase()) : undefined;
  if (named !== undefined) return named;
  if (typeof value === 'string' && !/^\d{1,3}$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isInteger(number) && number >= 0 && number <= 255 ? number : undefined;
}
