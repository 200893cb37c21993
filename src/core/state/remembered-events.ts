/**
 * The newest events. All of them count, but what their detectors said beside what is understood is the largest part by far and
 * decides nothing: of the details, those of the newest are kept, up to a number of bytes. The journal has all of them.
 */
import { heapCost } from '../../net/heap-cost.ts';
import { Fifo } from '../../net/queue.ts';
import type { EventRecord, Mitigation } from '../types.ts';
import { AttackedHosts } from './recent.ts';

/** Bytes of their details that stay in memory. */
export const DETAILS_BYTES = 32 * 1024 * 1024;

const FORGOTTEN = 'no longer in memory; the journal has the details of this event';
/** What stands for details that were forgotten. */
const FORGOTTEN_DETAILS: EventRecord['detection']['details'] = { forgotten: FORGOTTEN };

/** The details of one event in memory. */
interface Detailed {
  readonly id: string;
  readonly cost: number;
}

export class RememberedEvents {
  readonly byId = new Map<string, EventRecord>();
  /** Ids in order of arrival: the first key of a Map that is emptied from the front is found ever more slowly. */
  readonly #arrivals = new Fifo<string>();
  readonly #attacked = new AttackedHosts();
  readonly #detailed = new Fifo<Detailed>();
  #detailsBytes = 0;

  /** Bytes of details in memory, about. */
  get detailsBytes(): number {
    return this.#detailsBytes;
  }

  /** Adds an event as the newest; returns what takes it back, as long as it is. */
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

  /** See StateView. Without their details. */
  reportedIn(block: string, vector: string): Iterable<EventRecord> {
    return this.#attacked.of(block, vector);
  }

  /** Forgets what is too much. Not while anything may be taken back. */
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

  /** Returns how to take back what it did to the attacked hosts, if it did anything. */
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

/** 0 for no details, and for those that are forgotten already. */
function costOf({ detection: { details } }: EventRecord): number {
  const keys = Object.keys(details);
  if (keys.length === 0 || (keys.length === 1 && details.forgotten === FORGOTTEN)) return 0;
  return heapCost(details);
}

function withoutDetails(event: EventRecord, details: EventRecord['detection']['details'] = {}): EventRecord {
  return { ...event, detection: { ...event.detection, details } };
}

// Ended and rejected mitigations, in the order of their end: bounded by number and by bytes, for each may have had many holds.

/** How many events, and how many ended or rejected mitigations, are remembered. */
export const HISTORY_SIZE = 10_000;
/** Bytes that the ended and rejected ones may take, about. */
export const ENDED_BYTES = 64 * 1024 * 1024;

interface Ended {
  readonly id: string;
  readonly cost: number;
}

export class EndedMitigations {
  readonly #order = new Fifo<Ended>();
  #bytes = 0;

  /** A mitigation has ended. */
  add(id: string, mitigation: Mitigation | undefined): void {
    const cost = mitigation === undefined ? 0 : heapCost(mitigation);
    this.#order.push({ id, cost });
    this.#bytes += cost;
  }

  /** Takes back the last one. */
  takeBack(): void {
    this.#bytes -= this.#order.pop()?.cost ?? 0;
  }

  /** Forgets what is too much, and returns the ids of it. */
  settle(): readonly string[] {
    const gone: string[] = [];
    while (this.#order.size > HISTORY_SIZE || this.#bytes > ENDED_BYTES) {
      const oldest = this.#order.shift();
      if (oldest === undefined) break;
      this.#bytes -= oldest.cost;
      gone.push(oldest.id);
    }
    return gone;
  }

  /** Ids, oldest first. */
  list(): readonly string[] {
    return this.#order.list().map(({ id }) => id);
  }
}
