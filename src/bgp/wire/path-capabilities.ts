/**
 * Two capabilities that this speaker does not offer and a reader of captures has to know: ADD-PATH (RFC 7911 §4), by which
 * routes get identifiers, and extended next hop encoding (RFC 8950 §3), by which IPv4 routes get IPv6 next hops.
 */
import { ByteReader } from '../../net/bytes.ts';
import type { Family } from './iana.ts';
import { sameFamily } from './iana.ts';
import type { Capability, OpenMessage } from './types.ts';

/** Capability codes (IANA, Capability Codes). */
export const PathCapabilityCode = { ExtendedNextHop: 5, AddPath: 69 } as const;

/** One family of ADD-PATH, as the sender of the OPEN sees it. */
export interface AddPathFamily {
  readonly family: Family;
  readonly receive: boolean;
  readonly send: boolean;
}

/** One kind of route whose next hop may be of another address family. */
export interface ExtendedNextHop {
  readonly family: Family;
  /** 2: IPv6. The only one that RFC 8950 §3 defines. */
  readonly nextHopAfi: number;
}

const ADD_PATH_ENTRY = 4;
const NEXT_HOP_ENTRY = 6;

/**
 * The families of the value of an ADD-PATH capability. Undefined where its length does not come out even, or where Send/Receive
 * is none of 1, 2, 3: the capability counts as not understood then (RFC 7911 §4).
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

/** The entries of the value of an extended next hop capability; undefined where its length does not come out even. */
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
 * What an OPEN says of ADD-PATH, each family once; of more entries the last counts. Undefined where it says something that
 * RFC 7911 does not define: speakers differ in what they make of that.
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

/** The IPv4 families for which the sender of an OPEN takes IPv6 next hops. */
export function ipv6NextHopsOf(open: OpenMessage): readonly Family[] {
  return valuesOf(open, PathCapabilityCode.ExtendedNextHop)
    .flatMap((value) => decodeExtendedNextHop(value) ?? [])
    .filter(({ family, nextHopAfi }) => family.afi === 1 && nextHopAfi === 2)
    .map(({ family }) => family);
}
