/** Assets of an inventory may be ranges of addresses; a range is the fewest prefixes that make it up. */
import { familyBits, makePrefix, type Prefix, parseAddress, parsePrefix, unmapped } from '../net/prefix.ts';

export type AssetPrefixes =
  | { readonly prefixes: readonly Prefix[] }
  | { readonly problem: string; readonly key: 'ip' | 'range_end' };

/** The prefixes of an asset: an address, a prefix, or with `rangeEnd` a range with both ends included. IPv4 written as IPv6 becomes IPv4. */
export function assetPrefixes(ip: string, rangeEnd: string | undefined): AssetPrefixes {
  if (rangeEnd === undefined) {
    const prefix = parsePrefix(ip);
    return typeof prefix === 'string' ? { problem: prefix, key: 'ip' } : { prefixes: [unmapped(prefix)] };
  }
  const first = parseAddress(ip);
  if (first === undefined) return { problem: `"${ip}" is not an IPv4 or IPv6 address`, key: 'ip' };
  const last = parseAddress(rangeEnd);
  if (last === undefined) {
    return { problem: `"${rangeEnd}" is not an IPv4 or IPv6 address`, key: 'range_end' };
  }
  if (first.length !== last.length) {
    return { problem: `the range ${ip}-${rangeEnd} mixes IPv4 and IPv6`, key: 'range_end' };
  }
  if (toBigInt(first) > toBigInt(last)) {
    return { problem: `the range ends at ${rangeEnd}, before it begins at ${ip}`, key: 'range_end' };
  }
  return { prefixes: rangePrefixes(first, last).map(unmapped) };
}

/** The fewest prefixes that cover exactly the addresses from `first` to `last`; at most 2 x the width in bits. */
function rangePrefixes(first: Uint8Array, last: Uint8Array): readonly Prefix[] {
  const bits = familyBits(first.length === 4 ? 4 : 6);
  const end = toBigInt(last);
  const prefixes: Prefix[] = [];
  let start = toBigInt(first);
  while (start <= end) {
    let hostBits = 0;
    while (
      hostBits < bits &&
      (start & (1n << BigInt(hostBits))) === 0n &&
      start + (1n << BigInt(hostBits + 1)) - 1n <= end
    ) {
      hostBits++;
    }
    prefixes.push(makePrefix(toOctets(start, first.length), bits - hostBits));
    start += 1n << BigInt(hostBits);
  }
  return prefixes;
}

function toBigInt(address: Uint8Array): bigint {
  return address.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

function toOctets(value: bigint, length: number): Uint8Array {
  const octets = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) octets[i] = Number(rest & 0xffn);
  return octets;
}
