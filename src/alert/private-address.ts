/** Addresses that are not the public Internet's: an alert must not become a way into the operator's own network. */
import { covers, hostPrefix, type Prefix, parseAddress, parsePrefix } from '../net/prefix.ts';

/** The IANA special-purpose registries (RFC 6890 and its updates), without documentation prefixes, plus multicast. */
const PRIVATE = prefixes([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  '100::/64',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]);

/** IPv6 prefixes with an IPv4 address inside, and the octet where it begins: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056), compatible. */
const EMBEDDING: readonly (readonly [prefix: Prefix, at: number])[] = [
  ...prefixes(['::ffff:0:0/96', '64:ff9b::/96', '::/96']).map((prefix) => [prefix, 12] as const),
  ...prefixes(['2002::/16']).map((prefix) => [prefix, 2] as const),
];

function prefixes(texts: readonly string[]): readonly Prefix[] {
  return texts.map((text) => {
    const prefix = parsePrefix(text);
    if (typeof prefix === 'string') throw new RangeError(prefix);
    return prefix;
  });
}

/** True for loopback, private, link-local, multicast and reserved addresses, in any disguise; and for what is no address. */
export function isPrivateAddress(text: string): boolean {
  const zone = text.indexOf('%');
  const address = parseAddress(zone < 0 ? text : text.slice(0, zone));
  if (address === undefined) return true;
  const host = hostPrefix(address);
  if (PRIVATE.some((prefix) => covers(prefix, host))) return true;
  const inside = EMBEDDING.find(([prefix]) => covers(prefix, host));
  if (inside === undefined) return false;
  const embedded = hostPrefix(address.slice(inside[1], inside[1] + 4));
  return PRIVATE.some((prefix) => covers(prefix, embedded));
}
