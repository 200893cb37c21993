/** The words an operator sends along with Administrative Shutdown and Administrative Reset (RFC 9003). */
import { toHex } from '../../net/bytes.ts';

/** The longest communication in octets of UTF-8 (RFC 9003 §2). */
const MAX_OCTETS = 255;

/** How many octets of malformed data are shown. */
const SHOWN_OCTETS = 32;

/**
 * The data of the NOTIFICATION for a text: its length in one octet and its UTF-8, cut to 255 octets between two
 * characters. Lone surrogates become U+FFFD. An empty text has no data.
 */
export function encodeShutdownCommunication(text: string): Uint8Array {
  const data = new Uint8Array(1 + MAX_OCTETS);
  const { written } = new TextEncoder().encodeInto(text, data.subarray(1));
  if (written === 0) return new Uint8Array(0);
  data[0] = written;
  return data.slice(0, 1 + written);
}

/**
 * The communication that data of a NOTIFICATION holds, fit for logs and terminals (`safeText`). Empty when there is none;
 * what is malformed is shown as hexadecimal (RFC 9003 §3), cut to a bounded length.
 */
export function decodeShutdownCommunication(data: Uint8Array): string {
  const length = data[0];
  if (length === undefined || (length === 0 && data.length === 1)) return '';
  if (length !== data.length - 1) {
    return `malformed shutdown communication (${length} octets announced, ${data.length - 1} there) ${shownHex(data)}`;
  }
  const octets = data.subarray(1);
  try {
    return safeText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets));
  } catch {
    // The decoder throws for octets that are no UTF-8, and for nothing else.
    return `shutdown communication that is not UTF-8 ${shownHex(octets)}`;
  }
}

/** `0x..`, with `..` at the end when there is more than is shown. */
export function shownHex(octets: Uint8Array): string {
  const more = octets.length > SHOWN_OCTETS ? '..' : '';
  return `0x${toHex(octets.subarray(0, SHOWN_OCTETS))}${more}`;
}

/**
 * A peer's text made safe to show: control and format characters, which would move a terminal's cursor, forge a line of
 * a log or turn the direction of writing, appear as `\u{..}`; so do line separators, and a backslash is doubled.
 */
export function safeText(text: string): string {
  return text.replace(/[\\\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\\' ? '\\\\' : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
