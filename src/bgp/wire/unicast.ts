/** Unicast NLRI (RFC 4271 §4.3, RFC 4760 §5): a length in bits, then as many octets as hold them. */
import { ByteWriter } from '../../net/bytes.ts';
import { makePrefix, type Prefix } from '../../net/prefix.ts';
import { ErrorCode, NotificationError, UpdateSubcode } from './notification.ts';

/** Octets of the Path Identifier in front of each route of a family with ADD-PATH (RFC 7911 §3). */
export const PATH_IDENTIFIER_LENGTH = 4;

/**
 * What makes a field of unicast NLRI syntactically incorrect (RFC 7606 §5.3), or undefined when nothing does.
 * `bits` is the width of the family's addresses; `identified` routes have a Path Identifier in front (RFC 7911 §3).
 */
export function unicastNlriFault(octets: Uint8Array, bits: 32 | 128, identified = false): string | undefined {
  const skipped = identified ? PATH_IDENTIFIER_LENGTH : 0;
  let at = 0;
  while (at < octets.length) {
    at += skipped;
    if (at >= octets.length) return 'the last Path Identifier has no prefix';
    const length = octets[at] as number;
    if (length > bits) return `prefix length ${length} is over ${bits}`;
    at += 1 + ((length + 7) >>> 3);
  }
  return at === octets.length ? undefined : 'the last prefix is cut off';
}

/**
 * The prefixes of a field of unicast NLRI, for AFI 1 or 2. Bits behind a prefix's length mean nothing and are cleared.
 * Throws error 3/10 where the field is syntactically incorrect; a field of a decoded UPDATE never is.
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

/** NLRI of prefixes, all of one family. */
export function encodeUnicastNlri(prefixes: readonly Prefix[]): Uint8Array {
  const writer = new ByteWriter(prefixes.length * 5);
  for (const { address, length } of prefixes) {
    writer.u8(length).bytes(address.subarray(0, (length + 7) >>> 3));
  }
  return writer.finish();
}
