/** Reads a report's victim: an address as exporters write it, or a prefix. */
import {
  covers,
  formatAddress,
  formatPrefix,
  hostPrefix,
  parseAddress,
  parsePrefix,
  unmapped,
} from '../net/prefix.ts';
import { failed, ok, type Result } from '../net/result.ts';
import { cutText, keptText } from '../net/text.ts';

/** Longer texts are not addresses, even with a scheme, a port and a path. */
const MAX_LENGTH = 256;

/** `http://` and the like. */
const SCHEME = /^[a-z][a-z0-9+.-]{0,15}:\/\//i;
/** An address in brackets, as in URLs, perhaps followed by a port. */
const BRACKETED = /^\[([^\]]*)\](?::(\d{1,5}))?$/;
const IPV4_WITH_PORT = /^([\d.]+):(\d{1,5})$/;

/**
 * Reads a victim: an IPv4 or IPv6 address, also with blanks around it, in brackets, with a port (`203.0.113.14:9100`,
 * `[2001:db8::1]:443`) or in a URL; or a prefix, where /32 and /128 mean the address. IPv4-mapped IPv6 (RFC 4291
 * §2.5.5.2) becomes the IPv4 address that packets carry. Refuses host bits: the text may mean the host or its network.
 * The value is canonical; the error says why the text is invalid.
 */
export function readVictim(written: string): Result<string> {
  const text = written.trim();
  if (text === '') return failed('must not be empty');
  if (text.length > MAX_LENGTH) return failed('must be an IPv4 or IPv6 address or prefix');
  if (text.includes('/') && !SCHEME.test(text)) return readPrefix(text);
  const host = hostOf(text);
  const address = host === undefined ? undefined : parseAddress(host);
  if (address !== undefined) return ok(formatAddress(unmapped(hostPrefix(address)).address));
  if (/[,;\s]/.test(text)) {
    return failed(`must be one IPv4 or IPv6 address or prefix, not ${quote(text)}`);
  }
  return failed(`must be an IPv4 or IPv6 address or prefix, not ${quote(text)}`);
}

function quote(text: string): string {
  return `"${cutText(text, 64)}"`;
}

function readPrefix(text: string): Result<string> {
  const slash = text.indexOf('/');
  const head = text.slice(0, slash).trim();
  const bracketed = BRACKETED.exec(head);
  const plain = `${bracketed?.[2] === undefined ? (bracketed?.[1] ?? head) : head}/${text.slice(slash + 1).trim()}`;
  const prefix = parsePrefix(plain);
  if (!prefix.ok) return failed(cutText(prefix.error, 200));
  const { family, address, length } = unmapped(prefix.value);
  const isHost = length === address.length * 8;
  return ok(isHost ? formatAddress(address) : formatPrefix({ family, address, length }));
}

/** Removes scheme, path, brackets and port; undefined when the port is out of range. */
function hostOf(text: string): string | undefined {
  const scheme = SCHEME.exec(text)?.[0] ?? '';
  const host = scheme === '' ? text : (text.slice(scheme.length).split(/[/?#]/, 1)[0] ?? '');
  const parts = BRACKETED.exec(host) ?? IPV4_WITH_PORT.exec(host);
  if (parts === null) return host;
  if (parts[2] !== undefined && Number(parts[2]) > 65535) return undefined;
  return (parts[1] ?? '').trim();
}

/** Bytes kept of an invalid victim. */
const MAX_UNREADABLE = 64;

/** Returns an invalid victim as it is shown with the refused report. */
export function unreadableVictim(value: unknown): string {
  return typeof value === 'string' ? keptText(value.trim(), MAX_UNREADABLE) : '';
}

/** True when every address of a canonical victim is in another. */
export function isWithin(inner: string, outer: string): boolean {
  const [one, other] = [parsePrefix(inner), parsePrefix(outer)];
  return one.ok && other.ok && covers(other.value, one.value);
}
