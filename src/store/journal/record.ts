/**
 * One fact as one line of the journal:
 *
 *     {"v":1,"pop":"ams1","seq":7,"at":1795393939223,"fact":{...},"crc":"9f3c01ab"}
 *
 * `pop` names the stream; records of 0.1 lack it. A reader of 0.1 ignores it, so `v` is the same.
 * `crc` is the CRC-32 (as of zlib) of the octets before `,"crc"`, so a reader checks the line as it stands on the disk,
 * before it trusts its JSON. Keys and their order are part of the format; `v` changes when their meaning does.
 */
import { crc32 } from 'node:zlib';
import type { Fact, RecordedFact } from '../../core/facts.ts';

/** The schema version that is written, and the only one that is read. */
export const RECORD_VERSION = 1;

/** What stands between the checked octets and the eight digits of their checksum. */
const SEPARATOR = Buffer.from(',"crc":"');
/** What follows the digits. */
const END = Buffer.from('"}');
const LINE_FEED = 0x0a;
const DIGITS = Buffer.from('0123456789abcdef');
const SUFFIX = SEPARATOR.length + 8 + END.length;

/** Eight lower-case hexadecimal digits. */
export function crcText(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

/** The line of a fact, with its line feed. Throws RangeError when a number has no place in JSON. */
export function encodeRecord({ pop, seq, at, fact }: RecordedFact): string {
  if (!Number.isSafeInteger(seq) || seq < 1 || !Number.isFinite(at)) {
    throw new RangeError(`fact ${seq} at ${at}: not a sequence number and a time`);
  }
  const stream = pop === undefined ? '' : `"pop":${JSON.stringify(pop)},`;
  const body = `{"v":${RECORD_VERSION},${stream}"seq":${seq},"at":${at},"fact":${JSON.stringify(fact)}`;
  return `${body},"crc":"${crcText(crc32(body))}"}\n`;
}

/** The fact in a line (without its line feed), or in words what is wrong with the line. */
export function decodeRecord(line: Buffer): RecordedFact | string {
  const checked = line.length - SUFFIX;
  if (checked <= 0 || !hasAt(line, SEPARATOR, checked) || !hasAt(line, END, line.length - END.length)) {
    return 'not a record of the journal';
  }
  const found = line.toString('latin1', checked + SEPARATOR.length, line.length - END.length);
  const expected = crcText(crc32(line.subarray(0, checked)));
  if (found !== expected)
    return `the checksum does not match: it says ${JSON.stringify(found)}, the octets give ${expected}`;
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  return asRecord(value);
}

/** True when `octets` stand in `line` at `at`. */
function hasAt(line: Buffer, octets: Buffer, at: number): boolean {
  for (let i = 0; i < octets.length; i++) if (line[at + i] !== octets[i]) return false;
  return true;
}

/** Where a record is not as it was written: the index of its line in the block, and what is wrong. */
export interface BadRecord {
  readonly line: number;
  readonly detail: string;
}

/**
 * The facts of a block of whole lines, each of which ends in a line feed. The same as `decodeRecord` line by line, at
 * two thirds of the time: the checksums vouch for the lines one by one, then their JSON is parsed as one list.
 */
export function decodeRecords(block: Buffer): readonly RecordedFact[] | BadRecord {
  if (block.length === 0) return [];
  let lines = 0;
  let start = 0;
  for (let end = block.indexOf(LINE_FEED); end >= 0; end = block.indexOf(LINE_FEED, start)) {
    if (!checksumHolds(block, start, end)) return decodeEach(block);
    start = end + 1;
    lines++;
  }
  let values: unknown;
  try {
    values = JSON.parse(`[${block.toString('utf8', 0, block.length - 1).replaceAll('\n', ',')}]`);
  } catch {
    return decodeEach(block);
  }
  const facts: RecordedFact[] = [];
  for (const value of Array.isArray(values) ? values : []) {
    const record = asRecord(value);
    if (typeof record === 'string') return decodeEach(block);
    facts.push(record);
  }
  return facts.length === lines ? facts : decodeEach(block);
}

/** Slower, and able to say which line is wrong. */
function decodeEach(block: Buffer): readonly RecordedFact[] | BadRecord {
  const facts: RecordedFact[] = [];
  let start = 0;
  for (let end = block.indexOf(LINE_FEED); end >= 0; end = block.indexOf(LINE_FEED, start)) {
    const record = decodeRecord(block.subarray(start, end));
    if (typeof record === 'string') return { line: facts.length, detail: record };
    facts.push(record);
    start = end + 1;
  }
  return facts;
}

/** Judges the line from `start` to before `end` without making a text of it. */
function checksumHolds(block: Buffer, start: number, end: number): boolean {
  const checked = end - SUFFIX;
  if (checked <= start || !hasAt(block, SEPARATOR, checked) || !hasAt(block, END, end - END.length))
    return false;
  let crc = 0;
  for (let at = checked + SEPARATOR.length; at < end - END.length; at++) {
    const digit = DIGITS.indexOf(block[at] ?? 0);
    if (digit < 0) return false;
    crc = (crc << 4) | digit;
  }
  return crc >>> 0 === crc32(block.subarray(start, checked));
}

interface RawRecord {
  readonly v?: unknown;
  readonly pop?: unknown;
  readonly seq?: unknown;
  readonly at?: unknown;
  readonly fact?: { readonly type?: unknown } | null;
}

/** The checksum has vouched for the content, so only the outline is looked at. */
function asRecord(value: unknown): RecordedFact | string {
  const record: RawRecord = typeof value === 'object' && value !== null ? value : {};
  if (record.v !== RECORD_VERSION) {
    return `schema version ${JSON.stringify(record.v)} is not ${RECORD_VERSION}; was it written by a newer prefixd?`;
  }
  const { pop, seq, at, fact } = record;
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || typeof at !== 'number' || !isFact(fact)) {
    return 'a record without sequence number, time or fact';
  }
  if (pop !== undefined && typeof pop !== 'string') return 'the name of the POP is not a text';
  return pop === undefined ? { seq, at, fact } : { pop, seq, at, fact };
}

function isFact(value: RawRecord['fact']): value is Fact {
  return typeof value === 'object' && value !== null && typeof value.type === 'string';
}
