/**
 * Precedence of rules (RFC 8955 §5.1, RFC 8956 §4): which of two rules a router tries first. Derived from the octets
 * of the rules alone, so every router sorts them alike.
 */
import type { Component, FlowSpec, PrefixComponent } from './types.ts';

/** A rule with the octets that it was sent in, which need not be those that this encoder would write. */
export interface SentFlowSpec {
  readonly spec: FlowSpec;
  /** The data of each component: its octets behind the type. */
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

/** The end of a prefix component whose data begins at `from`: its length, for IPv6 its offset, and whole octets of address. */
function endOfPrefix(from: number, { prefix, offset }: PrefixComponent, afi: 1 | 2): number {
  const heading = afi === 1 ? 1 : 2;
  return from + heading + ((prefix.length - offset + 7) >>> 3);
}

/** The end of an operator list whose data begins at `from`: behind the value of the operator with end-of-list (0x80). */
function endOfOperators(nlri: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const operator = nlri[at] as number;
    at += 1 + (1 << ((operator >>> 4) & 3));
    if ((operator & 0x80) !== 0) return at;
  }
}

/**
 * Negative when `a` is tried before `b`, positive when after. 0 when the standard does not tell them apart: for the same
 * octets, and for prefixes that differ only in the bits behind their length. The standard orders rules of one table; across
 * tables this order puts IPv4 first, and among equal components the plain rule before those of VPNs, then the lower
 * route distinguisher.
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
    // The rule that has the lower type has a component that the other one lacks.
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
 * The lower offset first (RFC 8956 §4). Then the more specific prefix, when one contains the other; else the lower
 * address. Bits in front of the offset do not count, nor do those behind the prefix length.
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

/** Mask of the bits of an octet that lie from bit `from` up to bit `to` of the address. */
function bitsWithin(octet: number, from: number, to: number): number {
  const first = octet * 8;
  const head = from > first ? 0xff >>> (from - first) : 0xff;
  const tail = to < first + 8 ? (0xff << (first + 8 - to)) & 0xff : 0xff;
  return head & tail;
}

/** memcmp() of the octets that both have; where those are equal, the longer string first (RFC 8955 §5.1). */
function compareData(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const order = (a[i] as number) - (b[i] as number);
    if (order !== 0) return order;
  }
  return b.length - a.length;
}
