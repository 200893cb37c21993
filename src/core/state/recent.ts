/**
 * Short-lived memory: bans by their detector's id (24 hours), creations (one minute), attacked hosts by prefix. What is
 * forgotten depends on the facts and their times alone, and so every fact forgets, also within a group.
 */
import { Fifo } from '../../net/queue.ts';
import { textCost } from '../../net/heap-cost.ts';
import type { Detection, EventRecord } from '../types.ts';

/** A detector's id of a ban is remembered this long. */
export const BAN_MEMORY_MS = 24 * 60 * 60 * 1000;
/** Limits the number of remembered bans; beyond it, or beyond the bytes below, the oldest are forgotten first. */
export const BAN_MEMORY_SIZE = 250_000;
export const BAN_MEMORY_BYTES = 96 * 1024 * 1024;
/** The span of `max_new_per_minute`. */
export const CREATION_MEMORY_MS = 60_000;

/** A ban with an id from its detector. */
export interface RecentBan {
  readonly source: string;
  readonly externalId: string;
  readonly at: number;
  readonly eventId: string;
  readonly mitigationId: string | null;
}

/** Bans by source and id, in order of arrival. */
export class RecentBans {
  readonly #bans = new Map<string, RecentBan>();
  readonly #order = new Fifo<RecentBan>();
  /** Forgotten ones at the beginning of the order, which `settle` removes. */
  #forgotten = 0;
  /** Of those that are remembered. */
  #bytes = 0;

  /** Number of remembered bans. */
  get size(): number {
    return this.#order.size - this.#forgotten;
  }

  get(source: string, externalId: string): RecentBan | undefined {
    return this.#bans.get(banKey(source, externalId));
  }

  /** Adds a ban as the newest; returns the ban with the same id that it replaces. */
  add(ban: RecentBan): RecentBan | undefined {
    const key = banKey(ban.source, ban.externalId);
    const before = this.#bans.get(key);
    this.#bans.set(key, ban);
    this.#order.push(ban);
    this.#bytes += costOf(ban);
    return before;
  }

  /** Undoes the newest addition, and restores the ban that it replaced. */
  takeBack(ban: RecentBan, before: RecentBan | undefined): void {
    const key = banKey(ban.source, ban.externalId);
    this.#order.pop();
    this.#bytes -= costOf(ban);
    if (before === undefined) this.#bans.delete(key);
    else this.#bans.set(key, before);
  }

  /** Forgets bans that are too old or too many. Returns a function that undoes it, or undefined when there are none. */
  forget(now: number): (() => void) | undefined {
    const forgotten = this.#forgotten;
    const bytes = this.#bytes;
    for (let ban = this.#order.at(forgotten); ban !== undefined; ban = this.#order.at(this.#forgotten)) {
      const fits = this.size <= BAN_MEMORY_SIZE && this.#bytes <= BAN_MEMORY_BYTES;
      if (ban.at > now - BAN_MEMORY_MS && fits) break;
      this.#forgotten++;
      this.#bytes -= costOf(ban);
    }
    if (this.#forgotten === forgotten) return undefined;
    return () => {
      this.#forgotten = forgotten;
      this.#bytes = bytes;
    };
  }

  /** Removes what was forgotten. Not while it may be undone. */
  settle(): void {
    for (; this.#forgotten > 0; this.#forgotten--) {
      const ban = this.#order.shift();
      if (ban === undefined) continue;
      const key = banKey(ban.source, ban.externalId);
      if (this.#bans.get(key) === ban) this.#bans.delete(key);
    }
  }

  /** Oldest first. */
  list(): readonly RecentBan[] {
    return this.#order.list().slice(this.#forgotten);
  }
}

/** Bytes of the record, its key in two places, and its ids, which are as long as all UUIDs. */
const BAN_COST = 240;

/** Estimates a ban's bytes in memory. Its texts are shared with the event at first; later they are its own. */
function costOf({ source, externalId }: RecentBan): number {
  return BAN_COST + textCost(source) + 2 * textCost(externalId);
}

/** Includes the source's length, so that keys are unambiguous. */
function banKey(source: string, externalId: string): string {
  return `${source.length} ${source}${externalId}`;
}

export interface Creation {
  readonly at: number;
  readonly dryRun: boolean;
}

/**
 * Times of creations in the last minute, ascending, dry-run separately. After a clock was set back, later ones stay.
 */
export class Creations {
  #enforced: number[] = [];
  #dryRun: number[] = [];

  add({ at, dryRun }: Creation): void {
    const times = this.#of(dryRun);
    times.splice(firstAfter(times, at), 0, at);
  }

  /** Undoes an addition. */
  takeBack({ at, dryRun }: Creation): void {
    const times = this.#of(dryRun);
    times.splice(firstAfter(times, at) - 1, 1);
  }

  /** Counts creations after a time, up to and including `upTo`. */
  countBetween(after: number, upTo: number, dryRun: boolean): number {
    const times = this.#of(dryRun);
    return firstAfter(times, upTo) - firstAfter(times, after);
  }

  /** Forgets creations that are too old. Returns a function that undoes it, or undefined when there are none. */
  forget(now: number): (() => void) | undefined {
    const [enforced, dryRun] = [this.#enforced, this.#dryRun];
    this.#enforced = newest(enforced, now);
    this.#dryRun = newest(dryRun, now);
    if (this.#enforced === enforced && this.#dryRun === dryRun) return undefined;
    return () => {
      this.#enforced = enforced;
      this.#dryRun = dryRun;
    };
  }

  /** Lists all remembered creations, so that a restored state forgets what this one does. */
  list(): readonly Creation[] {
    return [false, true].flatMap((dryRun) => this.#of(dryRun).map((at) => ({ at, dryRun })));
  }

  #of(dryRun: boolean): number[] {
    return dryRun ? this.#dryRun : this.#enforced;
  }
}

/** Returns the times without those of a minute ago; a minute late, so that not every creation makes a new list. */
function newest(times: number[], now: number): number[] {
  const oldest = times[0];
  if (oldest === undefined || oldest > now - 2 * CREATION_MEMORY_MS) return times;
  return times.slice(firstAfter(times, now - CREATION_MEMORY_MS));
}

/** Returns the index of the first time after the given one in an ascending list. */
function firstAfter(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? Number.POSITIVE_INFINITY) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Limits the remembered hosts of one block and vector; the oldest are forgotten first. */
export const BLOCK_MEMORY_SIZE = 1024;

/** By vector, then by victim. A map of hosts is replaced and never changed, so that undoing restores the old one. */
type Attacked = Map<string, ReadonlyMap<string, EventRecord>>;

const NO_HOSTS: ReadonlyMap<string, EventRecord> = new Map();

/** The newest event about each attacked host, by block and vector. Entries are dropped together with their events. */
export class AttackedHosts {
  readonly #blocks = new Map<string, Attacked>();

  /** Adds a ban that is counted for a block. Returns a function that undoes it, or undefined when it is not counted. */
  add(event: EventRecord): (() => void) | undefined {
    const { block, detection } = event;
    if (block === undefined || detection.action !== 'ban') return undefined;
    const before = this.#hosts(block, detection.vector);
    const hosts = new Map(before);
    hosts.delete(detection.victim);
    hosts.set(detection.victim, event);
    for (const oldest of hosts.keys()) {
      if (hosts.size <= BLOCK_MEMORY_SIZE) break;
      hosts.delete(oldest);
    }
    this.#put(block, detection.vector, hosts);
    return () => this.#put(block, detection.vector, before);
  }

  /** Removes a host whose attack ended. Returns a function that undoes it, or undefined when it was not counted. */
  release({ block, detection }: EventRecord): (() => void) | undefined {
    if (block === undefined || detection.action !== 'unban') return undefined;
    const undo: (() => void)[] = [];
    for (const [vector, before] of [...(this.#blocks.get(block) ?? [])]) {
      const event = before.get(detection.victim);
      if (event === undefined || !isOver(event.detection, detection)) continue;
      this.#put(block, vector, hostsWithout(before, detection.victim));
      undo.push(() => this.#put(block, vector, before));
    }
    if (undo.length === 0) return undefined;
    return () => {
      for (const one of undo) one();
    };
  }

  /** Forgets an event, unless a newer one about the same host replaced it. */
  forget({ id, block, detection }: EventRecord): void {
    if (block === undefined) return;
    const hosts = this.#hosts(block, detection.vector);
    if (hosts.get(detection.victim)?.id !== id) return;
    this.#put(block, detection.vector, hostsWithout(hosts, detection.victim));
  }

  of(block: string, vector: string): Iterable<EventRecord> {
    return this.#hosts(block, vector).values();
  }

  #hosts(block: string, vector: string): ReadonlyMap<string, EventRecord> {
    return this.#blocks.get(block)?.get(vector) ?? NO_HOSTS;
  }

  #put(block: string, vector: string, hosts: ReadonlyMap<string, EventRecord>): void {
    const vectors: Attacked = this.#blocks.get(block) ?? new Map();
    if (hosts.size > 0) vectors.set(vector, hosts);
    else vectors.delete(vector);
    if (vectors.size > 0) this.#blocks.set(block, vectors);
    else this.#blocks.delete(block);
  }
}

function hostsWithout(
  hosts: ReadonlyMap<string, EventRecord>,
  victim: string,
): ReadonlyMap<string, EventRecord> {
  const others = new Map(hosts);
  others.delete(victim);
  return others;
}

/** True when the unban is about the alert of the ban. */
function isOver(ban: Detection, unban: Detection): boolean {
  if (ban.source !== unban.source) return false;
  if (unban.anyVector !== true && ban.vector !== unban.vector) return false;
  const [of, over] = [ban.alertId ?? ban.externalId, unban.alertId ?? unban.externalId];
  return over === null || of === over;
}
