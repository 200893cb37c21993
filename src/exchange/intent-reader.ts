/**
 * Reads what other POPs announce and imports it. A vector of (POP, epoch, n) says what was read; each POP is the only
 * writer of its numbers, so nothing can be skipped. A POP whose epoch is new, or whose next number is deleted, is read
 * from `live`.
 */
import type { EngineView } from '../control/types.ts';
import type { Answer } from '../core/commands.ts';
import type { Fact } from '../core/facts.ts';
import { type Intent, namesPop } from '../core/intent.ts';
import { isActive } from '../core/state/indices.ts';
import type { IntentVersion } from '../core/types.ts';
import { asError } from '../net/text.ts';
import { decodeIntent } from './intent-codec.ts';
import type { PopSession } from './pop-session.ts';
import type { ForeignIntent, Heartbeat, IntentRow } from './types.ts';

/** Imports that are submitted together: local reports do not wait behind more. */
const BATCH = 64;
/** Most intents of one POP that are remembered for lists, and most refused ones that are tried again. */
const MOST_INTENTS = 10_000;
const MOST_REFUSED = 500;

export interface IntentReaderOptions {
  readonly engine: Pick<EngineView, 'state' | 'policy' | 'submit'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Called with the time from an intent's publication to its import here (ms). */
  readonly onImported?: (ageMs: number) => void;
  /** Called for some of the rows that cannot be read. */
  readonly onUnreadable?: (version: IntentVersion, why: string) => void;
}

/** Where intents are read from. */
export type IntentSource = Pick<PopSession, 'readAfter' | 'readLive'>;

/** An intent that was read, with its end by this daemon's clock. */
interface ReadIntent {
  readonly version: IntentVersion;
  readonly intent: Intent;
  readonly endsAt: number;
  /** Time of its publication by this daemon's clock (ms). */
  readonly publishedAt: number;
}

/** What is known of one POP. */
interface PopRecord {
  cursor: IntentVersion | undefined;
  heartbeat: Heartbeat;
  /** Time of the newest heartbeat up to which everything was imported (ms, this daemon's clock). */
  currentAt: number | undefined;
  readonly intents: Map<string, ForeignIntent>;
  /** Refused here, such as by a quota; tried again, because the reason may pass. */
  readonly refused: Map<string, ReadIntent>;
  unreadable: number;
}

export class IntentReader {
  readonly #options: IntentReaderOptions;
  readonly #pops = new Map<string, PopRecord>();
  /** Import errors of the last reading; undefined: none. */
  #failure: Error | undefined;

  constructor(options: IntentReaderOptions) {
    this.#options = options;
  }

  /** Other POPs by name. */
  get pops(): ReadonlyMap<string, Readonly<PopRecord>> {
    return this.#pops;
  }

  /** Why the last reading could not import everything, such as a full disk; undefined: it could. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Active mitigations of others, as far as they are known. */
  intents(): readonly ForeignIntent[] {
    const now = this.#options.clock();
    return [...this.#pops.values()].flatMap(({ intents }) =>
      [...intents.values()].filter(({ endsAt }) => endsAt > now),
    );
  }

  /** Notes the heartbeats of all POPs, which were read at `readAt` (ms). Those that are gone are forgotten. */
  hear(heartbeats: readonly Heartbeat[], readAt: number): void {
    const { pop: own } = this.#options.engine.policy;
    const names = new Set(heartbeats.map(({ name }) => name));
    for (const name of this.#pops.keys()) if (!names.has(name)) this.#pops.delete(name);
    for (const heartbeat of heartbeats) {
      if (heartbeat.name === own) continue;
      const record = this.#pops.get(heartbeat.name);
      if (record === undefined) {
        this.#pops.set(heartbeat.name, {
          cursor: undefined,
          heartbeat,
          currentAt: this.#accepts(heartbeat.name) ? undefined : readAt - heartbeat.ageMs,
          intents: new Map(),
          refused: new Map(),
          unreadable: 0,
        });
        continue;
      }
      record.heartbeat = heartbeat;
      if (record.cursor?.epoch !== heartbeat.epoch) record.cursor = undefined;
      // Nothing is read of the others, so nothing can be behind.
      if (!this.#accepts(heartbeat.name)) {
        record.cursor = undefined;
        record.currentAt = readAt - heartbeat.ageMs;
        record.intents.clear();
        record.refused.clear();
      }
    }
  }

  /** Forgets what was read, because the database may be another one now. Heartbeats stay. */
  forgetCursors(): void {
    for (const record of this.#pops.values()) record.cursor = undefined;
  }

  /**
   * Reads and imports everything that is new; `heardAt` is when the heartbeats were read (ms), undefined if only the POPs
   * in `only` are read. Rejects with PostgresError if the database fails. What cannot be imported is read again next time.
   */
  async read(session: IntentSource, heardAt: number | undefined, only?: ReadonlySet<string>): Promise<void> {
    this.#failure = undefined;
    // Once in a reading: a heartbeat may be older than what is read, and must not make it begin again and again.
    const fromLive = new Set<string>();
    let again = true;
    while (again && this.#failure === undefined) {
      again = false;
      for (const [name, record] of this.#accepted(only)) {
        if (record.cursor !== undefined || fromLive.has(name)) continue;
        fromLive.add(name);
        await this.#readLive(session, name, record);
      }
      for (const [name, rows] of await this.#readAfter(session, only)) {
        const record = this.#pops.get(name);
        const cursor = record?.cursor;
        if (record === undefined || cursor === undefined) continue;
        const { epoch, n } = record.heartbeat;
        const isMissing = rows.length === 0 && epoch === cursor.epoch && n > cursor.n;
        if (
          (isMissing && !fromLive.has(name)) ||
          (rows[0] !== undefined && rows[0].version.n > cursor.n + 1)
        ) {
          record.cursor = undefined;
          again = true;
        } else if (rows.length > 0) {
          again = true;
          record.cursor = await this.#importAll(record, rows, cursor);
        }
      }
    }
    if (heardAt === undefined) return;
    for (const [, record] of this.#accepted()) {
      const { cursor, heartbeat } = record;
      if (cursor === undefined) continue;
      const isCurrent = cursor.epoch !== heartbeat.epoch || cursor.n >= heartbeat.n;
      if (isCurrent) record.currentAt = heardAt - heartbeat.ageMs;
    }
  }

  /** Tries refused intents again: quotas, a pause, the safelist or the policy may have changed. */
  async retryRefused(): Promise<void> {
    const now = this.#options.clock();
    for (const [, record] of this.#accepted()) {
      const due = [...record.refused.values()];
      record.refused.clear();
      await this.#submitAll(
        record,
        due.filter(({ endsAt }) => endsAt > now),
      );
    }
  }

  #accepts(name: string): boolean {
    return this.#options.engine.policy.exchange?.accept.includes(name) === true;
  }

  #accepted(only?: ReadonlySet<string>): readonly (readonly [string, PopRecord])[] {
    return [...this.#pops].filter(([name]) => this.#accepts(name) && only?.has(name) !== false);
  }

  async #readLive(session: IntentSource, name: string, record: PopRecord): Promise<void> {
    const sentAt = this.#options.clock();
    const live = await session.readLive(name);
    if (live === undefined) return;
    record.intents.clear();
    const rows = live.rows.flatMap((row) => this.#decode(record, row, sentAt));
    await this.#importAll(record, rows, live.cursor);
    // A part of `live` is no beginning of the numbers.
    record.cursor = this.#failure === undefined ? live.cursor : undefined;
  }

  /** Reads the next rows of each POP that has a cursor. */
  async #readAfter(
    session: IntentSource,
    only?: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, readonly ReadIntent[]>> {
    const cursors = this.#accepted(only).flatMap(([, { cursor }]) => cursor ?? []);
    if (cursors.length === 0) return new Map();
    const sentAt = this.#options.clock();
    const rows = await session.readAfter(cursors);
    const byPop = new Map<string, ReadIntent[]>(cursors.map(({ pop }) => [pop, []]));
    for (const row of rows) {
      const record = this.#pops.get(row.pop);
      if (record !== undefined) byPop.get(row.pop)?.push(...this.#decode(record, row, sentAt, true));
    }
    return byPop;
  }

  /** Returns a row as an intent; an unreadable one is counted, and none unless `keep`, which keeps the numbers whole. */
  #decode(record: PopRecord, row: IntentRow, sentAt: number, keep = false): readonly ReadIntent[] {
    const { pop, epoch, n } = row;
    const version = { pop, epoch, n };
    const decoded = decodeIntent(row.body);
    // By the time at which the statement was sent, so that its way back prolongs nothing.
    const times = { endsAt: sentAt + row.remainingMs, publishedAt: sentAt - row.ageMs };
    if (decoded.ok && decoded.value.id === row.id) return [{ version, intent: decoded.value, ...times }];
    record.unreadable++;
    const why = decoded.ok ? 'its id is not that of its row' : decoded.error;
    // The 1st, 10th, 100th, ...: another version of prefixd may write many.
    if (/^10*$/.test(String(record.unreadable))) this.#options.onUnreadable?.(version, why);
    if (!keep) return [];
    const intent: Intent = { kind: 'ended', id: row.id, to: 'expired', reason: '', actorName: '' };
    return [{ version, intent, ...times, endsAt: Number.NEGATIVE_INFINITY }];
  }

  /** Imports rows in order. Returns the cursor after the last one before the first failure. */
  async #importAll(
    record: PopRecord,
    rows: readonly ReadIntent[],
    from: IntentVersion,
  ): Promise<IntentVersion> {
    let cursor = from;
    for (let at = 0; at < rows.length; at += BATCH) {
      const batch = rows.slice(at, at + BATCH);
      const done = await this.#submitAll(record, batch);
      cursor = batch[done - 1]?.version ?? cursor;
      if (done < batch.length) return cursor;
    }
    return cursor;
  }

  /** Submits intents; returns how many were decided before the first that could not be recorded. */
  async #submitAll(record: PopRecord, batch: readonly ReadIntent[]): Promise<number> {
    const answers = await Promise.allSettled(batch.map((one) => this.#submit(record, one)));
    for (const [i, answer] of answers.entries()) {
      const one = batch[i];
      if (answer.status === 'rejected') {
        this.#failure = asError(answer.reason);
        return i;
      }
      if (one === undefined || answer.value?.type !== 'import') continue;
      if (answer.value.outcome === 'refused') remember(record.refused, one.intent.id, one, MOST_REFUSED);
      else this.#options.onImported?.(Math.max(0, this.#options.clock() - one.publishedAt));
    }
    return batch.length;
  }

  /** Submits an intent if it concerns this POP. */
  async #submit(record: PopRecord, one: ReadIntent): Promise<Answer | undefined> {
    const { engine, clock } = this.#options;
    const { intent, version, endsAt } = one;
    if (endsAt === Number.NEGATIVE_INFINITY) return undefined;
    const known = engine.state.mitigations.get(intent.id);
    // One before it may be submitted and not decided yet.
    const wasForHere = record.intents.get(intent.id)?.isForHere === true;
    const isHeld =
      wasForHere || (known !== undefined && isActive(known) && known.origin?.pop === version.pop);
    const wasRefused = record.refused.delete(intent.id);
    const remainingMs = endsAt - clock();
    if (intent.kind === 'ended') {
      record.intents.delete(intent.id);
      if (!isHeld && !wasRefused) return undefined;
      return engine.submit({
        type: 'import',
        origin: version,
        intent,
        remainingMs: Math.max(0, remainingMs),
      });
    }
    if (remainingMs <= 0) {
      record.intents.delete(intent.id);
      return undefined;
    }
    const isForHere = namesPop(intent.pops, engine.policy.pop);
    remember(record.intents, intent.id, { pop: version.pop, intent, endsAt, isForHere }, MOST_INTENTS);
    // One that is no longer for this POP ends here.
    if (!isForHere && !isHeld) return undefined;
    return engine.submit({ type: 'import', origin: version, intent, remainingMs });
  }
}

/** Sets a value as the newest, and drops the oldest beyond the limit. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}

/** True for facts after which a refused import may be accepted. */
export function permitsMore({ type }: Fact): boolean {
  return type === 'control.resumed' || type === 'policy.loaded' || type === 'safelist.removed';
}
