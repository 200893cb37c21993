/** Formats quantities and errors, and bounds texts from outside. */

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/** V8 copies slices shorter than this (SlicedString::kMinLength). */
const SHORT = 13;

/** Marks a cut; its bytes in UTF-8. */
const ELLIPSIS = '…';
const ELLIPSIS_BYTES = 3;

/** Returns a text's first `max` characters; `…` replaces the last one if the text was cut. Only for display. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  return copyText(`${text.slice(0, Math.max(0, max - 1))}${ELLIPSIS}`);
}

/**
 * Returns a text of at most `maxBytes` of UTF-8 (at least 3) in memory of its own, cut between characters and with `…`
 * at the end if it was cut. V8 keeps a long string alive as long as a slice of it, or a match of a regular expression.
 * Lone surrogates become U+FFFD.
 */
export function keptText(text: string, maxBytes: number): string {
  if (text.length < SHORT && 3 * text.length <= maxBytes) return text;
  // A character has at most three bytes for each of its code units.
  const whole = new Uint8Array(Math.min(maxBytes, text.length * 3));
  const { read, written } = ENCODER.encodeInto(text, whole);
  if (read === text.length) return DECODER.decode(whole.subarray(0, written));
  const beginning = ENCODER.encodeInto(text, whole.subarray(0, Math.max(0, maxBytes - ELLIPSIS_BYTES)));
  return `${DECODER.decode(whole.subarray(0, beginning.written))}${ELLIPSIS}`;
}

/** Returns the same text in memory of its own. */
export function copyText(text: string): string {
  const copy: unknown = JSON.parse(JSON.stringify(text));
  return typeof copy === 'string' ? copy : text;
}

/** Formats an AS number: `AS 65002`; one of four octets also in asdot (RFC 5396), as some routers write it. */
export function asWords(asn: number): string {
  return asn <= 0xffff ? `AS ${asn}` : `AS ${asn} (${Math.floor(asn / 0x10000)}.${asn % 0x10000})`;
}

/** Formats `192.0.2.1:179`, and an IPv6 address in brackets (RFC 3986 §3.2.2). */
export function endpointText(host: string, port: number | undefined): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Returns an error's message; for any other thrown value its text. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns what was thrown as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

const RATE_UNITS: readonly (readonly [factor: number, unit: string])[] = [
  [1e12, 'Tbit/s'],
  [1e9, 'Gbit/s'],
  [1e6, 'Mbit/s'],
  [1e3, 'kbit/s'],
];

/** Formats a rate: `5 Mbit/s`, `1.25 Gbit/s`, `900 bit/s`. */
export function rateWords(bitsPerSecond: number): string {
  for (const [factor, unit] of RATE_UNITS) {
    if (bitsPerSecond >= factor) return `${Number((bitsPerSecond / factor).toFixed(2))} ${unit}`;
  }
  return `${bitsPerSecond} bit/s`;
}

/** Formats a count: `1 mitigation`, `3 mitigations`; with its own plural `1 reply is`, `3 replies are`. */
export function countWords(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Formats seconds with at most one decimal: `120 s`. */
export function secondsWords(seconds: number): string {
  return `${Number(seconds.toFixed(1))} s`;
}

/** Replaces control characters (including C1) and line separators with spaces. */
export function withoutControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' ');
}

/** Parses JSON; undefined for a text that is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
