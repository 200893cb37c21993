/** Names for numbers in the operator notation. If a number has two names, the first one is written. */
import { TCP_FLAGS } from '../../../net/tcp-flags.ts';

const PROTOCOLS: readonly (readonly [name: string, number: number])[] = [
  ['icmp', 1],
  ['igmp', 2],
  ['ipip', 4],
  ['tcp', 6],
  ['udp', 17],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['icmpv6', 58],
  ['icmp6', 58],
  ['ospf', 89],
  ['pim', 103],
  ['vrrp', 112],
  ['l2tp', 115],
  ['sctp', 132],
  ['udplite', 136],
];

/** RFC 2474, RFC 2597, RFC 3246, RFC 5865. */
const CODE_POINTS: readonly (readonly [name: string, number: number])[] = [
  ...Array.from({ length: 8 }, (_, i) => [`cs${i}`, 8 * i] as const),
  ...[1, 2, 3, 4].flatMap((x) => [1, 2, 3].map((y) => [`af${x}${y}`, 8 * x + 2 * y] as const)),
  ['va', 44],
  ['ef', 46],
  ['be', 0],
];

/** RFC 8955 §4.2.2.12 */
const FRAGMENT_BITS: readonly (readonly [name: string, bit: number])[] = [
  ['dont-fragment', 0x01],
  ['is-fragment', 0x02],
  ['first-fragment', 0x04],
  ['last-fragment', 0x08],
  ['df', 0x01],
  ['isf', 0x02],
  ['ff', 0x04],
  ['lf', 0x08],
];

/** A table of names, both ways. */
export interface NameTable {
  readonly toNumber: ReadonlyMap<string, number>;
  readonly toName: ReadonlyMap<number, string>;
}

function table(pairs: readonly (readonly [name: string, number: number])[]): NameTable {
  const toName = new Map<number, string>();
  for (const [name, number] of pairs) if (!toName.has(number)) toName.set(number, name);
  return { toNumber: new Map(pairs), toName };
}

export const PROTOCOL_NAMES: NameTable = table(PROTOCOLS);
export const DSCP_NAMES: NameTable = table(CODE_POINTS);
export const TCP_FLAG_NAMES: NameTable = table([...TCP_FLAGS]);
export const FRAGMENT_NAMES: NameTable = table(FRAGMENT_BITS);

/** Returns the names of a mask's bits, or undefined if it is 0 or has a bit without a name. */
export function bitNames(names: NameTable, mask: number): readonly string[] | undefined {
  const found: string[] = [];
  let rest = mask;
  for (const [bit, name] of names.toName) {
    if ((rest & bit) === 0) continue;
    found.push(name);
    rest &= ~bit;
  }
  return rest === 0 && found.length > 0 ? found : undefined;
}
