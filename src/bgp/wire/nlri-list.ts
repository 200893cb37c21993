/** Splits an NLRI field into routes, with or without Path Identifiers, without decoding them. */
import { ByteWriter } from '../../net/bytes.ts';
import { makePrefix, type Prefix } from '../../net/prefix.ts';
import type { Family } from './iana.ts';
import { ErrorCode, NotificationError, UpdateSubcode } from './notification.ts';

/** One route of a field. */
export interface ListedNlri {
  /** RFC 7911 §3: 0..4294967295; absent without ADD-PATH. */
  readonly pathIdentifier?: number;
  /** The route with its own length octets, without the Path Identifier: a view. */
  readonly octets: Uint8Array;
}

/** The routes of a field; if the last one is incomplete, its octets and the reason. */
export interface NlriList {
  readonly routes: readonly ListedNlri[];
  readonly rest?: { readonly octets: Uint8Array; readonly reason: string };
}

/** Returns the length in octets of the route at `at`; undefined if its length field is cut off. */
type Measure = (octets: Uint8Array, at: number) => number | undefined;

/** Measures a length in bits and the octets that hold them (RFC 4760 §5). */
const inBits: Measure = (octets, at) => {
  const bits = octets[at];
  return bits === undefined ? undefined : 1 + ((bits + 7) >>> 3);
};

/** Measures a type, a length in octets and a value, with the given field sizes. */
function typed(typeOctets: number, lengthOctets: 1 | 2): Measure {
  return (octets, at) => {
    let length = 0;
    for (let i = 0; i < lengthOctets; i++) {
      const octet = octets[at + typeOctets + i];
      if (octet === undefined) return undefined;
      length = length * 256 + octet;
    }
    return typeOctets + lengthOctets + length;
  };
}

/** Measures FlowSpec NLRI (RFC 8955 §4.1): a length of one octet below 240, otherwise twelve bits of two. */
const flowSpec: Measure = (octets, at) => {
  const first = octets[at];
  if (first === undefined || first < 0xf0) return first === undefined ? undefined : 1 + first;
  const second = octets[at + 1];
  return second === undefined ? undefined : 2 + ((first & 0x0f) << 8) + second;
};

/** The length encoding of each SAFI's routes (IANA, SAFI Values). */
const MEASURES: ReadonlyMap<number, Measure> = new Map([
  [1, inBits], // unicast
  [2, inBits], // multicast
  [4, inBits], // labels: RFC 8277 §2.2
  [5, typed(1, 1)], // multicast VPN: RFC 6514 §4
  [65, typed(0, 2)], // VPLS: RFC 4761 §3.2.2
  [66, inBits], // MDT: RFC 6037 §4.1
  [70, typed(1, 1)], // EVPN: RFC 7432 §7
  [71, typed(2, 2)], // link state: RFC 9552 §5.2
  [72, typed(2, 2)],
  [73, inBits], // segment routing policies: RFC 9830 §2.1
  [85, typed(3, 1)], // mobile user plane
  [128, inBits], // VPN: RFC 4364 §4.3.4
  [129, inBits], // multicast in VPNs: RFC 6514 §7
  [132, inBits], // route target constraints: RFC 4684 §4
  [133, flowSpec],
  [134, flowSpec],
]);

/** Returns true if a family's routes can be split. */
export function isListed({ safi }: Family): boolean {
  return MEASURES.has(safi);
}

/** Splits a field. An unknown family is one route of any length. */
export function listNlri(field: Uint8Array, family: Family, identified: boolean): NlriList {
  const measure = MEASURES.get(family.safi);
  const routes: ListedNlri[] = [];
  let at = 0;
  while (at < field.length) {
    const start = identified ? at + PATH_IDENTIFIER_LENGTH : at;
    const length = measure === undefined ? field.length - start : measure(field, start);
    const end = length === undefined ? Number.POSITIVE_INFINITY : start + length;
    if (start >= field.length || end > field.length) {
      return { routes, rest: { octets: field.subarray(at), reason: faultOf(field, start, end) } };
    }
    const octets = field.subarray(start, end);
    routes.push(identified ? { pathIdentifier: readIdentifier(field, at), octets } : { octets });
    at = end;
  }
  return { routes };
}

function faultOf(field: Uint8Array, start: number, end: number): string {
  if (start >= field.length) return 'the last Path Identifier has no route';
  const claimed = Number.isFinite(end) ? `${end - start} octets` : 'more octets';
  return `the last route needs ${claimed}, but only ${field.length - start} are left`;
}

function readIdentifier(field: Uint8Array, at: number): number {
  return new DataView(field.buffer, field.byteOffset + at, PATH_IDENTIFIER_LENGTH).getUint32(0);
}

// Unicast NLRI (RFC 4271 §4.3, RFC 4760 §5): a length in bits, then the octets that hold them.

/** Octets of the Path Identifier before each route of a family with ADD-PATH (RFC 7911 §3). */
export const PATH_IDENTIFIER_LENGTH = 4;

/**
 * Returns the syntax error of a unicast NLRI field (RFC 7606 §5.3), or undefined if there is none. `bits` is the width
 * of the family's addresses; `identified` routes are preceded by a Path Identifier (RFC 7911 §3).
 */
export function unicastNlriFault(octets: Uint8Array, bits: 32 | 128, identified = false): string | undefined {
  const skipped = identified ? PATH_IDENTIFIER_LENGTH : 0;
  let at = 0;
  while (at < octets.length) {
    at += skipped;
    if (at >= octets.length) return 'the last Path Identifier has no prefix';
    const length = octets[at] as number;
    if (length > bits) return `prefix length ${length} is above ${bits}`;
    at += 1 + ((length + 7) >>> 3);
  }
  return at === octets.length ? undefined : 'the last prefix is cut off';
}

/**
 * Decodes the prefixes of a unicast NLRI field, for AFI 1 or 2. Bits after a prefix's length are meaningless and
 * cleared. Throws error 3/10 if the field is incorrect; a field of a decoded UPDATE never is.
 */
export function decodeUnicastNlri(octets: Uint8Array, afi: 1 | 2): Prefix[] {
  const bits = afi === 1 ? 32 : 128;
  const fault = unicastNlriFault(octets, bits);
  if (fault !== undefined) {
    throw new NotificationError(ErrorCode.UpdateMessage, UpdateSubcode.InvalidNetworkField, fault);
  }
  const prefixes: Prefix[] = [];
  let at = 0;
  while (at < octets.length) {
    const length = octets[at] as number;
    const end = at + 1 + ((length + 7) >>> 3);
    const address = new Uint8Array(bits >>> 3);
    address.set(octets.subarray(at + 1, end));
    prefixes.push(makePrefix(address, length));
    at = end;
  }
  return prefixes;
}

/** Encodes prefixes, all of one family, as NLRI. */
export function encodeUnicastNlri(prefixes: readonly Prefix[]): Uint8Array {
  const writer = new ByteWriter(prefixes.length * 5);
  for (const { address, length } of prefixes) {
    writer.u8(length).bytes(address.subarray(0, (length + 7) >>> 3));
  }
  return writer.finish();
}
