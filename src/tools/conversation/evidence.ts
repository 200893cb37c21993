/**
 * Infers from UPDATEs what a session without captured OPENs negotiated: the width of AS numbers, and the families with Path
 * Identifiers. Infers a reading only if no other is possible. Pure.
 */
import { decodeFlowSpecList } from '../../bgp/flowspec/nlri.ts';
import { decodeAsPath } from '../../bgp/wire/as-path.ts';
import { AttributeFlag } from '../../bgp/wire/attribute-table.ts';
import { AttributeType, FAMILIES, type Family, familyName, MessageType } from '../../bgp/wire/iana.ts';
import { HEADER_LENGTH } from '../../bgp/wire/message-length.ts';
import { isListed, listNlri, unicastNlriFault } from '../../bgp/wire/nlri-list.ts';
import type { AsPathSegment } from '../../bgp/wire/types.ts';
import { toHex } from '../../net/bytes.ts';

/** Holds an UPDATE's octets split into attributes and NLRI fields, without validation. */
export interface UpdateParts {
  readonly attributes: readonly { readonly type: number; readonly value: Uint8Array }[];
  readonly fields: readonly { readonly family: Family; readonly octets: Uint8Array }[];
}

/** Splits an UPDATE (with its header) as far as its lengths are valid. Returns undefined for other messages. */
export function partsOf(message: Uint8Array): UpdateParts | undefined {
  if (message[HEADER_LENGTH - 1] !== MessageType.Update) return undefined;
  const body = message.subarray(HEADER_LENGTH);
  const withdrawnEnd = 2 + u16(body, 0);
  const attributesEnd = withdrawnEnd + 2 + u16(body, withdrawnEnd);
  if (attributesEnd > body.length) return { attributes: [], fields: [] };
  const attributes = attributesOf(body.subarray(withdrawnEnd + 2, attributesEnd));
  const unicast = FAMILIES['ipv4-unicast'];
  const fields = [
    { family: unicast, octets: body.subarray(2, withdrawnEnd) },
    { family: unicast, octets: body.subarray(attributesEnd) },
    ...attributes.flatMap(({ type, value }) => multiprotocolField(type, value)),
  ];
  return { attributes, fields: fields.filter(({ octets }) => octets.length > 0) };
}

function u16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}

function attributesOf(octets: Uint8Array): UpdateParts['attributes'] {
  const found: { type: number; value: Uint8Array }[] = [];
  let at = 0;
  while (at + 3 <= octets.length) {
    const extended = ((octets[at] ?? 0) & AttributeFlag.ExtendedLength) !== 0;
    const start = at + (extended ? 4 : 3);
    const end = start + (extended ? u16(octets, at + 2) : (octets[at + 2] ?? 0));
    if (end > octets.length) break;
    found.push({ type: octets[at + 1] ?? 0, value: octets.subarray(start, end) });
    at = end;
  }
  return found;
}

function multiprotocolField(type: number, value: Uint8Array): UpdateParts['fields'] {
  const family = { afi: u16(value, 0), safi: value[2] ?? 0 };
  if (type === AttributeType.MpUnreachNlri) return [{ family, octets: value.subarray(3) }];
  if (type !== AttributeType.MpReachNlri) return [];
  return [{ family, octets: value.subarray(5 + (value[3] ?? 0)) }];
}

/** Holds the widths of AS numbers that an UPDATE allows. */
interface Fits {
  readonly two: boolean;
  readonly four: boolean;
  /** True if both widths are possible, with different results. */
  readonly both: boolean;
}

/** Holds the inferred width of AS numbers. */
export interface AsWidth {
  readonly width: 2 | 4;
  /** The reason: one width is valid for more UPDATEs, both are valid, or nothing depends on it. */
  readonly verdict: 'inferred' | 'ambiguous' | 'immaterial';
}

/** Evaluates all UPDATEs of a connection together, because both directions use one width (RFC 6793 §4.1). */
export function asWidthOf(updates: readonly UpdateParts[]): AsWidth {
  let misfits2 = 0;
  let misfits4 = 0;
  let undecided = false;
  for (const update of updates) {
    const fits = widthsOf(update);
    if (!fits.two) misfits2++;
    if (!fits.four) misfits4++;
    undecided ||= fits.both;
  }
  if (misfits2 !== misfits4) return { width: misfits2 < misfits4 ? 2 : 4, verdict: 'inferred' };
  return { width: 4, verdict: undecided ? 'ambiguous' : 'immaterial' };
}

/** Uses AS_PATH, AGGREGATOR (AS number and 4 octets), and AS4 attributes, which only 2-octet sessions use (RFC 6793 §3, §4.1). */
function widthsOf({ attributes }: UpdateParts): Fits {
  let [two, four, both] = [true, true, false];
  for (const { type, value } of attributes) {
    if (type === AttributeType.AsPath) {
      const [narrow, wide] = [reads(value, 2), reads(value, 4)];
      two &&= narrow;
      four &&= wide;
      both ||= narrow && wide && value.length > 0;
    } else if (type === AttributeType.Aggregator) {
      two &&= value.length !== 8;
      four &&= value.length !== 6;
    } else if (type === AttributeType.As4Path || type === AttributeType.As4Aggregator) {
      four = false;
    }
  }
  return { two, four, both: both && two && four };
}

function reads(path: Uint8Array, width: 2 | 4): boolean {
  return typeof decodeAsPath(path, width) !== 'string';
}

/** Returns the AS path read with 2 octets if both widths are possible; else undefined. */
export function narrowPath(update: UpdateParts): readonly AsPathSegment[] | undefined {
  if (!widthsOf(update).both) return undefined;
  const value = update.attributes.find(({ type }) => type === AttributeType.AsPath)?.value;
  const path = value === undefined ? 'none' : decodeAsPath(value, 2);
  return typeof path === 'string' ? undefined : path;
}

/**
 * Returns the families whose routes are valid only with Path Identifiers. Routes with ADD-PATH that are read without it repeat
 * a route (identifiers below 65536 read as two default routes), or do not end at the end of the field.
 */
export function familiesWithIdentifiers(updates: readonly UpdateParts[]): readonly Family[] {
  const tallies = new Map<string, { family: Family; plain: number; identified: number }>();
  for (const { family, octets } of updates.flatMap(({ fields }) => fields)) {
    if (!isListed(family)) continue;
    const name = familyName(family);
    const tally = tallies.get(name) ?? { family, plain: 0, identified: 0 };
    tallies.set(name, tally);
    if (!readsAs(octets, family, false)) tally.plain++;
    if (!readsAs(octets, family, true)) tally.identified++;
  }
  return [...tallies.values()].flatMap(({ family, plain, identified }) =>
    plain > identified ? [family] : [],
  );
}

/** Returns true if the routes fill the field exactly, none is malformed, and none is repeated. */
function readsAs(field: Uint8Array, family: Family, identified: boolean): boolean {
  const { routes, rest } = listNlri(field, family, identified);
  if (rest !== undefined) return false;
  const seen = new Set(
    routes.map(({ pathIdentifier, octets }) => `${pathIdentifier ?? ''} ${toHex(octets)}`),
  );
  return seen.size === routes.length && routes.every(({ octets }) => isRoute(octets, family));
}

function isRoute(octets: Uint8Array, { afi, safi }: Family): boolean {
  if (afi !== 1 && afi !== 2) return true;
  if (safi === 133 || safi === 134)
    return decodeFlowSpecList(octets, afi, safi).every(({ result }) => result.ok);
  return safi > 2 || unicastNlriFault(octets, afi === 1 ? 32 : 128) === undefined;
}
