/**
 * IP addresses and prefixes: text at the edges, octets inside. The only importer of ip-num, which reads IPv6 and takes
 * some microseconds per call: parse text once where it enters, keep the result, and compare octets.
 */
import { IPv6 } from 'ip-num';
import { toHex } from './bytes.ts';
import { failed, ok, type Result } from './result.ts';

/** An IPv4 or IPv6 prefix. `address` has 4 or 16 octets and no host bits set; `length` is 0..32 or 0..128. */
export interface Prefix {
  readonly family: 4 | 6;
  readonly address: Uint8Array;
  readonly length: number;
}

/** Returns the width of an address of the family in bits. */
export function familyBits(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/**
 * Returns an address's octets (4 or 16), or undefined if the text is invalid. IPv4 in dotted decimal without leading
 * zeros; IPv6 in any form of RFC 4291 §2.2, an embedded IPv4 tail included; no zone, no brackets.
 */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIPv6(text) : parseIPv4(text);
}

/** Parses an address and ignores its zone (`%eth0`, RFC 4007 §11); undefined if the text is invalid. */
export function parseZonedAddress(text: string): Uint8Array | undefined {
  return parseAddress(text.split('%', 1)[0] ?? text);
}

/** Parses IPv4 without ip-num, because every event and every rule needs it, and four numbers need no library. */
function parseIPv4(text: string): Uint8Array | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const octets = new Uint8Array(4);
  let at = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit >= 0) value = value * 10 + digit;
    else {
      octets[at++] = value;
      value = 0;
    }
    if (value > 255) return undefined;
  }
  octets[at] = value;
  return octets;
}

function parseIPv6(text: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F:]+(\d+\.\d+\.\d+\.\d+)?$/.test(text)) return undefined;
  let plain = text;
  if (text.includes('.')) {
    const cut = text.lastIndexOf(':') + 1;
    const tail = parseAddress(text.slice(cut));
    if (tail === undefined) return undefined;
    const hex = toHex(tail);
    plain = `${text.slice(0, cut)}${hex.slice(0, 4)}:${hex.slice(4)}`;
  }
  if (!isWellFormedIPv6(plain)) return undefined;
  try {
    let value = new IPv6(plain).getValue();
    const bytes = new Uint8Array(16);
    for (let i = 15; i >= 0; i--) {
      bytes[i] = Number(value & 0xffn);
      value >>= 8n;
    }
    return bytes;
  } catch {
    return undefined;
  }
}

/** Checks RFC 4291 §2.2: eight groups of one to four digits, at most one `::`, which replaces at least one group. */
function isWellFormedIPv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8;
}

/** Formats an address of 4 or 16 octets; IPv6 as RFC 5952 §4 recommends. */
export function formatAddress(address: Uint8Array): string {
  if (address.length === 4) return `${address[0]}.${address[1]}.${address[2]}.${address[3]}`;
  if (address.length !== 16) throw new RangeError(`an address has 4 or 16 octets, not ${address.length}`);
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((address[i] as number) << 8) | (address[i + 1] as number));
  // RFC 5952 §5: addresses known to embed IPv4 have a dotted tail; only ::ffff:0:0/96 is known here.
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff) {
    return `::ffff:${address.subarray(12).join('.')}`;
  }
  const [start, count] = longestZeroRun(groups);
  const text = (part: readonly number[]): string => part.map((g) => g.toString(16)).join(':');
  if (count < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + count))}`;
}

/** Finds the first longest run of zero groups (RFC 5952 §4.2.3). */
function longestZeroRun(groups: readonly number[]): readonly [start: number, count: number] {
  let best: readonly [number, number] = [0, 0];
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > best[1]) best = [start, i - start];
    start = i + 1;
  }
  return best;
}

/** Makes a prefix of octets and a length, and clears the host bits. Throws RangeError if they are invalid. */
export function makePrefix(address: Uint8Array, length: number): Prefix {
  const family = address.length === 4 ? 4 : 6;
  if (address.length !== 4 && address.length !== 16) {
    throw new RangeError(`an address has 4 or 16 octets, not ${address.length}`);
  }
  if (!Number.isInteger(length) || length < 0 || length > familyBits(family)) {
    throw new RangeError(`prefix length ${length} is not from 0 to ${familyBits(family)}`);
  }
  const masked = new Uint8Array(address);
  maskInPlace(masked, length);
  return { family, address: masked, length };
}

function maskInPlace(address: Uint8Array, length: number): void {
  const whole = length >>> 3;
  if (whole >= address.length) return;
  address[whole] = (address[whole] as number) & (0xff00 >> (length & 7));
  address.fill(0, whole + 1);
}

/** Returns the host prefix (/32 or /128) of an address of 4 or 16 octets. */
export function hostPrefix(address: Uint8Array): Prefix {
  return makePrefix(address, address.length * 8);
}

/**
 * Parses `address/length`, or a bare address as a host prefix. The error explains why a text is not a prefix.
 * Refuses host bits, because a typing error there would silently widen or move the prefix.
 */
export function parsePrefix(text: string): Result<Prefix> {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return failed(`"${text}" is not an IPv4 or IPv6 prefix`);
  const bits = address.length * 8;
  if (slash < 0) return ok(hostPrefix(address));
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || Number(lengthText) > bits) {
    return failed(`"${text}": the prefix length must be from 0 to ${bits}`);
  }
  const prefix = makePrefix(address, Number(lengthText));
  if (prefix.address.some((byte, i) => byte !== address[i])) {
    return failed(`"${text}" has host bits set; did you mean ${formatPrefix(prefix)}?`);
  }
  return ok(prefix);
}

/** Parses a prefix that was checked where it entered. Throws RangeError if it is invalid after all. */
export function knownPrefix(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (!prefix.ok) throw new RangeError(prefix.error);
  return prefix.value;
}

/** Formats a prefix canonically: `address/length`. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

/** Returns the canonical text of an address in any accepted form, or undefined if it is invalid. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : formatAddress(address);
}

/**
 * Converts an IPv4-mapped IPv6 prefix (`::ffff:203.0.113.10`, RFC 4291 §2.5.5.2) to the IPv4 prefix that packets carry;
 * returns any other prefix unchanged. No packet would match a rule or a safelist entry for the mapped form.
 */
export function unmapped(prefix: Prefix): Prefix {
  const { family, address, length } = prefix;
  const isMapped = family === 6 && length >= 96 && address[10] === 0xff && address[11] === 0xff;
  if (!isMapped || address.subarray(0, 10).some((octet) => octet !== 0)) return prefix;
  return makePrefix(address.subarray(12), length - 96);
}

/** True when every address of `inner` is in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  return sharesBits(outer.address, inner.address, outer.length);
}

/** True when the two have an address in common, that is, when one covers the other. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && sharesBits(a.address, b.address, Math.min(a.length, b.length));
}

/** True when both are the same prefix. */
export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && overlaps(a, b);
}

function sharesBits(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >>> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = bits & 7;
  if (rest === 0) return true;
  return (((a[whole] as number) ^ (b[whole] as number)) & (0xff00 >> rest) & 0xff) === 0;
}
