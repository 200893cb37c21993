/**
 * The newest events. All of them count, but what their detectors said beside what is understood is the largest part by far and
 * decides nothing: of the details, those of the newest are kept, up to a number of bytes. The journal has all of them.
 */
import { Fifo } from '../net/fifo.ts';
import { heapCost } from '../net/heap-cost.ts';
import { HISTORY_SIZE } from './ended-mitigations.ts';
import { AttackedHosts } from './recent.ts';
import type { EventRecord } from './types.ts';

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
