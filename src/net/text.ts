/** Texts from elsewhere: a bounded part of a stranger's, and an error's. */

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/** V8 makes no slices that are shorter: it copies them (SlicedString::kMinLength). */
const SHORT = 13;

/** What stands for what was cut off, and its bytes in UTF-8. */
const ELLIPSIS = '…';
const ELLIPSIS_BYTES = 3;

/** The first `max` characters of a text, with `…` in place of the last one where something is missing. For what is only shown. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  return copyText(`${text.slice(0, Math.max(0, max - 1))}${ELLIPSIS}`);
}

/**
 * What may be kept of a text: at most `maxBytes` of UTF-8 (at least 3), ending between two characters, with `…` at the end where
 * something is missing, in memory of its own. V8 keeps the whole of a long string alive as long as a slice of it is, or a match
 * of a regular expression. Lone surrogates become U+FFFD.
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

/** The same text in memory of its own. */
export function copyText(text: string): string {
  const copy: unknown = JSON.parse(JSON.stringify(text));
  return typeof copy === 'string' ? copy : text;
}

/** An AS number: `AS 65002`; one of four octets with what it is in asdot (RFC 5396), as some routers write it. */
export function asWords(asn: number): string {
  return asn <= 0xffff ? `AS ${asn}` : `AS ${asn} (${Math.floor(asn / 0x10000)}.${asn % 0x10000})`;
}

/** `192.0.2.1:179`, an IPv6 address in brackets (RFC 3986 §3.2.2). */
export function endpointText(host: string, port: number | undefined): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What an error says; for what was thrown without being one, the thing itself as text. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const RATE_UNITS: readonly (readonly [factor: number, unit: string])[] = [
  [1e12, 'Tbit/s'],
  [1e9, 'Gbit/s'],
  [1e6, 'Mbit/s'],
  [1e3, 'kbit/s'],
];

/** `5 Mbit/s`, `1.25 Gbit/s`, `900 bit/s`. */
export function rateWords(bitsPerSecond: number): string {
  for (const [factor, unit] of RATE_UNITS) {
    if (bitsPerSecond >= factor) return `${Number((bitsPerSecond / factor).toFixed(2))} ${unit}`;
  }
  return `${bitsPerSecond} bit/s`;
}

/** `1 mitigation`, `3 mitigations`; with a plural of its own `1 reply is`, `3 replies are`. */
export function countWords(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Seconds rounded to at most one decimal: `120 s`. */
export function secondsWords(seconds: number): string {
  return `${Number(seconds.toFixed(1))} s`;
}
