/** Encodes path attributes with the flags that the standards fix, MP_REACH_NLRI and MP_UNREACH_NLRI first (RFC 7606 §5.1). */
import type { ByteWriter } from '../../net/bytes.ts';
import { asPathLength, needsAs4Path, withoutConfederations, writeAsPath } from './as-path.ts';
import { AttributeFlag, attributeSpec } from './attribute-table.ts';
import { AS_TRANS, AttributeType } from './iana.ts';
import type { CodecContext, PathAttributes, UnknownAttribute } from './types.ts';

/**
 * Writes attributes: MP_REACH_NLRI, MP_UNREACH_NLRI, then the others in ascending order of type. An external session
 * does not carry LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST, so they are omitted. A 2-octet peer gets AS_TRANS with
 * AS4_PATH and AS4_AGGREGATOR as needed (RFC 6793 §4.2.2). Throws RangeError if a value is too large.
 */
export function writeAttributes(writer: ByteWriter, attributes: PathAttributes, context: CodecContext): void {
  const unknown = sortedUnknown(attributes.unknown);
  let next = 0;
  /** Writes the unknown attributes whose type is below `type`. */
  const unknownBefore = (type: number): void => {
    for (let one = unknown[next]; one !== undefined && one.type < type; one = unknown[++next]) {
      writeUnknown(writer, one);
    }
  };
  writeMultiprotocol(writer, attributes);
  writePathAttributes(writer, attributes, context);
  unknownBefore(AttributeType.ExtendedCommunities);
  writeOctets(writer, AttributeType.ExtendedCommunities, attributes.extendedCommunities, 8);
  if (!context.fourOctetAs) writeAs4Attributes(writer, attributes);
  unknownBefore(AttributeType.Ipv6ExtendedCommunities);
  writeOctets(writer, AttributeType.Ipv6ExtendedCommunities, attributes.ipv6ExtendedCommunities, 20);
  unknownBefore(AttributeType.LargeCommunities);
  writeOctets(writer, AttributeType.LargeCommunities, attributes.largeCommunities, 12);
  unknownBefore(256);
}

function writeMultiprotocol(writer: ByteWriter, { mpReach, mpUnreach }: PathAttributes): void {
  if (mpReach !== undefined) {
    const { family, nextHop, nlri } = mpReach;
    writeHeader(writer, AttributeType.MpReachNlri, 5 + nextHop.length + nlri.length);
    writer.u16(family.afi).u8(family.safi).u8(nextHop.length).bytes(nextHop).u8(0).bytes(nlri);
  }
  if (mpUnreach !== undefined) {
    const { family, nlri } = mpUnreach;
    writeHeader(writer, AttributeType.MpUnreachNlri, 3 + nlri.length);
    writer.u16(family.afi).u8(family.safi).bytes(nlri);
  }
}

/** Writes the attributes of types 1 to 10, all of which are known. */
function writePathAttributes(writer: ByteWriter, attributes: PathAttributes, context: CodecContext): void {
  const width = context.fourOctetAs ? 4 : 2;
  const { origin, asPath, aggregator } = attributes;
  if (origin !== undefined) {
    if (origin > 2) throw new RangeError(`ORIGIN ${origin} is not defined`);
    writeHeader(writer, AttributeType.Origin, 1).u8(origin);
  }
  if (asPath !== undefined) {
    writeHeader(writer, AttributeType.AsPath, asPathLength(asPath, width));
    writeAsPath(writer, asPath, width);
  }
  writeFixed(writer, AttributeType.NextHop, attributes.nextHop, 4);
  writeNumber(writer, AttributeType.MultiExitDisc, attributes.multiExitDisc);
  if (context.internal) writeNumber(writer, AttributeType.LocalPref, attributes.localPref);
  if (attributes.atomicAggregate === true) writeHeader(writer, AttributeType.AtomicAggregate, 0);
  if (aggregator !== undefined) {
    checkAggregator(aggregator);
    writeHeader(writer, AttributeType.Aggregator, width + 4);
    if (width === 4) writer.u32(aggregator.asn);
    else writer.u16(aggregator.asn > 0xffff ? AS_TRANS : aggregator.asn);
    writer.bytes(aggregator.address);
  }
  writeOctets(writer, AttributeType.Communities, attributes.communities, 4);
  if (!context.internal) return;
  writeFixed(writer, AttributeType.OriginatorId, attributes.originatorId, 4);
  writeOctets(writer, AttributeType.ClusterList, attributes.clusterList, 4);
}

/** Writes AS4_PATH and AS4_AGGREGATOR if needed (RFC 6793 §4.2.2). */
function writeAs4Attributes(writer: ByteWriter, { asPath, aggregator }: PathAttributes): void {
  if (asPath !== undefined && needsAs4Path(asPath)) {
    const as4Path = withoutConfederations(asPath);
    if (as4Path.length > 0) {
      writeHeader(writer, AttributeType.As4Path, asPathLength(as4Path, 4));
      writeAsPath(writer, as4Path, 4);
    }
  }
  if (aggregator !== undefined && aggregator.asn > 0xffff) {
    writeHeader(writer, AttributeType.As4Aggregator, 8).u32(aggregator.asn).bytes(aggregator.address);
  }
}

/** Writes flags, type and length; the length takes two octets only if necessary. */
function writeHeader(writer: ByteWriter, type: number, length: number, flags = flagsOf(type)): ByteWriter {
  if (length > 255)
    return writer
      .u8(flags | AttributeFlag.ExtendedLength)
      .u8(type)
      .u16(length);
  return (flags & AttributeFlag.ExtendedLength) === 0
    ? writer.u8(flags).u8(type).u8(length)
    : writer.u8(flags).u8(type).u16(length);
}

function flagsOf(type: number): number {
  const spec = attributeSpec(type);
  if (spec === undefined) throw new RangeError(`attribute ${type} has no flags of its own`);
  return spec.flags;
}

function writeNumber(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value !== undefined) writeHeader(writer, type, 4).u32(value);
}

function writeFixed(writer: ByteWriter, type: number, value: Uint8Array | undefined, length: number): void {
  if (value === undefined) return;
  if (value.length !== length)
    throw new RangeError(`attribute ${type} has ${length} octets, not ${value.length}`);
  writeHeader(writer, type, length).bytes(value);
}

/**
 * Writes a list of `width`-octet elements. An empty list is an absent attribute, since its length must not be zero (RFC
 * 7606 §4).
 */
function writeOctets(writer: ByteWriter, type: number, value: Uint8Array | undefined, width: number): void {
  if (value === undefined || value.length === 0) return;
  if (value.length % width !== 0) {
    throw new RangeError(
      `attribute ${type} holds elements of ${width} octets, and ${value.length} is not a multiple of that`,
    );
  }
  writeHeader(writer, type, value.length).bytes(value);
}

function checkAggregator({ asn, address }: { readonly asn: number; readonly address: Uint8Array }): void {
  // RFC 7607 §2
  if (asn === 0) throw new RangeError('AS number 0 in AGGREGATOR');
  if (address.length !== 4)
    throw new RangeError(`AGGREGATOR needs an address of 4 octets, not ${address.length}`);
}

function sortedUnknown(unknown: readonly UnknownAttribute[] | undefined): readonly UnknownAttribute[] {
  if (unknown === undefined || unknown.length < 2) return unknown ?? [];
  return [...unknown].sort((a, b) => a.type - b.type);
}

/** Writes an unknown attribute as received, flags included; an unnecessary long form of the length is kept too. */
function writeUnknown(writer: ByteWriter, { flags, type, value }: UnknownAttribute): void {
  if (attributeSpec(type) !== undefined) throw new RangeError(`attribute ${type} has a field of its own`);
  if ((flags & AttributeFlag.Optional) === 0)
    throw new RangeError(`attribute ${type} is not a well-known attribute`);
  writeHeader(writer, type, value.length, flags).bytes(value);
}
