/** Encodes and decodes AS_PATH and AS4_PATH (RFC 4271 §4.3, RFC 5065 §3, RFC 6793). */
import type { ByteWriter } from '../../net/bytes.ts';
import { AS_TRANS } from './iana.ts';
import type { AsPathSegment } from './types.ts';

/** Segment types by number, from 1 (RFC 4271 §4.3, RFC 5065 §3). */
const KINDS = ['set', 'sequence', 'confed-sequence', 'confed-set'] as const;

/** Maximum of AS numbers in one segment. */
const MAX_SEGMENT = 255;

/**
 * Decodes an AS path whose AS numbers have `width` octets. Returns a text if it is malformed (RFC 7606 §7.2; AS number
 * 0: RFC 7607 §2).
 */
export function decodeAsPath(octets: Uint8Array, width: 2 | 4): readonly AsPathSegment[] | string {
  const segments: AsPathSegment[] = [];
  let at = 0;
  while (at < octets.length) {
    if (octets.length - at < 2) return 'one octet is left after the last segment';
    const kind = KINDS[(octets[at] as number) - 1];
    if (kind === undefined) return `unknown segment type ${octets[at]}`;
    const count = octets[at + 1] as number;
    if (count === 0) return 'a segment has no AS numbers';
    at += 2;
    if (octets.length - at < count * width) return `a segment of ${count} AS numbers is cut off`;
    const asns: number[] = [];
    for (let i = 0; i < count; i++, at += width) {
      const asn = readAsn(octets, at, width);
      if (asn === 0) return 'AS number 0';
      asns.push(asn);
    }
    segments.push({ kind, asns });
  }
  return segments;
}

/** Reads an AS number of two or four octets at `at`, which must be within bounds. */
export function readAsn(octets: Uint8Array, at: number, width: 2 | 4): number {
  const high = ((octets[at] as number) << 8) | (octets[at + 1] as number);
  if (width === 2) return high;
  return high * 0x10000 + (((octets[at + 2] as number) << 8) | (octets[at + 3] as number));
}

/** Returns the encoded length of a path with AS numbers of `width` octets. */
export function asPathLength(segments: readonly AsPathSegment[], width: 2 | 4): number {
  let length = 0;
  for (const segment of segments) length += 2 + segment.asns.length * width;
  return length;
}

/**
 * Writes a path; an AS number that does not fit two octets becomes AS_TRANS (RFC 6793 §4.2.2). Throws RangeError for an
 * empty segment, one of more than 255 AS numbers, and AS number 0, which must not be originated (RFC 7607 §2).
 */
export function writeAsPath(writer: ByteWriter, segments: readonly AsPathSegment[], width: 2 | 4): void {
  for (const { kind, asns } of segments) {
    if (asns.length === 0 || asns.length > MAX_SEGMENT) {
      throw new RangeError(`an AS path segment has 1 to ${MAX_SEGMENT} AS numbers, not ${asns.length}`);
    }
    writer.u8(KINDS.indexOf(kind) + 1).u8(asns.length);
    for (const asn of asns) {
      if (asn === 0) throw new RangeError('AS number 0 in an AS path');
      if (width === 4) writer.u32(asn);
      else writer.u16(asn > 0xffff ? AS_TRANS : asn);
    }
  }
}

function isConfederation(segment: AsPathSegment): boolean {
  return segment.kind === 'confed-sequence' || segment.kind === 'confed-set';
}

/** Returns a path without confederation segments, which AS4_PATH must not carry (RFC 6793 §3, §6). */
export function withoutConfederations(segments: readonly AsPathSegment[]): readonly AsPathSegment[] {
  return segments.some(isConfederation) ? segments.filter((segment) => !isConfederation(segment)) : segments;
}

/** Returns true if an AS number needs four octets, so that a 2-octet peer gets AS4_PATH too (RFC 6793 §4.2.2). */
export function needsAs4Path(segments: readonly AsPathSegment[]): boolean {
  return segments.some((segment) => segment.asns.some((asn) => asn > 0xffff));
}

/** Counts AS numbers like route selection: a set is one, a confederation none (RFC 4271 §9.1.2.2, RFC 5065 §5.3). */
function countAsns(segments: readonly AsPathSegment[]): number {
  let count = 0;
  for (const segment of segments) {
    if (segment.kind === 'sequence') count += segment.asns.length;
    else if (segment.kind === 'set') count += 1;
  }
  return count;
}

/**
 * Merges AS_PATH and AS4_PATH of a 2-octet peer (RFC 6793 §4.2.3): the surplus of AS_PATH precedes AS4_PATH. A longer
 * AS4_PATH is ignored.
 */
export function mergeAs4Path(
  asPath: readonly AsPathSegment[],
  as4Path: readonly AsPathSegment[],
): readonly AsPathSegment[] {
  let missing = countAsns(asPath) - countAsns(as4Path);
  if (missing < 0) return asPath;
  const merged: AsPathSegment[] = [];
  for (const segment of asPath) {
    if (isConfederation(segment)) {
      // Leading, or adjacent to a segment that was taken completely: the loop ends at the first that was not.
      merged.push(segment);
      continue;
    }
    if (missing === 0) break;
    if (segment.kind === 'set' || segment.asns.length <= missing) {
      merged.push(segment);
      missing -= segment.kind === 'set' ? 1 : segment.asns.length;
      continue;
    }
    merged.push({ kind: segment.kind, asns: segment.asns.slice(0, missing) });
    break;
  }
  const [first, ...rest] = as4Path;
  const last = merged.at(-1);
  if (first === undefined || last === undefined) return [...merged, ...as4Path];
  // Joins a sequence that was split because of the 2-octet width.
  if (first.kind !== 'sequence' || last.kind !== 'sequence') return [...merged, ...as4Path];
  if (last.asns.length + first.asns.length > MAX_SEGMENT) return [...merged, ...as4Path];
  merged[merged.length - 1] = { kind: 'sequence', asns: [...last.asns, ...first.asns] };
  return [...merged, ...rest];
}
