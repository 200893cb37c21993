/**
 * Text of route distinguishers (RFC 4364 §4.2) and route targets (RFC 4360 §4, RFC 5668): an administrator, a colon and
 * a number. Which of the three forms is meant follows from the administrator: an AS number up to 65535 (number up to
 * 4294967295), an IPv4 address, or a larger AS number (number up to 65535). A small AS number in the form for large
 * ones is written with the form in front, `2:65000:100`.
 */
import { formatAddress, parseAddress } from '../../net/prefix.ts';
import { fromHex, toHex } from '../../net/bytes.ts';
import type { RouteTarget } from './types.ts';

const MAX_U16 = 0xffff;
const MAX_U32 = 0xffff_ffff;

/** Text of a route target in any of its three forms. */
export function formatRouteTarget(target: RouteTarget): string {
  if (target.form === 'ipv4') return `${formatAddress(target.address)}:${target.value}`;
  const text = `${target.asn}:${target.value}`;
  return target.form === 'as4' && target.asn <= MAX_U16 ? `2:${text}` : text;
}

/** The route target that a text stands for, or undefined. */
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

function decimal(text: string | undefined): number | undefined {
  if (text === undefined || !/^(0|[1-9]\d{0,9})$/.test(text)) return undefined;
  const value = Number(text);
  return value > MAX_U32 ? undefined : value;
}

/** Text of a route distinguisher of 8 octets; one of a type that RFC 4364 does not define is `0x` and its octets. */
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

/** The 8 octets of the route distinguisher that a text stands for, or undefined. */
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
