/** Defines the kinds of values that only prefixd.yaml has; the others are in core/policy/value-kinds.ts. */
import { z } from 'zod';
import { parseAnyCommunity } from '../../bgp/wire/communities.ts';
import { integer, isSafeName, text } from '../../core/policy/value-kinds.ts';
import { VECTOR_PATTERN, VECTOR_SYNTAX } from '../../core/policy/vectors.ts';
import { parseAddress, parseZonedAddress } from '../../net/prefix.ts';
import { isLoopbackAddress } from '../../net/special-addresses.ts';

/** A name that is safe in labels, logs and API paths. */
export const name = text('a name of 1 to 64 letters, digits, ".", "_" or "-"', isSafeName);

/** A prefix length as text or number: `/24` or `24`. Read it with `lengthOf`. */
export function prefixLength(most: number) {
  const isLength = (value: string | number): boolean => {
    const length = lengthOf(value);
    return Number.isInteger(length) && length >= 1 && length <= most;
  };
  return z
    .union([z.string(), z.number()])
    .refine(isLength)
    .meta({ expects: `a prefix length from /1 to /${most}` });
}

/** Returns the number of a prefix length; NaN if it is none. */
export function lengthOf(value: string | number): number {
  return typeof value === 'number'
    ? value
    : /^\/?\d{1,3}$/.test(value)
      ? Number(value.replace('/', ''))
      : Number.NaN;
}

/** A duration of at most a year. */
export const seconds = (least: number): z.ZodInt => integer(least, 31_536_000, 'seconds');

export const vector = text(`a vector: ${VECTOR_SYNTAX}, such as udp_flood`, (value) =>
  VECTOR_PATTERN.test(value),
);

export const path = text(
  'a path; a relative one is resolved from the configuration folder',
  (value) => value !== '' && !value.includes('\0'),
);

/** The name of an environment variable. The value is never shown, because it may be the secret itself. */
export const environment = text(
  'the name of an environment variable that contains the secret, never the secret itself',
  (value) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(value),
  true,
);

export const ipv4Identifier = text(
  'a BGP identifier in dotted decimal such as "192.0.2.10", not "0.0.0.0"',
  (value) => value !== '0.0.0.0' && parseAddress(value)?.length === 4,
);

/** An address; a link-local one may have a zone. */
export const address = text('an IPv4 or IPv6 address, such as "192.0.2.1"', isHostAddress);

export const neighborAddress = text(
  'an IPv4 or IPv6 address, or "unix:/path/to.sock"',
  (value) => isHostAddress(value) || /^unix:\/[^\0]+$/.test(value),
);

export const listen = text(
  'an address and a port, such as "127.0.0.1:8080" or "[::1]:8080"',
  (value) => parseListen(value) !== undefined,
);

/** An address to bind for BGP. No host name, so that the address is unambiguous. */
export const bgpListen = text(
  'an address and a port, such as "127.0.0.1:1179" or "[::]:179"',
  (value) => parseListen(value) !== undefined && !value.startsWith('localhost'),
);

/** An AS number in asplain. 23456 is AS_TRANS and belongs to no AS (RFC 6793 §9). */
export const asn = z
  .int()
  .min(1)
  .max(4294967295)
  .refine((value) => value !== 23456)
  .meta({ expects: 'an AS number from 1 to 4294967295, as one plain number, but not 23456 (AS_TRANS)' });

export const holdTime = z
  .int()
  .min(0)
  .max(65535)
  .refine((value) => value === 0 || value >= 3)
  .meta({ expects: '0 (no keepalives) or a whole number of seconds from 3 to 65535' });

export const community = text(
  'a community such as "65010:666", a large one such as "65010:1:2", or no-export, no-advertise or blackhole',
  (value) => {
    const parsed = parseAnyCommunity(value);
    return parsed.ok && parsed.value.kind !== 'extended';
  },
);

/** A number of mitigations, or no limit. */
export const quota = z
  .union([z.int().min(0).max(1_000_000), z.literal('unlimited')])
  .meta({ expects: 'a whole number from 0 to 1000000, or unlimited' });

/** A URL. Never shown, because its path may contain a token. */
export const webUrl = text('a URL that begins with https:// (or http://)', isWebUrl, true);

/** True for an `http:` or `https:` URL. */
export function isWebUrl(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && (url.protocol === 'https:' || url.protocol === 'http:') && url.hostname !== '';
}

function isHostAddress(value: string): boolean {
  const [host = '', zone, ...rest] = value.split('%');
  if (rest.length > 0 || (zone !== undefined && !/^[A-Za-z0-9._-]+$/.test(zone))) return false;
  const octets = parseAddress(host);
  return octets !== undefined && (zone === undefined || octets.length === 16);
}

/** Parses `host:port` with an IPv4 address, an IPv6 address in brackets or `localhost`; undefined if invalid. */
export function parseListen(value: string): { readonly host: string; readonly port: number } | undefined {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  if (found === null) return undefined;
  const [, bracketed, plain, digits] = found;
  const port = Number(digits);
  const host = bracketed ?? plain ?? '';
  const fits =
    bracketed === undefined ? parseAddress(host)?.length === 4 || host === 'localhost' : isHostAddress(host);
  return fits && port <= 65535 ? { host, port } : undefined;
}

/** True if only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  const octets = parseZonedAddress(host);
  return octets !== undefined && isLoopbackAddress(octets);
}
