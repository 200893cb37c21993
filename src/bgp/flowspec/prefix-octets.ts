/** Encodes and decodes prefix components: types 1 and 2. */
import { makePrefix } from '../../net/prefix.ts';
import { componentName } from './components.ts';
import { type Cursor, fail, tolerate, tooLong } from './cursor.ts';
import { FlowSpecError } from './errors.ts';
import type { PrefixComponent } from './types.ts';

/**
 * Encodes a prefix (RFC 8955 §4.2.2.1; for IPv6, RFC 8956 §3.1: only the bits from `offset` on are sent). Throws
 * FlowSpecError for an invalid prefix and for passing `limit`, after which `out` must have room for 18 octets.
 */
export function encodePrefix(
  out: Uint8Array,
  at: number,
  limit: number,
  component: PrefixComponent,
  afi: 1 | 2,
): number {
  const { prefix, offset } = component;
  const { address, length } = prefix;
  const name = componentName(component.type);
  if (prefix.family !== (afi === 1 ? 4 : 6) || address.length !== (afi === 1 ? 4 : 16)) {
    throw new FlowSpecError(`${name}: not an IPv${afi === 1 ? 4 : 6} prefix`);
  }
  if (!Number.isInteger(length) || length < 0 || length > address.length * 8) {
    throw new FlowSpecError(`${name}: prefix length ${length} is not from 0 to ${address.length * 8}`);
  }
  checkOffset(name, afi, offset, length);
  let next = at;
  out[next++] = length;
  if (afi === 2) out[next++] = offset;
  const octets = (length - offset + 7) >>> 3;
  if (offset === 0) for (let i = 0; i < octets; i++) out[next + i] = address[i] as number;
  else shiftLeft(address, offset, out, next, octets);
  const padding = octets * 8 - (length - offset);
  if (padding > 0) {
    const last = next + octets - 1;
    out[last] = (out[last] as number) & (0xff << padding);
  }
  if (next + octets > limit) throw tooLong();
  return next + octets;
}

function checkOffset(name: string, afi: 1 | 2, offset: number, length: number): void {
  if (offset === 0) return;
  if (afi === 1) throw new FlowSpecError(`${name}: an offset exists in IPv6 only`);
  if (!Number.isInteger(offset) || offset < 0 || offset >= length) {
    throw new FlowSpecError(`${name}: offset ${offset} is not below the prefix length ${length}`);
  }
}

/** Copies bits of `from`, starting at bit `offset`, to whole octets of `to`. */
function shiftLeft(from: Uint8Array, offset: number, to: Uint8Array, at: number, octets: number): void {
  const skip = offset >>> 3;
  const shift = offset & 7;
  for (let i = 0; i < octets; i++) {
    const high = from[skip + i] ?? 0;
    const low = from[skip + i + 1] ?? 0;
    to[at + i] = ((high << shift) | (low >>> (8 - shift))) & 0xff;
  }
}

/** Decodes a prefix component after its type, or sets `cursor.failure`. */
export function decodePrefix(cursor: Cursor, type: 1 | 2, afi: 1 | 2): PrefixComponent | undefined {
  const { bytes, end } = cursor;
  const name = componentName(type);
  const heading = afi === 1 ? 1 : 2;
  if (cursor.at + heading > end) {
    return fail(
      cursor,
      `${name}: the NLRI ends before the prefix ${cursor.at === end ? 'length' : 'offset'}`,
    );
  }
  const width = afi === 1 ? 4 : 16;
  const length = bytes[cursor.at] as number;
  const offset = afi === 1 ? 0 : (bytes[cursor.at + 1] as number);
  cursor.at += heading;
  if (length > width * 8) {
    return fail(cursor, `${name}: prefix length ${length} is above ${width * 8}`);
  }
  if (offset !== 0 && offset >= length) {
    return fail(cursor, `${name}: offset ${offset} is not below the prefix length ${length}`);
  }
  const octets = (length - offset + 7) >>> 3;
  if (cursor.at + octets > end) {
    return fail(
      cursor,
      `${name}: ${octets} octets of prefix are needed, but only ${end - cursor.at} are left`,
    );
  }
  const address = new Uint8Array(width);
  if (offset === 0) for (let i = 0; i < octets; i++) address[i] = bytes[cursor.at + i] as number;
  else shiftRight(bytes, cursor.at, octets, address, offset);
  const padding = octets * 8 - (length - offset);
  const lastOctet = padding === 0 ? 0 : (bytes[cursor.at + octets - 1] as number);
  cursor.at += octets;
  if ((lastOctet & ~(0xff << padding)) === 0) {
    return { type, prefix: { family: afi === 1 ? 4 : 6, address, length }, offset };
  }
  tolerate(cursor, `${name}: bits after the prefix length are set`);
  return { type, prefix: makePrefix(address, length), offset };
}

/** Copies whole octets of `from` into `to`, starting at bit `offset`; bits past the end of `to` are padding. */
function shiftRight(from: Uint8Array, at: number, octets: number, to: Uint8Array, offset: number): void {
  const skip = offset >>> 3;
  const shift = offset & 7;
  for (let i = 0; i < octets; i++) {
    const octet = from[at + i] as number;
    to[skip + i] = (to[skip + i] as number) | (octet >>> shift);
    if (shift > 0 && skip + i + 1 < to.length) to[skip + i + 1] = (octet << (8 - shift)) & 0xff;
  }
}
