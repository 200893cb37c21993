/** Parses and formats communities: standard (RFC 1997), extended (RFC 4360) and large (RFC 8092). */
import { ByteReader, ByteWriter, fromHex, toHex } from '../../net/bytes.ts';
import { formatAddress, parseAddress } from '../../net/prefix.ts';
import { failed, ok, type Result } from '../../net/result.ts';

/** Octets per community of each kind; IPv6 address specific ones (RFC 5701) have their own list. */
export const COMMUNITY_WIDTH = { standard: 4, extended: 8, large: 12, ipv6Extended: 20 } as const;

/** Well-known communities (IANA, BGP Well-known Communities). */
const WELL_KNOWN: readonly (readonly [name: string, value: number])[] = [
  ['graceful-shutdown', 0xffff0000], // RFC 8326 §5
  ['accept-own', 0xffff0001], // RFC 7611 §6
  ['llgr-stale', 0xffff0006], // RFC 9494 §6
  ['no-llgr', 0xffff0007], // RFC 9494 §6
  ['blackhole', 0xffff029a], // RFC 7999 §5
  ['no-export', 0xffffff01], // RFC 1997
  ['no-advertise', 0xffffff02], // RFC 1997
  ['no-export-subconfed', 0xffffff03], // RFC 1997
  ['no-peer', 0xffffff04], // RFC 3765 §2
];

/** Types of transitive extended communities with an administrator (RFC 4360 §3, RFC 5668 §2), and their sub-types. */
const AS2_SPECIFIC = 0x00;
const IPV4_SPECIFIC = 0x01;
const AS4_SPECIFIC = 0x02;
const SUBTYPES: Readonly<Record<string, number>> = { rt: 0x02, ro: 0x03 };

/** A community with its kind: its octets in the attribute of that kind. */
export interface ParsedCommunity {
  readonly kind: 'standard' | 'extended' | 'large';
  readonly octets: Uint8Array;
}

/**
 * Parses a community of any kind by its form: `65010:666` and well-known names are standard, `65010:1:2` is large,
 * `rt:`, `ro:` and `0x` with 16 digits are extended. The error says why a text is invalid.
 */
export function parseAnyCommunity(text: string): Result<ParsedCommunity> {
  const extended = /^(rt|ro):|^0x/i.test(text);
  const kind = extended ? 'extended' : text.split(':').length === 3 ? 'large' : 'standard';
  const parse = { standard: parseCommunity, extended: parseExtendedCommunity, large: parseLargeCommunity }[
    kind
  ];
  const octets = parse(text);
  return octets.ok ? ok({ kind, octets: octets.value }) : octets;
}

/**
 * Parses `asn:value` (both 0..65535) or a well-known name such as `blackhole` into four octets.
 */
export function parseCommunity(text: string): Result<Uint8Array> {
  const name = text.toLowerCase();
  const wellKnown = WELL_KNOWN.find(([known]) => known === name);
  if (wellKnown !== undefined) return ok(new ByteWriter(4).u32(wellKnown[1]).finish());
  const [asn, value, ...more] = text.split(':').map((part) => parseNumber(part, 0xffff));
  if (asn === undefined || value === undefined || more.length > 0) {
    return failed(
      `"${text}" is not a community: expected asn:value with two numbers from 0 to 65535, or a well-known name`,
    );
  }
  return ok(new ByteWriter(4).u16(asn).u16(value).finish());
}

/** Formats a community of four octets: its well-known name, or `asn:value`. */
export function formatCommunity(octets: Uint8Array): string {
  const reader = sized(octets, COMMUNITY_WIDTH.standard);
  const value = reader.u32();
  const name = WELL_KNOWN.find(([, known]) => known === value)?.[0];
  return name ?? `${Math.floor(value / 0x10000)}:${value % 0x10000}`;
}

/** Parses `global:local:local` (each 0..4294967295) into twelve octets. */
export function parseLargeCommunity(text: string): Result<Uint8Array> {
  const parts = text.split(':').map((part) => parseNumber(part, 0xffffffff));
  const [global, first, second, ...more] = parts;
  if (global === undefined || first === undefined || second === undefined || more.length > 0) {
    return failed(
      `"${text}" is not a large community: expected three numbers from 0 to 4294967295, separated by colons`,
    );
  }
  return ok(new ByteWriter(12).u32(global).u32(first).u32(second).finish());
}

/** Formats a large community of twelve octets (RFC 8092 §5). */
export function formatLargeCommunity(octets: Uint8Array): string {
  const reader = sized(octets, COMMUNITY_WIDTH.large);
  return `${reader.u32()}:${reader.u32()}:${reader.u32()}`;
}

/**
 * Parses an extended community into eight octets. `rt:` (route target) and
 * `ro:` (route origin) take `asn:value` and `address:value`. An AS number above 65535, or one with the suffix `L`,
 * selects the 4-octet form, whose value is at most 65535. Anything else is written as `0x` and 16 digits.
 */
export function parseExtendedCommunity(text: string): Result<Uint8Array> {
  const hex = /^0x([0-9a-f]{16})$/i.exec(text)?.[1];
  const octets = hex === undefined ? undefined : fromHex(hex);
  if (octets !== undefined) return ok(octets);
  const parts = /^(rt|ro):([^:]+):([^:]+)$/i.exec(text);
  const subtype = SUBTYPES[(parts?.[1] ?? '').toLowerCase()];
  const administrator = parts?.[2] ?? '';
  const valueText = parts?.[3] ?? '';
  if (subtype === undefined) return notExtended(text);
  const writer = new ByteWriter(8);
  const address = parseAddress(administrator);
  const asn = parseNumber(administrator.replace(/L$/i, ''), 0xffffffff);
  if (address === undefined && asn !== undefined && asn <= 0xffff && !/L$/i.test(administrator)) {
    const value = parseNumber(valueText, 0xffffffff);
    return value === undefined
      ? notExtended(text)
      : ok(writer.u8(AS2_SPECIFIC).u8(subtype).u16(asn).u32(value).finish());
  }
  const value = parseNumber(valueText, 0xffff);
  if (value === undefined) return notExtended(text);
  if (address?.length === 4)
    return ok(writer.u8(IPV4_SPECIFIC).u8(subtype).bytes(address).u16(value).finish());
  if (asn === undefined) return notExtended(text);
  return ok(writer.u8(AS4_SPECIFIC).u8(subtype).u32(asn).u16(value).finish());
}

function notExtended(text: string): Result<never> {
  return failed(
    `"${text}" is not an extended community: expected rt:asn:value, ro:address:value, or 0x and 16 digits`,
  );
}

/** Formats an extended community of eight octets, so that `parseExtendedCommunity` returns the same octets. */
export function formatExtendedCommunity(octets: Uint8Array): string {
  const reader = sized(octets, COMMUNITY_WIDTH.extended);
  const type = reader.u8();
  const subtype = reader.u8();
  const name = Object.entries(SUBTYPES).find(([, known]) => known === subtype)?.[0];
  if (name !== undefined) {
    if (type === AS2_SPECIFIC) return `${name}:${reader.u16()}:${reader.u32()}`;
    if (type === IPV4_SPECIFIC) return `${name}:${formatAddress(reader.view(4))}:${reader.u16()}`;
    if (type === AS4_SPECIFIC) {
      const asn = reader.u32();
      return `${name}:${asn}${asn > 0xffff ? '' : 'L'}:${reader.u16()}`;
    }
  }
  return `0x${toHex(octets)}`;
}

/**
 * Splits an attribute's value into communities, each a view of `width` octets. Throws RangeError if the length is not a
 * multiple of `width`.
 */
export function splitCommunities(octets: Uint8Array, width: number): readonly Uint8Array[] {
  if (octets.length % width !== 0)
    throw new RangeError(`${octets.length} octets are not a multiple of ${width}`);
  const communities: Uint8Array[] = [];
  for (let at = 0; at < octets.length; at += width) communities.push(octets.subarray(at, at + width));
  return communities;
}

function sized(octets: Uint8Array, width: number): ByteReader {
  if (octets.length !== width) throw new RangeError(`a community has ${width} octets, not ${octets.length}`);
  return new ByteReader(octets);
}

/** Parses a decimal number without sign or leading zeros, at most `max`. */
function parseNumber(text: string, max: number): number | undefined {
  if (!/^(0|[1-9]\d{0,9})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}
