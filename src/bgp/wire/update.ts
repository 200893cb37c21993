/**
 * Encodes and decodes UPDATE (RFC 4271 §4.3) with the revised error handling of RFC 7606, and End-of-RIB (RFC 4724 §2).
 */
import type { ByteWriter } from '../../net/bytes.ts';
import { type DecodedAttributes, decodeAttributes } from './decode-attributes.ts';
import { writeAttributes } from './encode-attributes.ts';
import { attributeName } from './attribute-table.ts';
import { Afi, AttributeType, FAMILIES, type Family, includesFamily, Safi } from './iana.ts';
import { ErrorCode, NotificationError, UpdateSubcode } from './notification.ts';
import type { AttributeProblem, CodecContext, PathAttributes, UpdateMessage } from './types.ts';
import { unicastNlriFault } from './nlri-list.ts';

const EMPTY = new Uint8Array(0);

/**
 * Decodes the body of an UPDATE, which has at least four octets. Its octet fields are views. Throws error 3/x if RFC
 * 7606 requires a session reset; milder reactions are in `problems`.
 */
export function decodeUpdate(body: Uint8Array, context: CodecContext): UpdateMessage {
  const withdrawnLength = ((body[0] as number) << 8) | (body[1] as number);
  const attributesAt = 2 + withdrawnLength + 2;
  // RFC 7606 §3.b
  if (attributesAt > body.length) throw tooLong(`Withdrawn Routes Length ${withdrawnLength}`);
  const attributesLength = ((body[attributesAt - 2] as number) << 8) | (body[attributesAt - 1] as number);
  const nlriAt = attributesAt + attributesLength;
  if (nlriAt > body.length) throw tooLong(`Total Path Attribute Length ${attributesLength}`);
  const withdrawn = body.subarray(2, 2 + withdrawnLength);
  const nlri = body.subarray(nlriAt);
  // RFC 7606 §3.i, §3.j, §5.3: routes that cannot be identified cannot be withdrawn.
  const identified = includesFamily(context.pathIdentifiers, FAMILIES['ipv4-unicast']);
  checkIpv4('Withdrawn Routes', withdrawn, identified);
  checkIpv4('NLRI', nlri, identified);
  const decoded = decodeAttributes(body.subarray(attributesAt, nlriAt), context);
  const { attributes } = decoded;
  const reachable = nlri.length > 0 || (attributes.mpReach?.nlri.length ?? 0) > 0;
  if (!reachable) {
    // RFC 7606 §5.2: an error beyond a discarded attribute, and no route to withdraw for it.
    const reset = decoded.reset();
    if (reset !== undefined) throw reset;
  }
  const missing = reachable ? missingAttributes(decoded, nlri.length > 0, context) : [];
  const problems = missing.length === 0 ? decoded.problems : [...decoded.problems, ...missing];
  return { type: 'update', withdrawn, attributes, nlri, problems };
}

function tooLong(what: string): NotificationError {
  return new NotificationError(
    ErrorCode.UpdateMessage,
    UpdateSubcode.MalformedAttributeList,
    `${what} exceeds the message`,
  );
}

function checkIpv4(field: string, octets: Uint8Array, identified: boolean): void {
  const fault = unicastNlriFault(octets, 32, identified);
  if (fault === undefined) return;
  throw new NotificationError(
    ErrorCode.UpdateMessage,
    UpdateSubcode.InvalidNetworkField,
    `${field}: ${fault}`,
  );
}

/**
 * Finds mandatory attributes that announced routes lack (RFC 7606 §3.d). NEXT_HOP is mandatory for the NLRI field only
 * (RFC 4760 §3), LOCAL_PREF on internal sessions only (RFC 4271 §5.1.5). A malformed one is already a problem.
 */
function missingAttributes(
  decoded: DecodedAttributes,
  hasIpv4Nlri: boolean,
  context: CodecContext,
): AttributeProblem[] {
  const wanted: number[] = [AttributeType.Origin, AttributeType.AsPath];
  if (hasIpv4Nlri) wanted.push(AttributeType.NextHop);
  if (context.internal) wanted.push(AttributeType.LocalPref);
  const missing: AttributeProblem[] = [];
  for (const attribute of wanted) {
    if (decoded.present(attribute)) continue;
    const reason = `${attributeName(attribute)} is mandatory but missing`;
    const subcode = UpdateSubcode.MissingWellKnownAttribute;
    missing.push({ attribute, treatment: 'treat-as-withdraw', reason, subcode });
  }
  return missing;
}

/** Returns true if the announced routes of an UPDATE must be handled as if they were withdrawn (RFC 7606 §2). */
export function isTreatAsWithdraw(update: UpdateMessage): boolean {
  return update.problems.some((problem) => problem.treatment === 'treat-as-withdraw');
}

/** Estimates the length of an encoded UPDATE, as a first size for the buffer. */
export function updateLengthHint(update: UpdateMessage): number {
  const { mpReach, mpUnreach } = update.attributes;
  return (
    160 +
    update.withdrawn.length +
    update.nlri.length +
    (mpReach?.nlri.length ?? 0) +
    (mpUnreach?.nlri.length ?? 0)
  );
}

/** Writes the body of an UPDATE; `problems` are not encoded. Throws RangeError if a field is too large. */
export function writeUpdate(writer: ByteWriter, update: UpdateMessage, context: CodecContext): void {
  writer.u16(update.withdrawn.length).bytes(update.withdrawn);
  const lengthAt = writer.length;
  writer.u16(0);
  writeAttributes(writer, update.attributes, context);
  writer.patchU16(lengthAt, writer.length - lengthAt - 2);
  writer.bytes(update.nlri);
}

/** Builds an UPDATE of these parts; omitted ones are empty. */
export function makeUpdate(parts: {
  readonly withdrawn?: Uint8Array;
  readonly attributes?: PathAttributes;
  readonly nlri?: Uint8Array;
}): UpdateMessage {
  return {
    type: 'update',
    withdrawn: parts.withdrawn ?? EMPTY,
    attributes: parts.attributes ?? {},
    nlri: parts.nlri ?? EMPTY,
    problems: [],
  };
}

/**
 * Builds a family's End-of-RIB (RFC 4724 §2): an empty UPDATE for IPv4 unicast, an empty MP_UNREACH_NLRI for the
 * others.
 */
export function endOfRib(family: Family): UpdateMessage {
  if (family.afi === Afi.IPv4 && family.safi === Safi.Unicast) return makeUpdate({});
  return makeUpdate({ attributes: { mpUnreach: { family, nlri: EMPTY } } });
}

/** Returns the family whose End-of-RIB an UPDATE is, or undefined if it is none. */
export function isEndOfRib(update: UpdateMessage): Family | undefined {
  if (update.withdrawn.length > 0 || update.nlri.length > 0 || update.problems.length > 0) return undefined;
  const { mpUnreach } = update.attributes;
  const count = Object.keys(update.attributes).length;
  if (count === 0) return { afi: Afi.IPv4, safi: Safi.Unicast };
  return count === 1 && mpUnreach?.nlri.length === 0 ? mpUnreach.family : undefined;
}
