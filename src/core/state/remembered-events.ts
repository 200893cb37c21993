/**
 * The newest events. Their details, which decide nothing, take by far the most memory: only the newest details are
 * kept, up to a number of bytes. The journal has all of them.
 */
import { heapCost } from '../../net/heap-cost.ts';
import { Fifo } from '../../net/queue.ts';
import type { EventRecord, Mitigation } from '../types.ts';
import { AttackedHosts } from './recent.ts';

/** Limits the bytes of details in memory. */
export const DETAILS_BYTES = 32 * 1024 * 1024;

const FORGOTTEN = 'no longer in memory; the journal has the details of this event';
/** Replaces details that were forgotten. */
const FORGOTTEN_DETAILS: EventRecord['detection']['details'] = { forgotten: FORGOTTEN };

/** The details of one event in memory. */
interface Detailed {
  readonly id: string;
  readonly cost: number;
}

export class RememberedEvents {
  readonly byId = new Map<string, EventRecord>();
  /** Ids in order of arrival: in a Map that is emptied from the front, finding the first key gets slower and slower. */
  readonly #arrivals = new Fifo<string>();
  readonly #attacked = new AttackedHosts();
  readonly #detailed = new Fifo<Detailed>();
  #detailsBytes = 0;

  /** Approximate bytes of details in memory. */
  get detailsBytes(): number {
    return this.#detailsBytes;
  }

  /** Returns an event, unless it is beyond the limit and `settle` only has not come by yet. */
  get(id: string): EventRecord | undefined {
    for (let i = this.#arrivals.size - HISTORY_SIZE - 1; i >= 0; i--) {
      if (this.#arrivals.at(i) === id) return undefined;
    }
    return this.byId.get(id);
  }

  /** Adds an event as the newest; returns a function that undoes it while it is the newest. */
  add(event: EventRecord): () => void {
    this.byId.set(event.id, event);
    this.#arrivals.push(event.id);
    const cost = costOf(event);
    if (cost > 0) {
      this.#detailed.push({ id: event.id, cost });
      this.#detailsBytes += cost;
    }
    const untrack = event.block === undefined ? undefined : this.#track(withoutDetails(event));
    return () => {
      untrack?.();
      this.byId.delete(event.id);
      this.#arrivals.pop();
      if (cost === 0) return;
      this.#detailed.pop();
      this.#detailsBytes -= cost;
    };
  }

  /** Returns a StateView's answer, without the details. */
  reportedIn(block: string, vector: string): Iterable<EventRecord> {
    return this.#attacked.of(block, vector);
  }

  /**
   * Forgets events beyond the limits. Not while a change may be undone: it makes no difference whether it is done after
   * each fact or after several, because the newest that fit are kept whatever their times are.
   */
  settle(): void {
    while (this.#arrivals.size > HISTORY_SIZE) this.#forget(this.#arrivals.shift() ?? '');
    while (this.#detailsBytes > DETAILS_BYTES) {
      const oldest = this.#detailed.shift();
      if (oldest === undefined) break;
      this.#detailsBytes -= oldest.cost;
      const event = this.byId.get(oldest.id);
      if (event !== undefined) this.byId.set(event.id, withoutDetails(event, FORGOTTEN_DETAILS));
    }
  }

  /** Returns a function that undoes the effect on attacked hosts, if there is one. */
  #track(event: EventRecord): (() => void) | undefined {
    return this.#attacked.add(event) ?? this.#attacked.release(event);
  }

  #forget(id: string): void {
    const event = this.byId.get(id);
    if (event !== undefined) this.#attacked.forget(event);
    this.byId.delete(id);
    if (this.#detailed.oldest?.id !== id) return;
    this.#detailsBytes -= this.#detailed.shift()?.cost ?? 0;
  }
}

/** Returns 0 for no details, and for forgotten ones. */
function costOf({ detection: { details } }: EventRecord): number {
  const keys = Object.keys(details);
  if (keys.length === 0 || (keys.length === 1 && details.forgotten === FORGOTTEN)) return 0;
  return heapCost(details);
}

function withoutDetails(event: EventRecord, details: EventRecord['detection']['details'] = {}): EventRecord {
  return { ...event, detection: { ...event.detection, details } };
}

// Ended and rejected mitigations in the order of their end, bounded by number and by bytes, because each may have many
// holds.

/** Limits the number of remembered events, and of remembered ended or rejected mitigations. */
export const HISTORY_SIZE = 10_000;
/** Limits the approximate bytes of ended and rejected mitigations. */
export const ENDED_BYTES = 64 * 1024 * 1024;

interface Ended {
  readonly id: string;
  readonly cost: number;
}

export class EndedMitigations {
  readonly #order = new Fifo<Ended>();
  /** Forgotten ones at the beginning of the order, which `settle` removes. */
  #forgotten = 0;
  /** Of those that are remembered. */
  #bytes = 0;

  /** Adds a mitigation that has ended. */
  add(id: string, mitigation: Mitigation | undefined): void {
    const cost = mitigation === undefined ? 0 : heapCost(mitigation);
    this.#order.push({ id, cost });
    this.#bytes += cost;
  }

  /** Undoes the last addition. */
  takeBack(): void {
    this.#bytes -= this.#order.pop()?.cost ?? 0;
  }

  /** Removes one that begins again, wherever it is. Returns a function that undoes it. */
  remove(id: string): () => void {
    const before = this.#order.list();
    const [forgotten, bytes] = [this.#forgotten, this.#bytes];
    const index = before.findIndex((ended) => ended.id === id);
    if (index < 0) return () => undefined;
    // The bytes of a forgotten one no longer count.
    if (index < forgotten) this.#forgotten--;
    else this.#bytes -= before[index]?.cost ?? 0;
    this.#fill(before.filter((_, i) => i !== index));
    return () => {
      this.#fill(before);
      this.#forgotten = forgotten;
      this.#bytes = bytes;
    };
  }

  #fill(ended: readonly Ended[]): void {
    this.#order.clear();
    for (const one of ended) this.#order.push(one);
  }

  /** Forgets the oldest if there is one beyond the limits. Returns its id, and a function that undoes it. */
  forget(): { readonly id: string; readonly undo: () => void } | undefined {
    if (this.#order.size - this.#forgotten <= HISTORY_SIZE && this.#bytes <= ENDED_BYTES) return undefined;
    const oldest = this.#order.at(this.#forgotten);
    if (oldest === undefined) return undefined;
    const { id, cost } = oldest;
    this.#forgotten++;
    this.#bytes -= cost;
    const undo = (): void => {
      this.#forgotten--;
      this.#bytes += cost;
    };
    return { id, undo };
  }

  /** Removes what was forgotten; returns the ids. Not while it may be undone. */
  settle(): readonly string[] {
    const gone: string[] = [];
    for (; this.#forgotten > 0; this.#forgotten--) gone.push(this.#order.shift()?.id ?? '');
    return gone;
  }

  /** Ids, oldest first. */
  list(): readonly string[] {
    return this.#order
      .list()
      .slice(this.#forgotten)
      .map(({ id }) => id);
  }
}
