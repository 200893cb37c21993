/**
 * Writes and reads snapshots as JSON lines, in slices:
 *
 *     {"v":1,"seq":4711,"schema":1,"followed":true}
 *     {"key":"mitigations","item":{...}}        one line for each item of a list in the data
 *     {"key":"paused","value":null}             one line for each other value
 *     {"lines":3,"crc":"9f3c01ab"}
 *
 * `followed` means that a segment for the facts after the snapshot was durable before the snapshot; snapshots of 0.1
 * lack it. `crc` is the CRC-32 of all bytes before the last line. Data that is not an object is one line
 * `{"value":...}`.
 */
import { crc32 } from 'node:zlib';
import type { StateSnapshot } from '../../core/state/state.ts';
import { errorText } from '../../net/text.ts';
import { createAtomically, type Files, storeError } from '../files.ts';
import { LineReader, linesIn } from './lines.ts';
import { crcText } from './record.ts';
import { DamageError, nextBlock, type NumberedFile, readFolder, snapshotName } from './segments.ts';

const SNAPSHOT_VERSION = 1;
/** Characters that are collected for one write: some milliseconds of work. */
const SLICE = 256 * 1024;

/** Writes a snapshot completely or not at all; it is durable when this resolves. */
export async function writeSnapshot(files: Files, folder: string, snapshot: StateSnapshot): Promise<void> {
  const name = snapshotName(snapshot.seq);
  try {
    await createAtomically(files, folder, name, encodeSnapshot(snapshot));
  } catch (error) {
    throw storeError('write the snapshot', `${folder}/${name}`, error);
  }
}

/** Encodes a snapshot in pieces of whole lines. */
export async function* encodeSnapshot(snapshot: StateSnapshot): AsyncGenerator<Uint8Array> {
  let crc = 0;
  let count = 0;
  let pending = '';
  for (const line of lines(snapshot)) {
    pending += `${line}\n`;
    count++;
    if (pending.length < SLICE) continue;
    const bytes = Buffer.from(pending);
    crc = crc32(bytes, crc);
    pending = '';
    yield bytes;
  }
  const rest = Buffer.from(pending);
  yield Buffer.concat([rest, Buffer.from(`{"lines":${count},"crc":"${crcText(crc32(rest, crc))}"}\n`)]);
}

function* lines({ seq, schema, data }: StateSnapshot): Generator<string> {
  yield JSON.stringify({ v: SNAPSHOT_VERSION, seq, schema, followed: true });
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    yield JSON.stringify({ value: data });
    return;
  }
  for (const [key, value] of Object.entries(data)) {
    if (Array.isArray(value) && value.length > 0) {
      const start = `{"key":${JSON.stringify(key)},"item":`;
      // A list's item that JSON cannot express becomes null.
      for (const item of value) yield `${start}${JSON.stringify(item) ?? 'null'}}`;
    } else if (value !== undefined) {
      yield JSON.stringify({ key, value });
    }
  }
}

interface SnapshotLine {
  readonly v?: unknown;
  readonly seq?: unknown;
  readonly schema?: unknown;
  readonly followed?: unknown;
  readonly key?: unknown;
  readonly item?: unknown;
  readonly value?: unknown;
  readonly lines?: unknown;
  readonly crc?: unknown;
}

export interface SnapshotFile {
  readonly snapshot: StateSnapshot;
  /** True if a segment that begins after the snapshot existed when it was written. */
  readonly followed: boolean;
}

/** Reads a snapshot. Throws DamageError with the line if it is damaged or incomplete. */
export async function readSnapshot(files: Files, snapshot: NumberedFile): Promise<SnapshotFile> {
  const { path } = snapshot;
  const file = await files.open(path, 'read').catch((error: unknown) => {
    throw storeError('read the snapshot', path, error);
  });
  try {
    const reader = new LineReader(file);
    const builder = new SnapshotBuilder(path, snapshot.seq);
    for (;;) {
      const block = await nextBlock(reader, path, builder.line + 1);
      if (block === undefined) break;
      builder.addLines(block);
    }
    if (reader.unterminated > 0) throw new DamageError(path, builder.line + 1, 'the line is incomplete');
    return builder.finish();
  } finally {
    await file.close();
  }
}

/** Decodes a snapshot from pieces of whole lines. Throws DamageError, which names the snapshot as `path`. */
export async function decodeSnapshot(
  path: string,
  seq: number,
  pieces: AsyncIterable<Buffer>,
): Promise<StateSnapshot> {
  const builder = new SnapshotBuilder(path, seq);
  for await (const piece of pieces) builder.addLines(piece);
  return builder.finish().snapshot;
}

class SnapshotBuilder {
  readonly #path: string;
  readonly #seq: number;
  readonly #entries = new Map<string, unknown>();
  readonly #lists = new Map<string, unknown[]>();
  #value: { readonly value: unknown } | undefined;
  #followed = false;
  #crc = 0;
  #ended = false;
  line = 0;

  constructor(path: string, seq: number) {
    this.#path = path;
    this.#seq = seq;
  }

  /** Adds complete lines, each with its line feed. */
  addLines(block: Buffer): void {
    for (const text of linesIn(block)) this.#add(text);
  }

  #add(text: Buffer): void {
    this.line++;
    if (this.#ended) throw this.#damage('unexpected line after the end');
    const line = this.#parse(text);
    if (this.line === 1) {
      if (line.v !== SNAPSHOT_VERSION || line.schema !== 1) {
        throw this.#damage('not a snapshot of version 1, schema 1; was it written by a newer prefixd?');
      }
      if (line.seq !== this.#seq) {
        throw this.#damage(
          `this snapshot is of fact ${JSON.stringify(line.seq)}, but the file name says ${this.#seq}`,
        );
      }
      this.#followed = line.followed === true;
    } else if (typeof line.crc === 'string') {
      const found = crcText(this.#crc);
      if (line.crc !== found || line.lines !== this.line - 1) {
        throw this.#damage(`checksum mismatch: recorded ${line.crc}, computed ${found} from the lines above`);
      }
      this.#ended = true;
    } else if (typeof line.key === 'string') {
      if ('item' in line) this.#addItem(line.key, line.item);
      else this.#entries.set(line.key, line.value);
    } else if ('value' in line) {
      this.#value = { value: line.value };
    } else {
      throw this.#damage('not a line of a snapshot');
    }
    this.#crc = crc32('\n', crc32(text, this.#crc));
  }

  #addItem(key: string, item: unknown): void {
    const list = this.#lists.get(key);
    if (list !== undefined) {
      list.push(item);
      return;
    }
    const started = [item];
    this.#lists.set(key, started);
    this.#entries.set(key, started);
  }

  finish(): SnapshotFile {
    if (!this.#ended)
      throw new DamageError(this.#path, this.line, 'the snapshot is incomplete: its last line is missing');
    const data = this.#value === undefined ? Object.fromEntries(this.#entries) : this.#value.value;
    return { snapshot: { schema: 1, seq: this.#seq, data }, followed: this.#followed };
  }

  #parse(text: Buffer): SnapshotLine {
    try {
      const value: unknown = JSON.parse(text.toString('utf8'));
      if (typeof value === 'object' && value !== null) return value;
    } catch (error) {
      throw this.#damage(`not JSON: ${errorText(error)}`);
    }
    throw this.#damage('not a line of a snapshot');
  }

  #damage(detail: string): DamageError {
    return new DamageError(this.#path, this.line, detail);
  }
}

// Retention: removes all but the newest two snapshots, and segments that a restart does not need.

/**
 * Limits on old segments that are kept although a restart does not need them: number, and age since the last write
 * (ms).
 */
export interface Retention {
  readonly segments: number;
  readonly ageMs: number;
}

/**
 * Keeps two snapshots, in case one is damaged. A segment is old if all its facts are in the older snapshot. Removes old
 * segments beyond `segments` in number or `ageMs` in age.
 */
export async function removeOld(
  files: Files,
  folder: string,
  retention: Retention,
  now: number,
): Promise<void> {
  try {
    const { segments, snapshots } = await readFolder(files, folder);
    const fallback = snapshots.at(-2)?.seq ?? 0;
    // A segment's facts end where the next segment begins.
    const old = segments.slice(0, -1).filter((_, index) => (segments[index + 1]?.seq ?? 0) - 1 <= fallback);
    // In order, so that an interruption leaves no gaps.
    for (const [index, segment] of old.entries()) {
      const surplus = old.length - index > retention.segments;
      if (!surplus && now - (await files.status(segment.path)).modifiedAt <= retention.ageMs) break;
      await files.remove(segment.path);
    }
    for (const snapshot of snapshots.slice(0, -2)) await files.remove(snapshot.path);
  } catch (error) {
    throw storeError('remove old segments in', folder, error);
  }
}
