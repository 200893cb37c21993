/**
 * Encodes and decodes lists of {operator, value} pairs (RFC 8955 §4.2.1): the octets after the type of every component
 * that is not a prefix.
 *
 * The encoder has one form: the smallest width that holds the value (the flow label always in 4 octets), reserved bits
 * zero, no AND on the first pair, end-of-list on the last. The decoder accepts more and notes the differences on the
 * cursor.
 */
import { componentName } from './components.ts';
import { type Cursor, fail, tolerate, tooLong } from './cursor.ts';
import { FlowSpecError } from './errors.ts';
import {
  type BitmaskComponent,
  type BitmaskOp,
  ComponentType,
  type NumericComponent,
  type NumericOp,
} from './types.ts';

/** RFC 8955 §4.2.1.1: `e a len len 0 lt gt eq`; §4.2.1.2: `e a len len 0 0 not m`. */
const END_OF_LIST = 0x80;
const AND = 0x40;
const LENGTH_SHIFT = 4;
const LT = 0x04;
const GT = 0x02;
const EQ = 0x01;
const NUMERIC_RESERVED = 0x08;
const NOT = 0x02;
const MATCH = 0x01;
const BITMASK_RESERVED = 0x0c;

const MAX_U32 = 0xffff_ffff;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const TWO_32 = 0x1_0000_0000;

/** Returns a value's width as the exponent in the operator's length field: 0, 1, 2, 3 for 1, 2, 4, 8 octets. */
function widthCode(type: number, value: number | bigint): 0 | 1 | 2 | 3 {
  if (type === ComponentType.FlowLabel) return 2; // RFC 8956 §3.7: always 4 octets
  if (value <= 0xff) return 0;
  if (value <= 0xffff) return 1;
  return value <= MAX_U32 ? 2 : 3;
}

/** Returns the operator octet of the pair at `index`, including end-of-list and width. */
function numericOperator(component: NumericComponent, index: number, op: NumericOp): number {
  return (
    (index === component.ops.length - 1 ? END_OF_LIST : 0) |
    (op.and ? AND : 0) |
    (widthCode(component.type, op.value) << LENGTH_SHIFT) |
    (op.lt ? LT : 0) |
    (op.gt ? GT : 0) |
    (op.eq ? EQ : 0)
  );
}

/** Returns the operator octet of the pair at `index`, including end-of-list and width. */
function bitmaskOperator(component: BitmaskComponent, index: number, op: BitmaskOp): number {
  return (
    (index === component.ops.length - 1 ? END_OF_LIST : 0) |
    (op.and ? AND : 0) |
    (op.value > 0xff ? 1 << LENGTH_SHIFT : 0) |
    (op.not ? NOT : 0) |
    (op.match ? MATCH : 0)
  );
}

/** Returns the largest value of a numeric type: DSCP has 6 bits (§4.2.2.11), a flow label 4 octets. */
function largestValue(type: number): number | bigint {
  if (type === ComponentType.Dscp) return 63;
  return type === ComponentType.FlowLabel ? MAX_U32 : MAX_U64;
}

/** Returns the defined bits of a bitmask type: fragment has four, without DF for IPv6 (RFC 8956 §3.6). */
function meaningfulBits(type: number, afi: 1 | 2): number {
  if (type !== ComponentType.Fragment) return 0xffff;
  return afi === 1 ? 0x0f : 0x0e;
}

/**
 * Writes the pairs of a numeric component to `out` at `at` and returns the position after them. Throws FlowSpecError
 * for an invalid value and for passing `limit`, after which `out` must have room for one more pair (9 octets).
 */
export function encodeNumericOps(
  out: Uint8Array,
  at: number,
  limit: number,
  component: NumericComponent,
): number {
  const { type, ops } = component;
  if (ops.length === 0) throw new FlowSpecError(`${componentName(type)}: the operator is missing`);
  let next = at;
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i] as NumericOp;
    const value = op.value;
    checkFirst(type, i, op.and);
    if (typeof value === 'number' ? !(value >= 0 && Number.isSafeInteger(value)) : value < 0n) {
      throw new FlowSpecError(`${componentName(type)}: ${value} is not a whole number from 0`);
    }
    if (value > 63 && value > largestValue(type)) {
      throw new FlowSpecError(`${componentName(type)}: ${value} is above ${largestValue(type)}`);
    }
    const operator = numericOperator(component, i, op);
    out[next++] = operator;
    const width = (operator >>> LENGTH_SHIFT) & 3;
    if (width === 3) {
      next = writeU32(
        out,
        next,
        typeof value === 'bigint' ? Number(value >> 32n) : Math.floor(value / TWO_32),
      );
      next = writeU32(out, next, typeof value === 'bigint' ? Number(value & 0xffff_ffffn) : value % TWO_32);
    } else {
      const small = Number(value);
      if (width === 2) next = writeU32(out, next, small);
      else {
        if (width === 1) out[next++] = small >>> 8;
        out[next++] = small & 0xff;
      }
    }
    if (next > limit) throw tooLong();
  }
  return next;
}

/** As `encodeNumericOps`, for a bitmask component. */
export function encodeBitmaskOps(
  out: Uint8Array,
  at: number,
  limit: number,
  component: BitmaskComponent,
  afi: 1 | 2,
): number {
  const { type, ops } = component;
  if (ops.length === 0) throw new FlowSpecError(`${componentName(type)}: the operator is missing`);
  const allowed = meaningfulBits(type, afi);
  let next = at;
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i] as BitmaskOp;
    checkFirst(type, i, op.and);
    if (!Number.isInteger(op.value) || op.value < 0 || op.value > 0xffff || (op.value & ~allowed) !== 0) {
      throw new FlowSpecError(
        `${componentName(type)}: ${op.value} is not a mask within 0x${allowed.toString(16)}`,
      );
    }
    out[next++] = bitmaskOperator(component, i, op);
    if (op.value > 0xff) out[next++] = op.value >>> 8;
    out[next++] = op.value & 0xff;
    if (next > limit) throw tooLong();
  }
  return next;
}

/** RFC 8955 §4.2.1.1: the AND bit of the first operator MUST be encoded as unset. */
function checkFirst(type: number, index: number, and: boolean): void {
  if (and && index === 0) {
    throw new FlowSpecError(`${componentName(type)}: the first operator cannot have AND`);
  }
}

function writeU32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = (value >>> 16) & 0xff;
  out[at + 2] = (value >>> 8) & 0xff;
  out[at + 3] = value & 0xff;
  return at + 4;
}

/** Reads the pairs of a numeric component up to its end-of-list, or sets `cursor.failure`. */
export function decodeNumericOps(
  cursor: Cursor,
  type: NumericComponent['type'],
): NumericComponent | undefined {
  const { bytes, end } = cursor;
  const ops: NumericOp[] = [];
  for (;;) {
    if (cursor.at >= end) return fail(cursor, missingEnd(type));
    const operator = bytes[cursor.at++] as number;
    const code = (operator >>> LENGTH_SHIFT) & 3;
    const width = 1 << code;
    if (cursor.at + width > end) return fail(cursor, truncated(type, width, end - cursor.at));
    if (type === ComponentType.Dscp && code !== 0) {
      return fail(cursor, `dscp: a value of ${width} octets, must be 1 (RFC 8955 §4.2.2.11)`);
    }
    let value = readValue(bytes, cursor.at, width);
    cursor.at += width;
    if (type === ComponentType.Dscp && value > 63) {
      value = Number(value) & 0x3f;
      tolerate(cursor, 'dscp: bits above the six DSCP bits are set');
    }
    if (type === ComponentType.FlowLabel && value > MAX_U32) {
      return fail(cursor, `flow-label: ${value} is longer than 4 octets`);
    }
    if (code !== widthCode(type, value)) noteWidth(cursor, type, width);
    const first = ops.length === 0;
    noteOperator(cursor, type, operator, NUMERIC_RESERVED, first);
    ops.push({
      and: !first && (operator & AND) !== 0,
      lt: (operator & LT) !== 0,
      gt: (operator & GT) !== 0,
      eq: (operator & EQ) !== 0,
      value,
    });
    if ((operator & END_OF_LIST) !== 0) return { type, ops };
  }
}

/** Reads the pairs of a bitmask component up to its end-of-list, or sets `cursor.failure`. */
export function decodeBitmaskOps(
  cursor: Cursor,
  type: BitmaskComponent['type'],
): BitmaskComponent | undefined {
  const { bytes, end } = cursor;
  const widest = type === ComponentType.TcpFlags ? 2 : 1;
  const meaningful = meaningfulBits(type, cursor.afi);
  const ops: BitmaskOp[] = [];
  for (;;) {
    if (cursor.at >= end) return fail(cursor, missingEnd(type));
    const operator = bytes[cursor.at++] as number;
    const width = 1 << ((operator >>> LENGTH_SHIFT) & 3);
    if (cursor.at + width > end) return fail(cursor, truncated(type, width, end - cursor.at));
    if (width > widest) {
      const section = type === ComponentType.TcpFlags ? '§4.2.2.9' : '§4.2.2.12';
      return fail(
        cursor,
        `${componentName(type)}: a mask of ${width} octets, at most ${widest} (RFC 8955 ${section})`,
      );
    }
    let value = Number(readValue(bytes, cursor.at, width));
    cursor.at += width;
    if ((value & ~meaningful) !== 0) {
      value &= meaningful;
      tolerate(cursor, `${componentName(type)}: reserved bits of the mask are set`);
    }
    if (width === 2 && value <= 0xff) noteWidth(cursor, type, width);
    const first = ops.length === 0;
    noteOperator(cursor, type, operator, BITMASK_RESERVED, first);
    ops.push({
      and: !first && (operator & AND) !== 0,
      not: (operator & NOT) !== 0,
      match: (operator & MATCH) !== 0,
      value,
    });
    if ((operator & END_OF_LIST) !== 0) return { type, ops };
  }
}

/** Reads a value of 1, 2, 4 or 8 octets; returns a bigint only above Number.MAX_SAFE_INTEGER. */
function readValue(bytes: Uint8Array, at: number, width: number): number | bigint {
  if (width === 1) return bytes[at] as number;
  if (width === 2) return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  const high = readU32(bytes, at);
  if (width === 4) return high;
  const low = readU32(bytes, at + 4);
  return high < 0x20_0000 ? high * TWO_32 + low : (BigInt(high) << 32n) | BigInt(low);
}

function readU32(bytes: Uint8Array, at: number): number {
  const low =
    ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  return (bytes[at] as number) * 0x100_0000 + low;
}

function noteWidth(cursor: Cursor, type: number, width: number): void {
  const canonical = type === ComponentType.FlowLabel ? 'the canonical form is 4' : 'fewer are enough';
  tolerate(cursor, `${componentName(type)}: a value takes ${width} octets, ${canonical}`);
}

function noteOperator(
  cursor: Cursor,
  type: number,
  operator: number,
  reserved: number,
  first: boolean,
): void {
  if ((operator & reserved) !== 0) {
    tolerate(cursor, `${componentName(type)}: reserved bits of an operator are set`);
  }
  if (first && (operator & AND) !== 0) {
    tolerate(cursor, `${componentName(type)}: the first operator has its AND bit set`);
  }
}

function missingEnd(type: number): string {
  return `${componentName(type)}: the NLRI ends without an end-of-list operator`;
}

function truncated(type: number, width: number, left: number): string {
  return `${componentName(type)}: a value needs ${width} octets, but only ${left} are left`;
}
