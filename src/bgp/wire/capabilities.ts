/** Encodes and decodes capabilities (RFC 5492 §4), by which the OPEN message tells what each side supports. */
import { ByteReader, ByteWriter, type Underflow } from '../../net/bytes.ts';
import { type Family, sameFamily } from './iana.ts';
import { ErrorCode, NotificationError, OpenSubcode } from './notification.ts';
import type { Capability, OpenMessage } from './types.ts';

/** Capability codes (IANA, Capability Codes). */
export const CapabilityCode = {
  Multiprotocol: 1,
  RouteRefresh: 2,
  ExtendedMessage: 6,
  GracefulRestart: 64,
  FourOctetAs: 65,
  EnhancedRouteRefresh: 70,
  LongLivedGracefulRestart: 71,
} as const;

/** The R and N bits of the restart flags (RFC 4724 §3, RFC 8538 §2), above the 12 bits of the restart time. */
const RESTARTING = 0x8000;
const NOTIFICATION = 0x4000;
const RESTART_TIME = 0x0fff;

/** The F bit of a family's flags (RFC 4724 §3, RFC 9494 §3.1). */
const FORWARDING_PRESERVED = 0x80;

/** RFC 4271 §6.2: an optional parameter that is recognized but malformed is error 2/0. */
function malformed(reason: string): NotificationError {
  return new NotificationError(ErrorCode.OpenMessage, OpenSubcode.Unspecific, reason);
}

const truncated: Underflow = (wanted, left) =>
  malformed(`capabilities: ${wanted} octets are needed, but only ${left} are left`);

/** Decodes the value of one Capabilities optional parameter. Unknown capabilities are kept as views. Throws error 2/0. */
export function decodeCapabilities(octets: Uint8Array): Capability[] {
  const reader = new ByteReader(octets, truncated);
  const capabilities: Capability[] = [];
  while (reader.remaining > 0) {
    const code = reader.u8();
    capabilities.push(decodeCapability(code, reader.view(reader.u8())));
  }
  return capabilities;
}

function decodeCapability(code: number, value: Uint8Array): Capability {
  switch (code) {
    case CapabilityCode.Multiprotocol:
      return decodeMultiprotocol(value);
    case CapabilityCode.RouteRefresh:
      expectLength('route refresh', value, value.length === 0);
      return { type: 'route-refresh' };
    case CapabilityCode.ExtendedMessage:
      expectLength('extended message', value, value.length === 0);
      return { type: 'extended-message' };
    case CapabilityCode.GracefulRestart:
      return decodeGracefulRestart(value);
    case CapabilityCode.FourOctetAs:
      expectLength('4-octet AS number', value, value.length === 4);
      return { type: 'four-octet-as', asn: new ByteReader(value).u32() };
    case CapabilityCode.EnhancedRouteRefresh:
      expectLength('enhanced route refresh', value, value.length === 0);
      return { type: 'enhanced-route-refresh' };
    case CapabilityCode.LongLivedGracefulRestart:
      return decodeLongLivedGracefulRestart(value);
    default:
      return { type: 'unknown', code, value };
  }
}

function expectLength(name: string, value: Uint8Array, right: boolean): void {
  if (!right) throw malformed(`the ${name} capability has an invalid length of ${value.length} octets`);
}

/** Decodes AFI, a reserved octet and SAFI (RFC 4760 §8). */
function decodeMultiprotocol(value: Uint8Array): Capability {
  expectLength('multiprotocol', value, value.length === 4);
  const reader = new ByteReader(value);
  const afi = reader.u16();
  reader.u8();
  return { type: 'multiprotocol', family: { afi, safi: reader.u8() } };
}

/** Decodes flags and time in two octets, then AFI, SAFI and flags for each family (RFC 4724 §3). */
function decodeGracefulRestart(value: Uint8Array): Capability {
  expectLength('graceful restart', value, value.length >= 2 && (value.length - 2) % 4 === 0);
  const reader = new ByteReader(value);
  const head = reader.u16();
  const families: { family: Family; forwardingPreserved: boolean }[] = [];
  while (reader.remaining > 0) {
    const family = { afi: reader.u16(), safi: reader.u8() };
    families.push({ family, forwardingPreserved: (reader.u8() & FORWARDING_PRESERVED) !== 0 });
  }
  return {
    type: 'graceful-restart',
    restarting: (head & RESTARTING) !== 0,
    notification: (head & NOTIFICATION) !== 0,
    restartTime: head & RESTART_TIME,
    families,
  };
}

/** Decodes AFI, SAFI, flags and a stale time of three octets for each family (RFC 9494 §3.1). */
function decodeLongLivedGracefulRestart(value: Uint8Array): Capability {
  expectLength('long-lived graceful restart', value, value.length % 7 === 0);
  const reader = new ByteReader(value);
  const families: { family: Family; forwardingPreserved: boolean; staleTime: number }[] = [];
  while (reader.remaining > 0) {
    const family = { afi: reader.u16(), safi: reader.u8() };
    const forwardingPreserved = (reader.u8() & FORWARDING_PRESERVED) !== 0;
    families.push({ family, forwardingPreserved, staleTime: (reader.u8() << 16) | reader.u16() });
  }
  return { type: 'long-lived-graceful-restart', families };
}

/**
 * Encodes capabilities in sequence, each as code, length, value; also the data of error 2/7 (RFC 5492 §5). Throws
 * RangeError if a field is too large.
 */
export function encodeCapabilities(capabilities: readonly Capability[]): Uint8Array {
  const writer = new ByteWriter();
  for (const capability of capabilities) {
    writer.u8(capabilityCode(capability)).u8(0);
    const valueAt = writer.length;
    writeValue(writer, capability);
    const length = writer.length - valueAt;
    if (length > 255) throw new RangeError(`a capability holds at most 255 octets, not ${length}`);
    // Code and length are adjacent, and a writer patches two octets.
    writer.patchU16(valueAt - 2, (capabilityCode(capability) << 8) | length);
  }
  return writer.finish();
}

/** Returns the code of a capability, 0..255. */
export function capabilityCode(capability: Capability): number {
  switch (capability.type) {
    case 'multiprotocol':
      return CapabilityCode.Multiprotocol;
    case 'route-refresh':
      return CapabilityCode.RouteRefresh;
    case 'extended-message':
      return CapabilityCode.ExtendedMessage;
    case 'graceful-restart':
      return CapabilityCode.GracefulRestart;
    case 'four-octet-as':
      return CapabilityCode.FourOctetAs;
    case 'enhanced-route-refresh':
      return CapabilityCode.EnhancedRouteRefresh;
    case 'long-lived-graceful-restart':
      return CapabilityCode.LongLivedGracefulRestart;
    case 'unknown':
      return capability.code;
  }
}

function writeValue(writer: ByteWriter, capability: Capability): void {
  switch (capability.type) {
    case 'multiprotocol':
      writer.u16(capability.family.afi).u8(0).u8(capability.family.safi);
      return;
    case 'route-refresh':
    case 'extended-message':
    case 'enhanced-route-refresh':
      return;
    case 'graceful-restart': {
      if (capability.restartTime < 0 || capability.restartTime > RESTART_TIME) {
        throw new RangeError(`restart time ${capability.restartTime} is not from 0 to ${RESTART_TIME}`);
      }
      const flags = (capability.restarting ? RESTARTING : 0) | (capability.notification ? NOTIFICATION : 0);
      writer.u16(flags + capability.restartTime);
      for (const { family, forwardingPreserved } of capability.families) {
        writer
          .u16(family.afi)
          .u8(family.safi)
          .u8(forwardingPreserved ? FORWARDING_PRESERVED : 0);
      }
      return;
    }
    case 'four-octet-as':
      writer.u32(capability.asn);
      return;
    case 'long-lived-graceful-restart':
      for (const { family, forwardingPreserved, staleTime } of capability.families) {
        writer
          .u16(family.afi)
          .u8(family.safi)
          .u8(forwardingPreserved ? FORWARDING_PRESERVED : 0);
        writer.u8(Math.floor(staleTime / 0x10000)).u16(staleTime % 0x10000);
      }
      return;
    case 'unknown':
      writer.bytes(capability.value);
  }
}

// Two capabilities that this speaker does not offer but a reader of captures needs: ADD-PATH (RFC 7911 §4), which gives
// routes identifiers, and extended next hop encoding (RFC 8950 §3), which gives IPv4 routes IPv6 next hops.

/** Capability codes (IANA, Capability Codes). */
export const PathCapabilityCode = { ExtendedNextHop: 5, AddPath: 69 } as const;

/** One family of ADD-PATH, from the view of the OPEN's sender. */
export interface AddPathFamily {
  readonly family: Family;
  readonly receive: boolean;
  readonly send: boolean;
}

/** One kind of route whose next hop may belong to another address family. */
export interface ExtendedNextHop {
  readonly family: Family;
  /** 2: IPv6. The only one that RFC 8950 §3 defines. */
  readonly nextHopAfi: number;
}

const ADD_PATH_ENTRY = 4;
const NEXT_HOP_ENTRY = 6;

/**
 * Decodes an ADD-PATH capability. Returns undefined if its length is invalid or Send/Receive is none of 1, 2, 3: then
 * the capability is treated as not understood (RFC 7911 §4).
 */
export function decodeAddPath(value: Uint8Array): readonly AddPathFamily[] | undefined {
  if (value.length === 0 || value.length % ADD_PATH_ENTRY !== 0) return undefined;
  const reader = new ByteReader(value);
  const families: AddPathFamily[] = [];
  while (reader.remaining > 0) {
    const family = { afi: reader.u16(), safi: reader.u8() };
    const mode = reader.u8();
    if (mode < 1 || mode > 3) return undefined;
    families.push({ family, receive: (mode & 1) !== 0, send: (mode & 2) !== 0 });
  }
  return families;
}

/** Decodes an extended next hop capability; undefined if its length is invalid. */
export function decodeExtendedNextHop(value: Uint8Array): readonly ExtendedNextHop[] | undefined {
  if (value.length === 0 || value.length % NEXT_HOP_ENTRY !== 0) return undefined;
  const reader = new ByteReader(value);
  const entries: ExtendedNextHop[] = [];
  while (reader.remaining > 0) {
    // The SAFI has two octets here.
    const family = { afi: reader.u16(), safi: reader.u16() };
    entries.push({ family, nextHopAfi: reader.u16() });
  }
  return entries;
}

function valuesOf(open: OpenMessage, code: number): readonly Uint8Array[] {
  const is = (one: Capability): one is Extract<Capability, { readonly type: 'unknown' }> =>
    one.type === 'unknown' && one.code === code;
  return open.capabilities.filter(is).map(({ value }) => value);
}

/**
 * Returns the ADD-PATH families of an OPEN, each once; the last entry of a family counts. Undefined if a value is not
 * defined by RFC 7911: speakers differ in their reaction.
 */
export function addPathOf(open: OpenMessage): readonly AddPathFamily[] | undefined {
  const entries: AddPathFamily[] = [];
  for (const value of valuesOf(open, PathCapabilityCode.AddPath)) {
    const families = decodeAddPath(value);
    if (families === undefined) return undefined;
    entries.push(...families);
  }
  return entries.filter(
    ({ family }, i) => !entries.slice(i + 1).some((later) => sameFamily(later.family, family)),
  );
}

/** Returns the IPv4 families for which an OPEN's sender accepts IPv6 next hops. */
export function ipv6NextHopsOf(open: OpenMessage): readonly Family[] {
  return valuesOf(open, PathCapabilityCode.ExtendedNextHop)
    .flatMap((value) => decodeExtendedNextHop(value) ?? [])
    .filter(({ family, nextHopAfi }) => family.afi === 1 && nextHopAfi === 2)
    .map(({ family }) => family);
}
