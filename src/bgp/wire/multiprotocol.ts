/** Decodes the values of MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, §4). */
import { Afi, type Family, includesFamily, Safi } from './iana.ts';
import type { CodecContext, MpReach, MpUnreach } from './types.ts';
import { unicastNlriFault } from './nlri-list.ts';

/** The negotiated encoding of routes. */
type NlriContext = Pick<CodecContext, 'pathIdentifiers' | 'ipv6NextHops'>;

/**
 * Decodes MP_REACH_NLRI: AFI, SAFI, next hop with its length, a reserved octet, NLRI. Returns a text if it is incorrect
 * (RFC 7606 §5.3, §7.11). The next hop is checked for unicast only: FlowSpec ignores it, whatever its length (RFC 8955
 * §4).
 */
export function decodeMpReach(value: Uint8Array, context: NlriContext = {}): MpReach | string {
  if (value.length < 5) return `${value.length} octets, fewer than 5`;
  const family = readFamily(value);
  const nextHopEnd = 4 + (value[3] as number);
  if (nextHopEnd >= value.length) return 'no octets are left for the NLRI after the next hop';
  const nextHop = value.subarray(4, nextHopEnd);
  const nlri = value.subarray(nextHopEnd + 1);
  const bits = unicastBits(family);
  if (bits !== undefined) {
    const ipv6 = nextHop.length === 16 || nextHop.length === 32;
    // RFC 8950 §3: one or two IPv6 addresses, like IPv6 routes.
    const right =
      bits === 128 ? ipv6 : nextHop.length === 4 || (ipv6 && includesFamily(context.ipv6NextHops, family));
    if (!right) return `invalid next hop length of ${nextHop.length} octets`;
    const fault = unicastNlriFault(nlri, bits, includesFamily(context.pathIdentifiers, family));
    if (fault !== undefined) return fault;
  }
  return { family, nextHop, nlri };
}

/** Decodes MP_UNREACH_NLRI: AFI, SAFI, withdrawn NLRI. Returns a text if it is incorrect. */
export function decodeMpUnreach(value: Uint8Array, context: NlriContext = {}): MpUnreach | string {
  if (value.length < 3) return `${value.length} octets, fewer than 3`;
  const family = readFamily(value);
  const nlri = value.subarray(3);
  const bits = unicastBits(family);
  const identified = includesFamily(context.pathIdentifiers, family);
  const fault = bits === undefined ? undefined : unicastNlriFault(nlri, bits, identified);
  return fault ?? { family, nlri };
}

function readFamily(value: Uint8Array): Family {
  return { afi: ((value[0] as number) << 8) | (value[1] as number), safi: value[2] as number };
}

/** Returns the bit width of a unicast family's addresses; undefined for families whose NLRI is opaque here. */
function unicastBits({ afi, safi }: Family): 32 | 128 | undefined {
  if (safi !== Safi.Unicast) return undefined;
  if (afi === Afi.IPv4) return 32;
  return afi === Afi.IPv6 ? 128 : undefined;
}
