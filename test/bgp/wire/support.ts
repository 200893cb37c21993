/** What the tests of this room share: hexadecimal with spaces, whole messages around bodies, and errors as text. */
import assert from 'node:assert/strict';
import { NotificationError } from '../../../src/bgp/wire/notification.ts';
import type { CodecContext } from '../../../src/bgp/wire/types.ts';
import { fromHex, toHex } from '../../../src/net/bytes.ts';

/** An external peer with 4-octet AS numbers. */
export const EXTERNAL: CodecContext = { fourOctetAs: true, extendedMessages: false, internal: false };
/** An internal peer with 4-octet AS numbers. */
export const INTERNAL: CodecContext = { ...EXTERNAL, internal: true };
/** An external peer that never heard of 4-octet AS numbers. */
export const TWO_OCTET: CodecContext = { ...EXTERNAL, fourOctetAs: false };
/** An external peer with messages of up to 65535 octets. */
export const EXTENDED: CodecContext = { ...EXTERNAL, extendedMessages: true };

/** Octets of hexadecimal with any white space. */
export function octets(hex: string): Uint8Array {
  const bytes = fromHex(hex.replaceAll(/\s/g, ''));
  assert.ok(bytes, `not hexadecimal: ${hex}`);
  return bytes;
}

/** Two octets of a length in hexadecimal. */
function length16(length: number): string {
  return length.toString(16).padStart(4, '0');
}

/** A whole message: RFC 4271 §4.1 by hand, so that vectors need not repeat the marker. */
export function message(type: number, bodyHex: string): Uint8Array {
  const body = bodyHex.replaceAll(/\s/g, '');
  return octets(
    `${'ff'.repeat(16)}${length16(19 + body.length / 2)}${type.toString(16).padStart(2, '0')}${body}`,
  );
}

/** A whole UPDATE of its three fields (RFC 4271 §4.3). */
export function updateMessage(attributesHex: string, nlriHex = '', withdrawnHex = ''): Uint8Array {
  const [withdrawn, attributes, nlri] = [withdrawnHex, attributesHex, nlriHex].map((hex) =>
    hex.replaceAll(/\s/g, ''),
  ) as [string, string, string];
  return message(
    2,
    `${length16(withdrawn.length / 2)}${withdrawn}${length16(attributes.length / 2)}${attributes}${nlri}`,
  );
}

/** The NOTIFICATION that a call asks for, as `code/subcode data`; fails when the call does not throw one. */
export function notificationOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof NotificationError, `not a NotificationError: ${String(error)}`);
    assert.notEqual(error.message, '');
    return `${error.code}/${error.subcode} ${toHex(error.data)}`.trimEnd();
  }
  return assert.fail('no NOTIFICATION');
}
