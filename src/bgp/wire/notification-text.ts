/** Formats NOTIFICATIONs with the names in the standards. */
import { ByteReader, toHex } from '../../net/bytes.ts';
import { attributeName } from './attribute-table.ts';
import { familyName } from './iana.ts';
import { CeaseSubcode, ErrorCode, HeaderSubcode, OpenSubcode, UpdateSubcode } from './notification.ts';

interface CodeText {
  readonly name: string;
  readonly subcodes: Readonly<Record<number, string>>;
}

/** Names of IANA's BGP Error (Notification) Codes and their subcodes. */
const TEXTS: Readonly<Record<number, CodeText>> = {
  [ErrorCode.MessageHeader]: {
    name: 'Message Header Error',
    // RFC 4271 §4.5
    subcodes: { 1: 'Connection Not Synchronized', 2: 'Bad Message Length', 3: 'Bad Message Type' },
  },
  [ErrorCode.OpenMessage]: {
    name: 'OPEN Message Error',
    subcodes: {
      1: 'Unsupported Version Number',
      2: 'Bad Peer AS',
      3: 'Bad BGP Identifier',
      4: 'Unsupported Optional Parameter',
      5: 'Authentication Failure',
      6: 'Unacceptable Hold Time',
      7: 'Unsupported Capability', // RFC 5492 §5
      11: 'Role Mismatch', // RFC 9234 §4.2
    },
  },
  [ErrorCode.UpdateMessage]: {
    name: 'UPDATE Message Error',
    subcodes: {
      1: 'Malformed Attribute List',
      2: 'Unrecognized Well-known Attribute',
      3: 'Missing Well-known Attribute',
      4: 'Attribute Flags Error',
      5: 'Attribute Length Error',
      6: 'Invalid ORIGIN Attribute',
      7: 'AS Routing Loop',
      8: 'Invalid NEXT_HOP Attribute',
      9: 'Optional Attribute Error',
      10: 'Invalid Network Field',
      11: 'Malformed AS_PATH',
    },
  },
  [ErrorCode.HoldTimerExpired]: { name: 'Hold Timer Expired', subcodes: {} },
  [ErrorCode.FiniteStateMachine]: {
    name: 'Finite State Machine Error',
    // RFC 6608 §3
    subcodes: {
      1: 'Receive Unexpected Message in OpenSent State',
      2: 'Receive Unexpected Message in OpenConfirm State',
      3: 'Receive Unexpected Message in Established State',
    },
  },
  [ErrorCode.Cease]: {
    name: 'Cease',
    // RFC 4486 §3
    subcodes: {
      1: 'Maximum Number of Prefixes Reached',
      2: 'Administrative Shutdown',
      3: 'Peer De-configured',
      4: 'Administrative Reset',
      5: 'Connection Rejected',
      6: 'Other Configuration Change',
      7: 'Connection Collision Resolution',
      8: 'Out of Resources',
      9: 'Hard Reset', // RFC 8538 §3
      10: 'BFD Down', // RFC 9384 §3
    },
  },
  // RFC 7313 §5
  [ErrorCode.RouteRefreshMessage]: {
    name: 'ROUTE-REFRESH Message Error',
    subcodes: { 1: 'Invalid Message Length' },
  },
  // RFC 9687 §3
  [ErrorCode.SendHoldTimerExpired]: { name: 'Send Hold Timer Expired', subcodes: {} },
};

/**
 * Formats a NOTIFICATION: `Cease/Administrative Shutdown (6/2): maintenance`. The text is bounded in length and free of
 * control characters for any data; data of codes without a text is shown in hexadecimal.
 */
export function notificationText(
  code: number,
  subcode: number,
  data: Uint8Array = new Uint8Array(0),
): string {
  if (code === ErrorCode.Cease && subcode === CeaseSubcode.HardReset && data.length >= 2) {
    return `${codeText(code, subcode)}: ${innerText(data)}`;
  }
  return plainText(code, subcode, data);
}

/**
 * Formats a Hard Reset's data, the code, subcode and data of the true reason (RFC 8538 §3.1). Never unwrapped twice.
 */
function innerText(data: Uint8Array): string {
  const reader = new ByteReader(data);
  return plainText(reader.u8(), reader.u8(), reader.rest());
}

function plainText(code: number, subcode: number, data: Uint8Array): string {
  const detail = dataText(code, subcode, data);
  return detail === '' ? codeText(code, subcode) : `${codeText(code, subcode)}: ${detail}`;
}

function codeText(code: number, subcode: number): string {
  const known = TEXTS[code];
  if (known === undefined) return `unknown error (${code}/${subcode})`;
  if (subcode === 0) return `${known.name} (${code}/0)`;
  return `${known.name}/${known.subcodes[subcode] ?? 'unknown subcode'} (${code}/${subcode})`;
}

function dataText(code: number, subcode: number, data: Uint8Array): string {
  if (data.length === 0) return '';
  if (code === ErrorCode.Cease) return ceaseData(subcode, data);
  const reader = new ByteReader(data);
  if (code === ErrorCode.MessageHeader) {
    if (subcode === HeaderSubcode.BadMessageLength && data.length === 2) return `length ${reader.u16()}`;
    if (subcode === HeaderSubcode.BadMessageType && data.length === 1) return `type ${reader.u8()}`;
  }
  if (code === ErrorCode.OpenMessage) {
    if (subcode === OpenSubcode.UnsupportedVersionNumber && data.length === 2) {
      return `version ${reader.u16()} is supported`;
    }
    if (subcode === OpenSubcode.BadPeerAs && data.length === 2) return `AS ${reader.u16()}`;
    if (subcode === OpenSubcode.BadPeerAs && data.length === 4) return `AS ${reader.u32()}`;
  }
  if (code === ErrorCode.UpdateMessage) {
    if (subcode === UpdateSubcode.MissingWellKnownAttribute && data.length === 1)
      return attributeName(reader.u8());
    const quotesAttribute =
      subcode >= UpdateSubcode.UnrecognizedWellKnownAttribute &&
      subcode <= UpdateSubcode.OptionalAttributeError;
    if (quotesAttribute && data.length >= 3) return `${attributeName(data[1] as number)} ${shownHex(data)}`;
  }
  return `data ${shownHex(data)}`;
}

function ceaseData(subcode: number, data: Uint8Array): string {
  if (subcode === CeaseSubcode.AdministrativeShutdown || subcode === CeaseSubcode.AdministrativeReset) {
    return decodeShutdownCommunication(data);
  }
  // RFC 4486 §4: AFI, SAFI and the upper bound.
  if (subcode === CeaseSubcode.MaximumNumberOfPrefixesReached && data.length === 7) {
    const reader = new ByteReader(data);
    const family = { afi: reader.u16(), safi: reader.u8() };
    return `${familyName(family)}, at most ${reader.u32()}`;
  }
  return `data ${shownHex(data)}`;
}

// The operator's text in Administrative Shutdown and Administrative Reset (RFC 9003).

/** Maximum length of a communication in octets of UTF-8 (RFC 9003 §2). */
const MAX_OCTETS = 255;

/** Number of octets of malformed data that are shown. */
const SHOWN_OCTETS = 32;

/**
 * Encodes a text as a NOTIFICATION's data: its length in one octet and its UTF-8, cut to 255 octets between two
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
 * Decodes the communication in a NOTIFICATION's data, safe for logs and terminals (`safeText`). Empty if there is none;
 * malformed data is shown in hexadecimal (RFC 9003 §3), with a bounded length.
 */
export function decodeShutdownCommunication(data: Uint8Array): string {
  const length = data[0];
  if (length === undefined || (length === 0 && data.length === 1)) return '';
  if (length !== data.length - 1) {
    return `malformed shutdown communication (length ${length}, but ${data.length - 1} octets follow) ${shownHex(data)}`;
  }
  const octets = data.subarray(1);
  try {
    return safeText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets));
  } catch {
    // The decoder throws only for octets that are not UTF-8.
    return `shutdown communication that is not valid UTF-8 ${shownHex(octets)}`;
  }
}

/** Formats octets as `0x..`, with `..` at the end if there are more than are shown. */
export function shownHex(octets: Uint8Array): string {
  const more = octets.length > SHOWN_OCTETS ? '..' : '';
  return `0x${toHex(octets.subarray(0, SHOWN_OCTETS))}${more}`;
}

/**
 * Makes a peer's text safe to show: control and format characters, which could move a terminal's cursor, forge a log
 * line or change the writing direction, appear as `\u{..}`, and so do line separators; a backslash is doubled.
 */
export function safeText(text: string): string {
  return text.replace(/[\\\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\\' ? '\\\\' : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
