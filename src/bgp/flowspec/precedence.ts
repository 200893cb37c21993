/**
 * Orders rules by precedence (RFC 8955 §5.1, RFC 8956 §4): a router evaluates the first one first. The order follows
 * from the rules' octets alone, so every router sorts them alike.
 */
import type { Component, FlowSpec, PrefixComponent } from './types.ts';

/** A rule with the octets that it was sent in, which may differ from the canonical form. */
export interface SentFlowSpec {
  readonly spec: FlowSpec;
  /** The data of each component: its octets after the type. */
  readonly data: readonly Uint8Array[];
}

/** Finds the data of each component in the NLRI (length octets included) that `spec` was read from. */
export function sentFlowSpec(nlri: Uint8Array, spec: FlowSpec): SentFlowSpec {
  const lengthOctets = (nlri[0] as number) < 240 ? 1 : 2;
  let at = lengthOctets + (spec.rd?.length ?? 0);
  const data = spec.components.map((component) => {
    const from = at + 1;
    at = 'prefix' in component ? endOfPrefix(from, component, spec.afi) : endOfOperators(nlri, from);
    return nlri.subarray(from, at);
  });
  return { spec, data };
}

/**
 * Returns the end of a prefix component whose data begins at `from`: its length, for IPv6 its offset, and whole octets
 * of address.
 */
function endOfPrefix(from: number, { prefix, offset }: PrefixComponent, afi: 1 | 2): number {
  const heading = afi === 1 ? 1 : 2;
  return from + heading + ((prefix.length - offset + 7) >>> 3);
}

/**
 * Returns the end of an operator list whose data begins at `from`: after the value of the operator with end-of-list
 * (0x80).
 */
function endOfOperators(nlri: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const operator = nlri[at] as number;
    at += 1 + (1 << ((operator >>> 4) & 3));
    if ((operator & 0x80) !== 0) return at;
  }
}

/**
 * Returns a negative number if `a` precedes `b`, a positive one if it follows. Returns 0 if the standard does not order
 * them: for the same octets, and for prefixes that differ only in the bits after their length. The standard orders the
 * rules of one table; across tables this order puts IPv4 first, and among equal components the plain rule before VPN
 * rules, then the lower route distinguisher.
 */
export function compareFlowSpecs(a: SentFlowSpec, b: SentFlowSpec): number {
  return (
    a.spec.afi - b.spec.afi ||
    compareComponents(a, b) ||
    a.spec.safi - b.spec.safi ||
    compareData(a.spec.rd ?? NO_OCTETS, b.spec.rd ?? NO_OCTETS)
  );
}

const NO_OCTETS = new Uint8Array(0);

function compareComponents(a: SentFlowSpec, b: SentFlowSpec): number {
  const common = Math.min(a.data.length, b.data.length);
  for (let i = 0; i < common; i++) {
    const left = a.spec.components[i] as Component;
    const right = b.spec.components[i] as Component;
    // The rule with the lower type has a component that the other one lacks.
    if (left.type !== right.type) return left.type - right.type;
    const order =
      'prefix' in left && 'prefix' in right
        ? comparePrefix(left, right)
        : compareData(a.data[i] as Uint8Array, b.data[i] as Uint8Array);
    if (order !== 0) return order;
  }
  return b.data.length - a.data.length;
}

/**
 * Orders the lower offset first (RFC 8956 §4). Then the more specific prefix if one contains the other, otherwise the
 * lower address. Bits before the offset and after the prefix length do not count.
 */
function comparePrefix(a: PrefixComponent, b: PrefixComponent): number {
  if (a.offset !== b.offset) return a.offset - b.offset;
  const end = Math.min(a.prefix.length, b.prefix.length);
  for (let octet = a.offset >>> 3; octet * 8 < end; octet++) {
    const mask = bitsWithin(octet, a.offset, end);
    const order = ((a.prefix.address[octet] as number) & mask) - ((b.prefix.address[octet] as number) & mask);
    if (order !== 0) return order;
  }
  return b.prefix.length - a.prefix.length;
}

/** Returns the mask of an octet's bits between bit `from` and bit `to` of the address. */
function bitsWithin(octet: number, from: number, to: number): number {
  const first = octet * 8;
  const head = from > first ? 0xff >>> (from - first) : 0xff;
  const tail = to < first + 8 ? (0xff << (first + 8 - to)) & 0xff : 0xff;
  return head & tail;
}

/** Compares like memcmp() over the common length; if that is equal, the longer string precedes (RFC 8955 §5.1). */
function compareData(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const order = (a[i] as number) - (b[i] as number);
    if (order !== 0) return order;
  }
  return b.length - a.length;
}
