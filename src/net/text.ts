/** Texts from elsewhere: a bounded part of a stranger's, and an error's. */

/**
 * The first `max` characters of a text, with `…` in place of the last one where something is missing. What is cut is
 * copied: V8 keeps the whole of a long string alive as long as a slice of it is.
 */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  return copyText(`${text.slice(0, Math.max(0, max - 1))}…`);
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

/** What an error says; for what was thrown without being one, the thing itself as text. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
