/**
 * Precedence of rules (RFC 8955 §5.1, RFC 8956 §4): which of two rules a router tries first. Derived from the rules
 * alone, so every router sorts them alike.
 */
import { bitmaskOperator, numericOperator } from './operators.ts';
import type {
  BitmaskComponent,
  BitmaskOp,
  Component,
  FlowSpec,
  NumericComponent,
  NumericOp,
  PrefixComponent,
} from './types.ts';

/**
 * Negative when `a` is tried before `b`, positive when after, 0 only when both are the same rule. The standard orders
 * rules of one table; across tables this order puts IPv4 first, and among equal components the plain rule before those
 * of VPNs, then the lower route distinguisher. A total order on rules that encode without error.
 */
export function compareFlowSpecs(a: FlowSpec, b: FlowSpec): number {
  return a.afi - b.afi || compareComponents(a, b) || a.safi - b.safi || compareOctets(a.rd, b.rd);
}

function compareComponents(a: FlowSpec, b: FlowSpec): number {
  const common = Math.min(a.components.length, b.components.length);
  for (let i = 0; i < common; i++) {
    const left = a.components[i] as Component;
    const right = b.components[i] as Component;
    // The rule that has the lower type has a component that the other one lacks.
    const order = left.type - right.type || compareComponent(left, right);
    if (order !== 0) return order;
  }
  return b.components.length - a.components.length;
}

function compareComponent(a: Component, b: Component): number {
  switch (a.type) {
    case 1:
    case 2:
      return comparePrefix(a, b as PrefixComponent);
    case 9:
    case 12:
      return compareBitmask(a, b as BitmaskComponent);
    default:
      return compareNumeric(a, b as NumericComponent);
  }
}

/**
 * The lower offset first (RFC 8956 §4). Then the more specific prefix, when one contains the other; else the lower
 * address. Bits in front of the offset do not count.
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

/**
 * As memcmp() compares the octets of the components. The operator says how wide its value is and whether more follows,
 * so operators and values can be compared in pairs: up to the first difference the two are in step.
 */
function compareNumeric(a: NumericComponent, b: NumericComponent): number {
  const common = Math.min(a.ops.length, b.ops.length);
  for (let i = 0; i < common; i++) {
    const left = a.ops[i] as NumericOp;
    const right = b.ops[i] as NumericOp;
    const order = numericOperator(a, i, left) - numericOperator(b, i, right);
    if (order !== 0) return order;
    if (left.value < right.value) return -1;
    if (left.value > right.value) return 1;
  }
  return b.ops.length - a.ops.length;
}

function compareBitmask(a: BitmaskComponent, b: BitmaskComponent): number {
  const common = Math.min(a.ops.length, b.ops.length);
  for (let i = 0; i < common; i++) {
    const left = a.ops[i] as BitmaskOp;
    const right = b.ops[i] as BitmaskOp;
    const order = bitmaskOperator(a, i, left) - bitmaskOperator(b, i, right) || left.value - right.value;
    if (order !== 0) return order;
  }
  return b.ops.length - a.ops.length;
}

function compareOctets(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined || b === undefined) return 0;
  for (let i = 0; i < a.length; i++) {
    const order = (a[i] as number) - (b[i] as number);
    if (order !== 0) return order;
  }
  return 0;
}
