/** Reads one extended community at a time as an action (RFC 8955 §7, RFC 8956 §6). */
import { fromHex, toHex } from '../../net/bytes.ts';
import { formatAddress, parseAddress } from '../../net/prefix.ts';
import type { Action, RouteTarget } from './types.ts';

/** Type and subtype of the extended communities, as the first two octets. */
export const Community = {
  /** draft-ietf-idr-flowspec-redirect-ip §3 */
  RedirectIp: 0x010c,
  /** draft-simpson-idr-flowspec-redirect-00: the address is the next hop. */
  RedirectNextHop: 0x0800,
  /** RFC 8955 §7.1 */
  TrafficRateBytes: 0x8006,
  /** RFC 8955 §7.3 */
  TrafficAction: 0x8007,
  /** RFC 8955 §7.4 */
  RedirectAs2: 0x8008,
  /** RFC 8955 §7.5 */
  TrafficMarking: 0x8009,
  /** RFC 8955 §7.2 */
  TrafficRatePackets: 0x800c,
  RedirectIpv4: 0x8108,
  RedirectAs4: 0x8208,
} as const;

/** Type and subtype of the IPv6 address specific extended communities (RFC 5701). */
export const Ipv6Community = {
  RedirectIp: 0x000c,
  /** RFC 8956 §6.1 */
  RedirectVrf: 0x000d,
  /** GoBGP sends this instead. */
  RedirectVrfGobgp: 0x800b,
} as const;

export const SAMPLE_BIT = 0x02;
export const TERMINAL_BIT = 0x01;
export const COPY_BIT = 0x01;

/**
 * Reads the action in an extended community of 8 octets: `unknown` if no known action has its type, a text if it is
 * malformed. Calls `note` for each form that the standard would encode otherwise.
 */
export function readCommunity(
  octets: Uint8Array,
  nextHop: Uint8Array | undefined,
  note: (text: string) => void,
): Action | string {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  switch (view.getUint16(0)) {
    case Community.TrafficRateBytes: {
      const rate = decodeRate(view, 'traffic-rate-bytes', note);
      if (typeof rate === 'string') return rate;
      return { type: 'traffic-rate', bitsPerSecond: rate * 8, asn: view.getUint16(2) };
    }
    case Community.TrafficRatePackets: {
      const rate = decodeRate(view, 'traffic-rate-packets', note);
      if (typeof rate === 'string') return rate;
      return { type: 'traffic-rate-packets', packetsPerSecond: rate, asn: view.getUint16(2) };
    }
    case Community.TrafficAction: {
      const bits = view.getUint8(7);
      if (reserved(octets, 2, 7) || bits > (SAMPLE_BIT | TERMINAL_BIT)) {
        note('traffic-action: reserved bits are set');
      }
      return {
        type: 'traffic-action',
        sample: (bits & SAMPLE_BIT) !== 0,
        terminal: (bits & TERMINAL_BIT) !== 0,
      };
    }
    case Community.TrafficMarking:
      if (reserved(octets, 2, 7) || view.getUint8(7) > 63) note('traffic-marking: reserved bits are set');
      return { type: 'marking', dscp: view.getUint8(7) & 0x3f };
    case Community.RedirectAs2:
      return {
        type: 'redirect-vrf',
        target: { form: 'as2', asn: view.getUint16(2), value: view.getUint32(4) },
      };
    case Community.RedirectIpv4:
      return {
        type: 'redirect-vrf',
        target: { form: 'ipv4', address: octets.slice(2, 6), value: view.getUint16(6) },
      };
    case Community.RedirectAs4:
      return {
        type: 'redirect-vrf',
        target: { form: 'as4', asn: view.getUint32(2), value: view.getUint16(6) },
      };
    case Community.RedirectIp:
      if (view.getUint16(6) > COPY_BIT) note('redirect ip: reserved bits are set');
      return {
        type: 'redirect-ip',
        form: 'ietf',
        address: octets.slice(2, 6),
        copy: (octets[7] as number) % 2 === COPY_BIT,
      };
    case Community.RedirectNextHop:
      return decodeRedirectNextHop(octets, nextHop, note);
    default:
      return { type: 'unknown', octets: octets.slice() };
  }
}

function decodeRedirectNextHop(
  octets: Uint8Array,
  nextHop: Uint8Array | undefined,
  note: (text: string) => void,
): Action {
  if (reserved(octets, 2, 7) || (octets[7] as number) > COPY_BIT) {
    note('redirect to next hop: reserved bits are set');
  }
  const redirect = {
    type: 'redirect-ip',
    form: 'draft-00',
    copy: ((octets[7] as number) & COPY_BIT) !== 0,
  } as const;
  // A link-local address may follow a global one (RFC 2545 §3); packets are sent to the global one.
  const width = nextHop?.length === 32 ? 16 : nextHop?.length;
  if (nextHop === undefined || (width !== 4 && width !== 16)) return redirect;
  return { ...redirect, address: nextHop.slice(0, width) };
}

function decodeRate(view: DataView, what: string, note: (text: string) => void): number | string {
  const rate = view.getFloat32(4);
  if (!Number.isFinite(rate) && rate !== -Infinity) return `${what}: the rate is ${rate}`;
  if (rate > 0 || Object.is(rate, 0)) return rate;
  note(`${what}: a negative rate is read as 0`); // RFC 8955 §7.1, §7.2
  return 0;
}

/** Reads the action in an IPv6 address specific extended community of 20 octets, as `readCommunity`. */
export function readIpv6Community(octets: Uint8Array, note: (text: string) => void): Action {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const kind = view.getUint16(0);
  const value = view.getUint16(18);
  switch (kind) {
    case Ipv6Community.RedirectIp:
      if (value > COPY_BIT) note('redirect ip: reserved bits are set');
      return {
        type: 'redirect-ip',
        form: 'ietf',
        address: octets.slice(2, 18),
        copy: (value & COPY_BIT) !== 0,
      };
    case Ipv6Community.RedirectVrf:
    case Ipv6Community.RedirectVrfGobgp:
      if (kind === Ipv6Community.RedirectVrfGobgp) note('redirect vrf: 0x800b instead of 0x000d');
      return { type: 'redirect-vrf-ipv6', address: octets.slice(2, 18), value };
    default:
      return { type: 'unknown', octets: octets.slice() };
  }
}

function reserved(octets: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (octets[i] !== 0) return true;
  return false;
}

// Text of route distinguishers (RFC 4364 §4.2) and route targets (RFC 4360 §4, RFC 5668): an administrator, a colon and
// a number. The administrator selects one of three forms: an AS number up to 65535 (number up to 4294967295), an IPv4
// address, or a larger AS number (number up to 65535). A small AS number in the form for large ones is prefixed with
// its form: `2:65000:100`.

const MAX_U16 = 0xffff;
const MAX_U32 = 0xffff_ffff;

/** Formats a route target in any of its three forms. */
export function formatRouteTarget(target: RouteTarget): string {
  if (target.form === 'ipv4') return `${formatAddress(target.address)}:${target.value}`;
  const text = `${target.asn}:${target.value}`;
  return target.form === 'as4' && target.asn <= MAX_U16 ? `2:${text}` : text;
}

/** Parses a route target; undefined if the text is invalid. */
export function parseRouteTarget(text: string): RouteTarget | undefined {
  const parts = text.split(':');
  const value = decimal(parts.pop());
  if (value === undefined) return undefined;
  const explicit = parts.length === 2 && parts[0] === '2';
  if (parts.length !== 1 && !explicit) return undefined;
  const administrator = parts[parts.length - 1] as string;
  if (administrator.includes('.')) {
    const address = parseAddress(administrator);
    return address === undefined || explicit || value > MAX_U16
      ? undefined
      : { form: 'ipv4', address, value };
  }
  const asn = decimal(administrator);
  if (asn === undefined) return undefined;
  if (explicit || asn > MAX_U16) return value > MAX_U16 ? undefined : { form: 'as4', asn, value };
  return { form: 'as2', asn, value };
}

/**
 * Parses the target of a redirect to VRF: a route target, or `[address]:number` for IPv6 (RFC 8956 §6.1). Undefined if
 * the text is invalid.
 */
export function parseVrfRedirect(text: string): Action | undefined {
  const ipv6 = /^\[([^\]]*)\]:(\d{1,5})$/.exec(text);
  if (ipv6 === null) {
    const target = parseRouteTarget(text);
    return target && { type: 'redirect-vrf', target };
  }
  const address = parseAddress(ipv6[1] as string);
  const value = Number(ipv6[2]);
  return address?.length === 16 && value <= MAX_U16
    ? { type: 'redirect-vrf-ipv6', address, value }
    : undefined;
}

function decimal(text: string | undefined): number | undefined {
  if (text === undefined || !/^(0|[1-9]\d{0,9})$/.test(text)) return undefined;
  const value = Number(text);
  return value > MAX_U32 ? undefined : value;
}

/** Formats a route distinguisher of 8 octets. One whose type RFC 4364 does not define is `0x` and its octets. */
export function formatRouteDistinguisher(rd: Uint8Array): string {
  const view = new DataView(rd.buffer, rd.byteOffset, rd.length);
  switch (view.getUint16(0)) {
    case 0:
      return formatRouteTarget({ form: 'as2', asn: view.getUint16(2), value: view.getUint32(4) });
    case 1:
      return formatRouteTarget({ form: 'ipv4', address: rd.subarray(2, 6), value: view.getUint16(6) });
    case 2:
      return formatRouteTarget({ form: 'as4', asn: view.getUint32(2), value: view.getUint16(6) });
    default:
      return `0x${toHex(rd)}`;
  }
}

/** Parses a route distinguisher into its 8 octets; undefined if the text is invalid. */
export function parseRouteDistinguisher(text: string): Uint8Array | undefined {
  if (text.startsWith('0x')) return text.length === 18 ? fromHex(text.slice(2)) : undefined;
  const parsed = parseRouteTarget(text);
  if (parsed === undefined) return undefined;
  const rd = new Uint8Array(8);
  const view = new DataView(rd.buffer);
  switch (parsed.form) {
    case 'as2':
      view.setUint16(2, parsed.asn);
      view.setUint32(4, parsed.value);
      break;
    case 'ipv4':
      view.setUint16(0, 1);
      rd.set(parsed.address, 2);
      view.setUint16(6, parsed.value);
      break;
    case 'as4':
      view.setUint16(0, 2);
      view.setUint32(2, parsed.asn);
      view.setUint16(6, parsed.value);
      break;
  }
  return rd;
}
