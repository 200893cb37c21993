/**
 * Encodes one fact as one line of the journal, and decodes it:
 *
 *     {"v":1,"pop":"ams1","seq":7,"at":1795393939223,"fact":{...},"crc":"9f3c01ab"}
 *
 * `pop` names the stream; records of 0.1 lack it. A reader of 0.1 ignores it, so `v` is the same. `crc` is the CRC-32
 * (as in zlib) of the bytes before `,"crc"`, so that a reader checks the line as it is on disk before it parses the
 * JSON. Keys and their order belong to the format; `v` changes with their meaning.
 */
import { crc32 } from 'node:zlib';
import type { Fact, RecordedFact } from '../../core/facts.ts';
import { errorText } from '../../net/text.ts';

/** The schema version that is written and accepted. */
export const RECORD_VERSION = 1;

/** Separates the checked bytes from the 8 digits of their checksum. */
const SEPARATOR = Buffer.from(',"crc":"');
/** Ends a record, after the digits. */
const END = Buffer.from('"}');
const LINE_FEED = 0x0a;
const DIGITS = Buffer.from('0123456789abcdef');
const SUFFIX = SEPARATOR.length + 8 + END.length;

/** Formats a checksum as 8 lower-case hexadecimal digits. */
export function crcText(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

/** Returns a fact's line with its line feed. Throws RangeError for a number that JSON cannot express. */
export function encodeRecord({ pop, seq, at, fact }: RecordedFact): string {
  if (!Number.isSafeInteger(seq) || seq < 1 || !Number.isFinite(at)) {
    throw new RangeError(`fact ${seq} at ${at}: invalid sequence number or time`);
  }
  const stream = pop === undefined ? '' : `"pop":${JSON.stringify(pop)},`;
  const body = `{"v":${RECORD_VERSION},${stream}"seq":${seq},"at":${at},"fact":${JSON.stringify(fact)}`;
  return `${body},"crc":"${crcText(crc32(body))}"}\n`;
}

/** Decodes a line without its line feed; returns the fact, or a text that says what is wrong. */
export function decodeRecord(line: Buffer): RecordedFact | string {
  const checked = line.length - SUFFIX;
  if (checked <= 0 || !hasAt(line, SEPARATOR, checked) || !hasAt(line, END, line.length - END.length)) {
    return 'not a journal record';
  }
  const found = line.toString('latin1', checked + SEPARATOR.length, line.length - END.length);
  const expected = crcText(crc32(line.subarray(0, checked)));
  if (found !== expected) return `checksum mismatch: recorded ${JSON.stringify(found)}, computed ${expected}`;
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch (error) {
    return `not JSON: ${errorText(error)}`;
  }
  return asRecord(value);
}

/** True if `line` contains `octets` at `at`. */
function hasAt(line: Buffer, octets: Buffer, at: number): boolean {
  for (let i = 0; i < octets.length; i++) if (line[at + i] !== octets[i]) return false;
  return true;
}

/** A damaged record: the index of its line in the block, and what is wrong. */
export interface BadRecord {
  readonly line: number;
  readonly detail: string;
}

/**
 * Decodes a block of complete lines, each with its line feed. Equivalent to `decodeRecord` for each line, in two thirds
 * of the time: checks each line's checksum, then parses all JSON as one list.
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

/** Decodes line by line, which is slower but finds the damaged line. */
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

/** Checks the line from `start` to before `end` without converting it to a string. */
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

/** Checks only the outline, because the checksum has already verified the content. */
function asRecord(value: unknown): RecordedFact | string {
  const record: RawRecord = typeof value === 'object' && value !== null ? value : {};
  if (record.v !== RECORD_VERSION) {
    return `schema version ${JSON.stringify(record.v)} is not ${RECORD_VERSION}; was it written by a newer prefixd?`;
  }
  const { pop, seq, at, fact } = record;
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || typeof at !== 'number' || !isFact(fact)) {
    return 'the record lacks its sequence number, time or fact';
  }
  if (pop !== undefined && typeof pop !== 'string') return 'the name of the POP is not text';
  return pop === undefined ? { seq, at, fact } : { pop, seq, at, fact };
}

function isFact(value: RawRecord['fact']): value is Fact {
  return typeof value === 'object' && value !== null && typeof value.type === 'string';
}
