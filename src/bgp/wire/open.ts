/** Encodes and decodes OPEN (RFC 4271 §4.2) with its optional parameters in both forms (RFC 5492, RFC 9072). */
import { ByteReader, type ByteWriter, type Underflow } from '../../net/bytes.ts';
import { formatAddress, parseAddress } from '../../net/prefix.ts';
import { decodeCapabilities, encodeCapabilities } from './capabilities.ts';
import { AS_TRANS, type Family } from './iana.ts';
import { ErrorCode, NotificationError, OpenSubcode } from './notification.ts';
import type { Capability, OpenMessage } from './types.ts';

/** The only version. */
export const BGP_VERSION = 4;

/** Optional parameter types (IANA, BGP OPEN Optional Parameter Types). */
const CAPABILITIES = 2;
const EXTENDED_LENGTH = 255;

function openError(subcode: number, reason: string, data?: Uint8Array): NotificationError {
  return new NotificationError(ErrorCode.OpenMessage, subcode, reason, data);
}

const truncated: Underflow = (wanted, left) =>
  openError(
    OpenSubcode.Unspecific,
    `optional parameters: ${wanted} octets are needed, but only ${left} are left`,
  );

/**
 * Decodes the body of an OPEN, which has at least ten octets, and makes the checks of RFC 4271 §6.2 that need no
 * configuration, in its order. Throws a NotificationError with code 2. The state machine checks whether the AS number
 * and the BGP Identifier are the expected ones.
 */
export function decodeOpen(body: Uint8Array): OpenMessage {
  const reader = new ByteReader(body, truncated);
  const version = reader.u8();
  if (version !== BGP_VERSION) {
    // The data is the largest version supported, in two octets.
    throw openError(
      OpenSubcode.UnsupportedVersionNumber,
      `version ${version} is not supported, only ${BGP_VERSION}`,
      Uint8Array.of(0, BGP_VERSION),
    );
  }
  const myAs = reader.u16();
  // RFC 7607 §2
  if (myAs === 0) throw openError(OpenSubcode.BadPeerAs, 'AS number 0 is invalid');
  const holdTime = reader.u16();
  if (holdTime === 1 || holdTime === 2) {
    throw openError(OpenSubcode.UnacceptableHoldTime, `hold time ${holdTime} s is neither 0 nor at least 3`);
  }
  const bgpIdentifier = reader.u32();
  // RFC 6286 §2.2
  if (bgpIdentifier === 0) throw openError(OpenSubcode.BadBgpIdentifier, 'BGP Identifier 0.0.0.0 is invalid');
  const capabilities = decodeOptionalParameters(reader);
  for (const capability of capabilities) {
    if (capability.type === 'four-octet-as' && capability.asn === 0) {
      throw openError(OpenSubcode.BadPeerAs, 'AS number 0 in the 4-octet AS number capability');
    }
  }
  return { type: 'open', version, myAs, holdTime, bgpIdentifier, capabilities };
}

/**
 * Decodes both forms; RFC 9072 §2 distinguishes them by the type of the first parameter, whatever the length octet is.
 */
function decodeOptionalParameters(reader: ByteReader): readonly Capability[] {
  const length = reader.u8();
  if (length === 0) {
    if (reader.remaining > 0) {
      throw openError(OpenSubcode.Unspecific, `${reader.remaining} octets follow an OPEN without parameters`);
    }
    return [];
  }
  const first = reader.u8();
  const extended = first === EXTENDED_LENGTH;
  const announced = extended ? reader.u16() : length - 1;
  if (announced !== reader.remaining) {
    throw openError(
      OpenSubcode.Unspecific,
      `the optional parameters need ${announced} octets, but there are ${reader.remaining}`,
    );
  }
  const capabilities: Capability[] = [];
  let type = extended ? undefined : first;
  while (type !== undefined || reader.remaining > 0) {
    type ??= reader.u8();
    const value = reader.view(extended ? reader.u16() : reader.u8());
    if (type !== CAPABILITIES) {
      throw openError(
        OpenSubcode.UnsupportedOptionalParameter,
        `optional parameter ${type} is not supported`,
      );
    }
    for (const capability of decodeCapabilities(value)) capabilities.push(capability);
    type = undefined;
  }
  return capabilities;
}

/**
 * Writes the body of an OPEN: all capabilities in one optional parameter (RFC 5492 §4), in the extended form only if
 * necessary (RFC 9072 §2). Throws RangeError if a field is too large.
 */
export function writeOpen(writer: ByteWriter, open: OpenMessage): void {
  writer.u8(open.version).u16(open.myAs).u16(open.holdTime).u32(open.bgpIdentifier);
  const value = encodeCapabilities(open.capabilities);
  if (value.length === 0) {
    writer.u8(0);
  } else if (value.length + 2 <= 255) {
    writer
      .u8(value.length + 2)
      .u8(CAPABILITIES)
      .u8(value.length)
      .bytes(value);
  } else {
    writer
      .u8(255)
      .u8(EXTENDED_LENGTH)
      .u16(value.length + 3);
    writer.u8(CAPABILITIES).u16(value.length).bytes(value);
  }
}

/** Returns the value of an OPEN's 2-octet field for an AS number of up to four octets (RFC 6793 §4.1). */
export function myAsField(asn: number): number {
  return asn > 0xffff ? AS_TRANS : asn;
}

/** Returns the AS number of an OPEN's sender: the capability's, if present (RFC 6793 §4.1). */
export function peerAsn(open: OpenMessage): number {
  return findCapability(open, 'four-octet-as')?.asn ?? open.myAs;
}

/**
 * Returns the capability of a type; if it is repeated, the last one (RFC 5492 §4 leaves that to each document). RFC
 * 4724 §3 requires this for graceful restart. The documents of 4-octet AS and of long-lived graceful restart name no
 * order, and other speakers use the last one. Those without a value cannot differ. Multiprotocol capabilities add up
 * (`offeredFamilies`).
 */
export function findCapability<T extends Capability['type']>(
  open: OpenMessage,
  type: T,
): Extract<Capability, { readonly type: T }> | undefined {
  const is = (capability: Capability): capability is Extract<Capability, { readonly type: T }> =>
    capability.type === type;
  return open.capabilities.findLast(is);
}

/**
 * Returns the families that an OPEN offers, in its order, each once. An OPEN without the multiprotocol capability
 * offers only IPv4 unicast (RFC 4760 §8).
 */
export function offeredFamilies(open: OpenMessage): readonly Family[] {
  const families: Family[] = [];
  for (const capability of open.capabilities) {
    if (capability.type !== 'multiprotocol') continue;
    const { family } = capability;
    if (!families.some((known) => known.afi === family.afi && known.safi === family.safi))
      families.push(family);
  }
  return families.length === 0 ? [{ afi: 1, safi: 1 }] : families;
}

/** Formats a BGP Identifier in dotted decimal. */
export function formatIdentifier(identifier: number): string {
  return formatAddress(
    Uint8Array.of(
      identifier >>> 24,
      (identifier >>> 16) & 0xff,
      (identifier >>> 8) & 0xff,
      identifier & 0xff,
    ),
  );
}

/**
 * Parses a BGP Identifier from dotted decimal; undefined if the text is invalid. 0.0.0.0 is invalid (RFC 6286 §2.1).
 */
export function parseIdentifier(text: string): number | undefined {
  const address = parseAddress(text);
  if (address === undefined || address.length !== 4) return undefined;
  const identifier = new ByteReader(address).u32();
  return identifier === 0 ? undefined : identifier;
}
