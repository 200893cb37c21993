/** Counting the routes that peers send. They are dropped; only their number is kept. */
import { Safi } from '../wire/iana.ts';
import type { UpdateMessage } from '../wire/types.ts';

/** How many routes an UPDATE announces. NLRI of a family that is not known count as one. */
export function countRoutes(update: UpdateMessage): number {
  const { mpReach } = update.attributes;
  const unicast = countUnicast(update.nlri);
  if (mpReach === undefined || mpReach.nlri.length === 0) return unicast;
  switch (mpReach.family.safi) {
    case Safi.Unicast:
      return unicast + countUnicast(mpReach.nlri);
    case Safi.FlowSpec:
    case Safi.FlowSpecVpn:
      return unicast + countFlowSpec(mpReach.nlri);
    default:
      return unicast + 1;
  }
}

/** RFC 4271 §4.3: a length in bits and the octets that hold them. */
function countUnicast(octets: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < octets.length; at += 1 + (((octets[at] ?? 0) + 7) >>> 3)) count++;
  return count;
}

/** RFC 8955 §4.1: a length in octets, in one octet below 240 and in the lower 12 bits of two from there on. */
function countFlowSpec(octets: Uint8Array): number {
  let count = 0;
  let at = 0;
  while (at < octets.length) {
    const first = octets[at] ?? 0;
    at += first < 0xf0 ? 1 + first : 2 + (((first & 0x0f) << 8) | (octets[at + 1] ?? 0));
    count++;
  }
  return count;
}
