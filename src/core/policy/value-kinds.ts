/**
 * Defines the kinds of values that the operator's files share. Each describes itself in `expects`, which follows
 * "write" or "expected" in messages and fills the configuration reference.
 */
import { z } from 'zod';
import { parseAddress, parsePrefix } from '../../net/prefix.ts';

/** Data as a schema returns it, for reading only. */
export type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number, unit = ''): z.ZodInt {
  const of = unit === '' ? '' : ` of ${unit}`;
  const range = max === Number.MAX_SAFE_INTEGER ? `, at least ${min}` : ` from ${min} to ${max}`;
  return z
    .int()
    .min(min)
    .max(max)
    .meta({ expects: `a whole number${of}${range}` });
}

/** A number from `min` to `max`. */
export function decimal(min: number, max: number): z.ZodNumber {
  return z
    .number()
    .min(min)
    .max(max)
    .meta({ expects: `a number from ${min} to ${max}` });
}

export const flag = z.boolean().meta({ expects: 'true or false' });

/** One of a few words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(
  words: Words,
): z.ZodEnum<z.core.util.ToEnum<Words[number]>> {
  return z.enum(words).meta({ expects: words.length === 1 ? words[0] : `one of ${words.join(', ')}` });
}

/**
 * Text that passes `test`. `secret` keeps the value out of messages; `quotable` means that a number in quotes would
 * pass.
 */
export function text(expects: string, test: (value: string) => boolean, secret = false): z.ZodString {
  return z
    .string()
    .refine(test)
    .meta({ expects, secret, quotable: test('17') });
}

export const words = text('text that is not empty', (value) => value.trim() !== '');

/** True for a name that is safe in labels, logs and API paths. */
export function isSafeName(value: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(value);
}

/** A list of POPs by name. */
export const popNames = z
  .array(text('a name of 1 to 64 letters, digits, ".", "_" or "-"', isSafeName))
  .min(1)
  .meta({ expects: 'a list of POPs, such as [fra1, ams1]' });

export const prefix = text(
  'an IPv4 or IPv6 prefix without host bits, such as "192.0.2.0/24"',
  (value) => parsePrefix(value).ok,
);

/** The address of a host, without a zone. */
export const address = text(
  'an IPv4 or IPv6 address, such as "192.0.2.1"',
  (value) => parseAddress(value) !== undefined,
);

const MAX_U16 = 0xffff;
const MAX_U32 = 0xffff_ffff;

// An octet of a dotted address, and a number up to 32 bits, without leading zeros.
const OCTET = '(?:0|[1-9]\\d{0,2})';
const NUMBER = '(?:0|[1-9]\\d{0,9})';

/**
 * The form of a route target; `isRouteTarget` checks its values. `2:` marks an AS number below 65536 in 4 octets.
 */
export const ROUTE_TARGET = new RegExp(
  `^(?:(?:2:)?${NUMBER}|${OCTET}(?:\\.${OCTET}){3}|\\[[0-9a-fA-F:.]+\\]):${NUMBER}$`,
);

/** A route target in one of its three forms (RFC 4360 §4, RFC 5668), or with an IPv6 address (RFC 5701). */
export const routeTarget = text(
  'a route target such as "65010:666", "4200000000:666" or "192.0.2.1:666"',
  isRouteTarget,
);

/** Returns true for the targets of a redirect to VRF. */
export function isRouteTarget(value: string): boolean {
  if (!ROUTE_TARGET.test(value)) return false;
  const colon = value.lastIndexOf(':');
  const [administrator, number] = [value.slice(0, colon), Number(value.slice(colon + 1))];
  if (administrator.startsWith('[')) {
    return number <= MAX_U16 && parseAddress(administrator.slice(1, -1))?.length === 16;
  }
  if (administrator.includes('.')) return number <= MAX_U16 && parseAddress(administrator) !== undefined;
  const isLong = administrator.startsWith('2:');
  const asn = Number(isLong ? administrator.slice(2) : administrator);
  return asn <= MAX_U32 && number <= (isLong || asn > MAX_U16 ? MAX_U16 : MAX_U32);
}
