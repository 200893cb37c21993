/**
 * Reads the files of a journal's folder: `journal-<first seq>.jsonl`, each continuing the previous one, and
 * `snapshot-<seq>.jsonl`. Names have 12 digits, so that they sort by number.
 */
import { join } from 'node:path';
import type { RecordedFact } from '../../core/facts.ts';
import { type Files, type OpenFile, storeError, TEMPORARY } from '../files.ts';
import { StoreError } from '../store.ts';
import { LINE_FEED, LineReader, linesIn, LineTooLong } from './lines.ts';
import { decodeRecord, decodeRecords } from './record.ts';

/** A file that is named after a sequence number: a segment's first fact, or a snapshot's last. */
export interface NumberedFile {
  readonly name: string;
  readonly path: string;
  readonly seq: number;
}

/** A segment and its size in bytes. */
export interface Segment extends NumberedFile {
  readonly octets: number;
}

export interface Folder {
  /** Both in ascending order. */
  readonly segments: readonly Segment[];
  readonly snapshots: readonly NumberedFile[];
  /** Paths of incomplete files after a crash. */
  readonly leftovers: readonly string[];
}

const NAME = /^(journal|snapshot)-(\d{1,16})\.jsonl$/;

export function segmentName(first: number): string {
  return `journal-${digits(first)}.jsonl`;
}

export function snapshotName(seq: number): string {
  return `snapshot-${digits(seq)}.jsonl`;
}

function digits(seq: number): string {
  return String(seq).padStart(12, '0');
}

/** Lists the journal's files in the folder and ignores others. */
export async function readFolder(files: Files, folder: string): Promise<Folder> {
  const segments: Segment[] = [];
  const snapshots: NumberedFile[] = [];
  const leftovers: string[] = [];
  for (const name of await files.list(folder)) {
    const path = join(folder, name);
    if (name.endsWith(TEMPORARY) && NAME.test(name.slice(0, -TEMPORARY.length))) leftovers.push(path);
    const [, kind, seq] = NAME.exec(name) ?? [];
    if (kind === 'journal') {
      segments.push({ name, path, seq: Number(seq), octets: (await files.status(path)).octets });
    }
    if (kind === 'snapshot') snapshots.push({ name, path, seq: Number(seq) });
  }
  const ascending = (a: NumberedFile, b: NumberedFile): number => a.seq - b.seq;
  return { segments: segments.sort(ascending), snapshots: snapshots.sort(ascending), leftovers };
}

/** Damage in a file. `line` counts from 1; 0 means the whole file. */
export class DamageError extends StoreError {
  readonly path: string;
  readonly line: number;
  readonly detail: string;

  constructor(path: string, line: number, detail: string) {
    super(`${line === 0 ? path : `${path}:${line}`}: ${detail}`);
    this.path = path;
    this.line = line;
    this.detail = detail;
  }
}

export interface SegmentEnd {
  /** Sequence number of the last fact; one less than the segment's first if it is empty. */
  readonly lastSeq: number;
  /** Bytes of an unterminated last line, or of a torn write. */
  readonly unterminated: number;
  /** Describes a torn write for the operator; undefined if there is none. */
  readonly torn: string | undefined;
}

/** Limit of a torn write (bytes), well above any group. */
const LONGEST_REMAINS = 64 * 1024 * 1024;

/**
 * Yields a segment's facts in slices and checks each. Returns the segment's end; throws DamageError at the first
 * damaged line. The newest segment may end with a write that a power failure tore.
 */
export async function* readSegment(
  files: Files,
  segment: NumberedFile,
  isNewest = false,
): AsyncGenerator<readonly RecordedFact[], SegmentEnd> {
  const { path } = segment;
  let file: OpenFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    throw storeError('read', path, error);
  }
  try {
    const reader = new LineReader(file);
    let line = 0;
    let expected = segment.seq;
    let start = 0;
    let torn: Pick<SegmentEnd, 'unterminated' | 'torn'> | undefined;
    while (torn === undefined) {
      const block = await nextBlock(reader, path, line + 1);
      if (block === undefined) return { lastSeq: expected - 1, unterminated: reader.unterminated, torn };
      let facts = decodeRecords(block);
      if ('detail' in facts) {
        const intact = octetsOfLines(block, facts.line);
        const remains = isNewest ? await tornOctets(file, start + intact) : 0;
        if (remains === 0) throw new DamageError(path, line + facts.line + 1, facts.detail);
        const text = `${path}: the last ${remains} bytes are an incomplete write that was never acknowledged; they are dropped`;
        torn = { unterminated: remains, torn: text };
        facts = decodeRecords(block.subarray(0, intact));
        if ('detail' in facts) throw new DamageError(path, line + facts.line + 1, facts.detail);
      }
      start += block.length;
      for (const { seq } of facts) {
        line++;
        if (seq !== expected)
          throw new DamageError(path, line, `found fact ${seq}, but expected fact ${expected}`);
        expected++;
      }
      if (facts.length > 0) yield facts;
    }
    return { lastSeq: expected - 1, ...torn };
  } finally {
    await file.close();
  }
}

/** Returns the bytes of a block's first `count` lines. */
function octetsOfLines(block: Buffer, count: number): number {
  let octets = 0;
  for (let i = 0; i < count; i++) octets = block.indexOf(LINE_FEED, octets) + 1;
  return octets;
}

/**
 * Returns the bytes from `from` to the end of the file if they are a torn write, otherwise 0. Disk blocks that were
 * never written read as zeros, which no record contains, and no record after them is intact. Anything else is damage.
 */
async function tornOctets(file: OpenFile, from: number): Promise<number> {
  const octets = (await file.size()) - from;
  if (octets <= 0 || octets > LONGEST_REMAINS) return 0;
  const remains = Buffer.alloc(octets);
  if ((await file.read(remains, from)) < octets) return 0;
  const firstZero = remains.indexOf(0);
  const firstEnd = remains.indexOf(LINE_FEED);
  if (firstZero < 0 || (firstEnd >= 0 && firstEnd < firstZero)) return 0;
  for (const line of linesIn(remains)) if (typeof decodeRecord(line) !== 'string') return 0;
  return octets;
}

/** Returns the reader's next lines; errors name the file. */
export async function nextBlock(reader: LineReader, path: string, line: number): Promise<Buffer | undefined> {
  try {
    return await reader.next();
  } catch (error) {
    if (error instanceof LineTooLong) throw new DamageError(path, line, error.message);
    throw storeError('read', path, error);
  }
}

// Chains: each segment continues the previous one, and only the newest may end within a line.

/** The end of a chain of segments. */
export interface ChainEnd {
  readonly lastSeq: number;
  /** The segment to continue in; undefined if there is none. */
  readonly current: Segment | undefined;
  /** Bytes after the last complete line of `current`. */
  readonly unterminated: number;
  /** Describes a torn write for the operator; undefined if there is none. */
  readonly torn: string | undefined;
  /** Empty segments of failed rotations, after which the previous segment was continued. They are removed. */
  readonly leftovers: readonly Segment[];
}

/**
 * Yields the facts of consecutive segments in slices. Calls `onSegment` before each segment is read. Throws DamageError
 * at the first damage.
 */
export async function* readChain(
  files: Files,
  segments: readonly Segment[],
  onSegment?: (segment: Segment) => void,
): AsyncGenerator<readonly RecordedFact[], ChainEnd> {
  const leftovers: Segment[] = [];
  let current: Segment | undefined;
  let lastSeq = 0;
  let unterminated = 0;
  let torn: string | undefined;
  for (const segment of segments) {
    // A rotation leaves no empty segment behind. An empty segment is a leftover if another one follows it, or if the
    // previous segment was continued, so that it already contains the facts.
    const isNewest = segment === segments.at(-1);
    const wasOvertaken = segment.seq <= lastSeq || unterminated > 0;
    if (
      segment.octets === 0 &&
      (!isNewest || (current !== undefined && segment.seq <= lastSeq + 1 && wasOvertaken))
    ) {
      leftovers.push(segment);
      continue;
    }
    if (current !== undefined) checkLink(current, lastSeq, unterminated, segment);
    onSegment?.(segment);
    ({ lastSeq, unterminated, torn } = yield* readSegment(files, segment, isNewest));
    current = segment;
  }
  return { lastSeq, current, unterminated, leftovers, torn };
}

function checkLink(before: Segment, lastSeq: number, unterminated: number, segment: Segment): void {
  if (unterminated > 0) {
    const detail = `the last line is incomplete (${unterminated} bytes), but a newer segment follows`;
    throw new DamageError(before.path, 0, detail);
  }
  if (segment.seq !== lastSeq + 1) {
    const detail = `the segment begins with fact ${segment.seq}, but the previous one ends with fact ${lastSeq}`;
    throw new DamageError(segment.path, 0, detail);
  }
}
