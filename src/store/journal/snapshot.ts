/**
 * A snapshot as a file of JSON lines, written and read in slices:
 *
 *     {"v":1,"seq":4711,"schema":1,"followed":true}
 *     {"key":"mitigations","item":{...}}        one line for each item of a list in the data
 *     {"key":"paused","value":null}             one for everything else
 *     {"lines":3,"crc":"9f3c01ab"}
 *
 * `followed` says that a segment for the facts after it was durable before the snapshot was; snapshots of 0.1 lack it.
 * `crc` is the CRC-32 of all octets before the last line. Data that is no object stands in one line `{"value":...}`.
 */
import { crc32 } from 'node:zlib';
import type { StateSnapshot } from '../../core/state/state.ts';
import { createWhole, type Files, storeError } from '../files.ts';
import { LineReader, linesIn } from './lines.ts';
import { crcText } from './record.ts';
import { DamageError, nextBlock, type NumberedFile, readFolder, snapshotName } from './segments.ts';

const SNAPSHOT_VERSION = 1;
/** Characters that are put together before they are written: some milliseconds of work. */
const SLICE = 256 * 1024;

/** Writes a snapshot; it is durable under its name when this resolves, and otherwise not there. */
export async function writeSnapshot(files: Files, folder: string, snapshot: StateSnapshot): Promise<void> {
  const name = snapshotName(snapshot.seq);
  try {
    await createWhole(files, folder, name, slices(snapshot));
  } catch (error) {
    throw storeError('write the snapshot', `${folder}/${name}`, error);
  }
}

async function* slices(snapshot: StateSnapshot): AsyncGenerator<Uint8Array> {
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
      // What JSON has no word for is null in a list.
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
  /** A segment that begins after it was there when it was written. */
  readonly followed: boolean;
}

/** Reads a snapshot back. Throws DamageError naming the line when it is not whole and as it was written. */
export async function readSnapshot(files: Files, snapshot: NumberedFile): Promise<SnapshotFile> {
  const { path } = snapshot;
  const file = await files.open(path, 'read').catch((error: unknown) => {
    throw storeError('read the snapshot', path, error);
  });
  try {
    const builder = new SnapshotBuilder(path, snapshot.seq);
    const reader = new LineReader(file);
    for (;;) {
      const block = await nextBlock(reader, path, builder.line + 1);
      if (block === null) break;
      for (const text of linesIn(block)) builder.add(text);
    }
    if (reader.unterminated > 0) throw new DamageError(path, builder.line + 1, 'the line is cut off');
    return builder.finish();
  } finally {
    await file.close();
  }
}

class SnapshotBuilder {
  readonly #path: string;
  readonly #seq: number;
  readonly #entries = new Map<string, unknown>();
  readonly #lists = new Map<string, unknown[]>();
  #whole: { readonly value: unknown } | undefined;
  #followed = false;
  #crc = 0;
  #ended = false;
  line = 0;

  constructor(path: string, seq: number) {
    this.#path = path;
    this.#seq = seq;
  }

  add(text: Buffer): void {
    this.line++;
    if (this.#ended) throw this.#damage('something stands behind the end');
    const line = this.#parse(text);
    if (this.line === 1) {
      if (line.v !== SNAPSHOT_VERSION || line.schema !== 1) {
        throw this.#damage('not a snapshot of version 1, schema 1; was it written by a newer prefixd?');
      }
      if (line.seq !== this.#seq) throw this.#damage(`it is of fact ${JSON.stringify(line.seq)}`);
      this.#followed = line.followed === true;
    } else if (typeof line.crc === 'string') {
      const found = crcText(this.#crc);
      if (line.crc !== found || line.lines !== this.line - 1) {
        throw this.#damage(`the checksum says ${line.crc}, the lines above give ${found}`);
      }
      this.#ended = true;
    } else if (typeof line.key === 'string') {
      if ('item' in line) this.#addItem(line.key, line.item);
      else this.#entries.set(line.key, line.value);
    } else if ('value' in line) {
      this.#whole = { value: line.value };
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
    if (!this.#ended) throw new DamageError(this.#path, this.line, 'the snapshot ends before its last line');
    const data = this.#whole === undefined ? Object.fromEntries(this.#entries) : this.#whole.value;
    return { snapshot: { schema: 1, seq: this.#seq, data }, followed: this.#followed };
  }

  #parse(text: Buffer): SnapshotLine {
    try {
      const value: unknown = JSON.parse(text.toString('utf8'));
      if (typeof value === 'object' && value !== null) return value;
    } catch (error) {
      throw this.#damage(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    throw this.#damage('not a line of a snapshot');
  }

  #damage(detail: string): DamageError {
    return new DamageError(this.#path, this.line, detail);
  }
}

// What is removed after a snapshot: snapshots but the newest two, and segments that nothing but an audit would read.

/** How many segments, and how old ones (ms since they were last written), are kept beyond those that a restart may need. */
export interface Retention {
  readonly segments: number;
  readonly ageMs: number;
}

/**
 * Two snapshots stay, so that a damaged one can be made up for: a segment is old when all of its facts are in the older
 * of the two. Of the old ones those go that are more than `segments` or older than `ageMs`.
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
    // The facts of a segment end where the next one begins.
    const old = segments.slice(0, -1).filter((_, index) => (segments[index + 1]?.seq ?? 0) - 1 <= fallback);
    // In order, so that what stays has no holes whenever this ends.
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
