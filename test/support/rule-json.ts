/**
 * Rules in the JSON form of the public interface (`prefixd flowspec decode`), and how the daemons' own notations are
 * read into it. Written apart from src/bgp/flowspec on purpose: what the daemons show is compared with the codec, so
 * the codec must not be the one that reads it.
 */
import type { Component, FlowSpec } from '../../src/bgp/flowspec/types.ts';
import { fromHex, toHex } from '../../src/net/bytes.ts';
import { canonicalAddress, formatPrefix, knownPrefix, parseAddress } from '../../src/net/prefix.ts';

export interface NumericOpJson {
  readonly and: boolean;
  readonly lt: boolean;
  readonly gt: boolean;
  readonly eq: boolean;
  readonly value: number;
}

export interface BitmaskOpJson {
  readonly and: boolean;
  readonly not: boolean;
  readonly match: boolean;
  readonly value: number;
}

export type ComponentJson =
  | { readonly type: 1 | 2; readonly prefix: string; readonly offset?: number }
  | { readonly type: 9 | 12; readonly ops: readonly BitmaskOpJson[] }
  | { readonly type: 3 | 4 | 5 | 6 | 7 | 8 | 10 | 11 | 13; readonly ops: readonly NumericOpJson[] };

export interface RuleJson {
  readonly components: readonly ComponentJson[];
  /** traffic-rate in bytes a second, as it is on the wire; null when the rule has none. */
  readonly rate: number | null;
}

/** Types of components whose values are numbers. */
const NUMERIC = [3, 4, 5, 6, 7, 8, 10, 11, 13] as const;
export type NumericType = (typeof NUMERIC)[number];

/** The component's type as the narrow type it is; throws for one that does not exist. */
export function numericType(type: number): NumericType {
  const found = NUMERIC.find((known) => known === type);
  if (found === undefined) throw new Error(`${type} is no numeric component type`);
  return found;
}

/** One `=` comparison. */
export const eq = (value: number): NumericOpJson => ({ and: false, lt: false, gt: false, eq: true, value });

/** From..to, both included, as two comparisons. */
export const between = (from: number, to: number): readonly NumericOpJson[] => [
  { and: false, lt: false, gt: true, eq: true, value: from },
  { and: true, lt: true, gt: false, eq: true, value: to },
];

/** A comparison in symbols: `=`, `>`, `>=`, `<`, `<=`, `!=`. */
export function compare(symbol: string, value: number, and = false): NumericOpJson {
  const bits = { '=': 'e', '==': 'e', '>': 'g', '>=': 'ge', '<': 'l', '<=': 'le', '!=': 'lg' }[symbol];
  if (bits === undefined) throw new Error(`"${symbol}" is no comparison`);
  return { and, lt: bits.includes('l'), gt: bits.includes('g'), eq: bits.includes('e'), value };
}

/** A numeric component from the octet of its operators (RFC 8955 §4.2.1.1) and their values. */
export function numericFromOctet(op: number, value: number): NumericOpJson {
  return {
    and: (op & 0x40) !== 0,
    lt: (op & 0x04) !== 0,
    gt: (op & 0x02) !== 0,
    eq: (op & 0x01) !== 0,
    value,
  };
}

/** The same for a bitmask component (RFC 8955 §4.2.1.2). */
export function bitmaskFromOctet(op: number, value: number): BitmaskOpJson {
  return { and: (op & 0x40) !== 0, not: (op & 0x02) !== 0, match: (op & 0x01) !== 0, value };
}

/** The rule as the codec's own data, to be encoded. */
export function flowSpecOf(afi: 1 | 2, components: readonly ComponentJson[], rd?: string): FlowSpec {
  const parts = components.map((component): Component => {
    if (!('prefix' in component)) return component;
    const prefix = knownPrefix(component.prefix);
    return { type: component.type, prefix, offset: component.offset ?? 0 };
  });
  if (rd === undefined) return { afi, safi: 133, components: parts };
  const octets = fromHex(rd);
  if (octets === undefined) throw new Error(`"${rd}" is not a route distinguisher in hex`);
  return { afi, safi: 134, rd: octets, components: parts };
}

/** The codec's data in the JSON form. */
export function componentsJson(spec: FlowSpec): readonly ComponentJson[] {
  return spec.components.map((component): ComponentJson => {
    switch (component.type) {
      case 1:
      case 2:
        return {
          type: component.type,
          prefix: formatPrefix(component.prefix),
          ...(component.offset === 0 ? {} : { offset: component.offset }),
        };
      case 9:
      case 12:
        return { type: component.type, ops: component.ops.map((op) => ({ ...op })) };
      default:
        return { type: component.type, ops: component.ops.map((op) => ({ ...op, value: Number(op.value) })) };
    }
  });
}

/** A prefix as a daemon writes it, in canonical text; an offset (gobgp, frr) of 0 is dropped. */
export function prefixJson(type: 1 | 2, text: string): ComponentJson {
  const parts = text.replace('/off ', '/').split('/');
  const address = canonicalAddress(parts[0] ?? '');
  const length = Number(parts[1]);
  if (address === undefined || !Number.isInteger(length)) throw new Error(`"${text}" is not a prefix`);
  const offset = Number(parts[2] ?? 0);
  return { type, prefix: `${address}/${length}`, ...(offset === 0 ? {} : { offset }) };
}

/** The traffic-rate among extended communities in hex (RFC 8955 §7.1), in bytes a second; null when there is none. */
export function rateIn(communities: readonly string[]): number | null {
  const rate = communities.find((community) => community.startsWith('8006'));
  return rate === undefined ? null : float32(Number.parseInt(rate.slice(8), 16));
}

/** The IEEE 754 single behind four octets. */
export function float32(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

/** The four octets of an IEEE 754 single, in hex. */
export function float32Hex(value: number): string {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return hexNumber(view.getUint32(0), 4);
}

/** A number in so many octets, in hex. */
export const hexNumber = (value: number | bigint, octets: number): string =>
  value.toString(16).padStart(octets * 2, '0');

/** The octets of an address, in hex. */
export function addressHex(text: string): string {
  const octets = parseAddress(text);
  if (octets === undefined) throw new Error(`"${text}" is not an address`);
  return toHex(octets);
}
