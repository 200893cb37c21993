/**
 * Determines what two speakers negotiated, from both OPENs or, if an OPEN was not captured, from evidence in the UPDATEs.
 * Pure.
 */
import { addPathOf, ipv6NextHopsOf } from '../../bgp/wire/capabilities.ts';
import { checkHeader, messageType } from '../../bgp/wire/framing.ts';
import { FAMILIES, type Family, familyName, includesFamily, MessageType } from '../../bgp/wire/iana.ts';
import { HEADER_LENGTH } from '../../bgp/wire/message-length.ts';
import { decodeMessage } from '../../bgp/wire/message.ts';
import { NotificationError } from '../../bgp/wire/notification.ts';
import { findCapability, peerAsn } from '../../bgp/wire/open.ts';
import {
  type Capability,
  type CodecContext,
  INITIAL_CONTEXT,
  type OpenMessage,
} from '../../bgp/wire/types.ts';
import { type AsWidth, asWidthOf, familiesWithIdentifiers, type UpdateParts } from './evidence.ts';
import { beginOf, type Stretch } from './stream-framing.ts';

/** Holds the OPENs of a direction's sender and receiver; undefined if not captured. */
export interface Opens {
  readonly sender: OpenMessage | undefined;
  readonly receiver: OpenMessage | undefined;
}

/** Describes how to read the messages of one direction. */
export interface CapturedAgreement {
  readonly context: CodecContext;
  /** True if both sides are in one AS; undefined if an OPEN is missing. */
  readonly internal: boolean | undefined;
  /** True if a ROUTE-REFRESH may carry filters (RFC 5291): both sides negotiated them, or an OPEN is missing. */
  readonly routeFilters: boolean;
  /** True if AS numbers can be read with both widths and no OPEN decides. */
  readonly ambiguous: boolean;
}

/** Returns the OPEN if it is the first message of a direction, or its first whole message if the capture began later. */
export function firstOpen(stretches: readonly Stretch[]): OpenMessage | undefined {
  const [stretch] = stretches;
  if (stretch === undefined) return undefined;
  const octets = stretch.octets.subarray(beginOf(stretch));
  if (octets.length < HEADER_LENGTH) return undefined;
  try {
    const length = checkHeader(octets, 0, false);
    if (messageType(octets) !== MessageType.Open || length > octets.length) return undefined;
    const message = decodeMessage(octets.subarray(0, length), INITIAL_CONTEXT);
    return message.type === 'open' ? message : undefined;
  } catch (error) {
    if (error instanceof NotificationError) return undefined;
    throw error;
  }
}

/** Returns true if the receiver advertised extended messages, whatever the sender did (RFC 8654 §4), or its OPEN is missing. */
export function takesLongMessages({ receiver }: Opens): boolean {
  return receiver === undefined || findCapability(receiver, 'extended-message') !== undefined;
}

/** Returns the width of AS numbers in both directions: four octets if both sides advertised it (RFC 6793 §4.1). */
export function widthOf(opens: Opens, updates: readonly UpdateParts[]): AsWidth {
  const known = [opens.sender, opens.receiver].filter((open) => open !== undefined);
  const offers = known.filter((open) => findCapability(open, 'four-octet-as') !== undefined);
  if (offers.length < known.length) return { width: 2, verdict: 'immaterial' };
  return known.length === 2 ? { width: 4, verdict: 'immaterial' } : asWidthOf(updates);
}

/** Returns the agreement for one direction; `updates` are the UPDATEs of that direction. */
export function agreementOf(
  opens: Opens,
  width: AsWidth,
  updates: readonly UpdateParts[],
): CapturedAgreement {
  const { sender, receiver } = opens;
  const known = sender !== undefined && receiver !== undefined;
  const internal = known ? peerAsn(sender) === peerAsn(receiver) : undefined;
  const context: CodecContext = {
    fourOctetAs: width.width === 4,
    extendedMessages: takesLongMessages(opens),
    internal: internal ?? false,
    enhancedRouteRefresh:
      sender !== undefined && findCapability(sender, 'enhanced-route-refresh') !== undefined,
    // Only members of a confederation see its member AS numbers (RFC 5065 §4), so a capture cannot rule one out.
    confederation: true,
    pathIdentifiers: identifiedFamilies(opens, updates),
    ipv6NextHops: receiver === undefined ? IPV4_FAMILIES : ipv6NextHopsOf(receiver),
  };
  const filters = known && ![sender, receiver].every(filtersRoutes);
  return { context, internal, routeFilters: !filters, ambiguous: width.verdict === 'ambiguous' };
}

const IPV4_FAMILIES: readonly Family[] = [FAMILIES['ipv4-unicast']];

/** The code of outbound route filtering (RFC 5291 §4), and its code before the standard. */
const ROUTE_FILTER_CODES: ReadonlySet<number> = new Set([3, 130]);

function filtersRoutes(open: OpenMessage): boolean {
  const filters = (one: Capability): boolean => one.type === 'unknown' && ROUTE_FILTER_CODES.has(one.code);
  return open.capabilities.some(filters);
}

/** Returns the families with Path Identifiers: those that the sender can send and the receiver can receive (RFC 7911 §4). */
function identifiedFamilies({ sender, receiver }: Opens, updates: readonly UpdateParts[]): readonly Family[] {
  const sent = sender && addPathOf(sender)?.flatMap(({ family, send }) => (send ? [family] : []));
  const taken = receiver && addPathOf(receiver)?.flatMap(({ family, receive }) => (receive ? [family] : []));
  if (sent !== undefined && taken !== undefined)
    return sent.filter((family) => includesFamily(taken, family));
  const offered = sent ?? taken;
  const shown = familiesWithIdentifiers(updates);
  return offered === undefined ? shown : shown.filter((family) => includesFamily(offered, family));
}

/** Describes what was inferred without an OPEN. */
export function conclusions(
  opens: Opens,
  width: AsWidth,
  agreements: readonly CapturedAgreement[],
): readonly string[] {
  if (opens.sender !== undefined && opens.receiver !== undefined) return [];
  const missing = opens.sender === opens.receiver ? 'no OPEN was captured' : 'one OPEN was not captured';
  const said: string[] = [];
  if (width.verdict === 'inferred') {
    said.push(`${missing}: AS numbers are read with ${width.width} octets, the only width that works`);
  }
  if (width.verdict === 'ambiguous') {
    said.push(
      `${missing}: AS numbers are ambiguous, 2 and 4 octets both work; they are read with ${width.width}`,
    );
  }
  const families = agreements.flatMap(({ context }) => context.pathIdentifiers ?? []).map(familyName);
  if (families.length > 0) {
    const names = [...new Set(families)].join(', ');
    said.push(
      `${missing}: routes of ${names} are read with Path Identifiers (ADD-PATH), the only reading that works`,
    );
  }
  return said;
}
