/** The lives of all mitigations that are remembered, within one bound for them together. */
import type { MitigationFact } from './evolve.ts';
import type { RecordedFact } from './facts.ts';
import {
  bornLife,
  entryOf,
  eventIdOf,
  lastReport,
  type Life,
  lifeFromItself,
  reportedEntry,
} from './life.ts';
import { briefest, grown, sizeOf } from './life-bounds.ts';
import type { EventRecord, Mitigation } from './types.ts';

/** So many entries are kept in all lives together; beyond it those of ended mitigations are cut to the least first. */
export const LIVES_SIZE = 50_000;

/** So many lives are looked at for cutting at once: some hundred microseconds of work. */
const CUT_AT_ONCE = 32;

/** Takes back one change. Changes are taken back last first. */
type Undo = () => void;

const NOTHING: Undo = () => undefined;

export class Lives {
  readonly #lives = new Map<string, Life>();
  readonly #events: ReadonlyMap<string, EventRecord>;
  #size = 0;
  /** Where cutting goes on; those added meanwhile come, too. */
  #cursor: Iterator<readonly [string, Life]> = this.#lives.entries();
  /** Entries that were cut since the cursor was at the beginning. */
  #cut = 0;
  /** The last round over ended ones cut nothing, so that live ones are cut, too. */
  #livesToo = false;

  /** `events` are those that are remembered, the one that is being decided included. */
  constructor(events: ReadonlyMap<string, EventRecord>) {
    this.#events = events;
  }

  /** Undefined for one that nothing was kept of, such as a rejected one (see lifeFromItself). */
  get(id: string): Life | undefined {
    return this.#lives.get(id);
  }

  /** Entries that are kept. */
  get size(): number {
    return this.#size;
  }

  /** In order of creation. */
  list(): readonly Life[] {
    return [...this.#lives.values()];
  }

  /** Puts back what a snapshot listed. */
  restore(lives: Iterable<Life>): void {
    for (const life of lives) this.#put(life.id, life);
  }

  /** Adds what a fact that was just folded means for lives. `before`: the mitigation that it changed, as it was. */
  tell(recorded: RecordedFact, before: Mitigation | undefined): Undo {
    const { fact } = recorded;
    switch (fact.type) {
      case 'event.received':
        return fact.event.about === undefined
          ? NOTHING
          : this.#reported(fact.event, fact.event.about, recorded);
      case 'mitigation.created': {
        const { mitigation } = fact;
        const event = this.#events.get(mitigation.triggeringEventId ?? '');
        this.#put(mitigation.id, bornLife(mitigation, recorded, event));
        return () => this.#put(mitigation.id, undefined);
      }
      default:
        return before !== undefined && 'id' in fact ? this.#changed(before, fact, recorded) : NOTHING;
    }
  }

  #changed(before: Mitigation, fact: MitigationFact, { seq, at }: RecordedFact): Undo {
    const life = this.#lives.get(before.id);
    const event = this.#events.get(eventIdOf(fact) ?? '');
    const last = life === undefined ? undefined : lastReport(life);
    const entry = entryOf(fact, { seq, at, before, event, last });
    if (entry === null) return NOTHING;
    this.#put(before.id, grown(life ?? lifeFromItself(before), entry));
    return () => this.#put(before.id, life);
  }

  #reported(event: EventRecord, about: readonly string[], recorded: RecordedFact): Undo {
    const before = about.flatMap((id) => this.#lives.get(id) ?? []);
    for (const life of before)
      this.#put(life.id, grown(life, reportedEntry(event, recorded, lastReport(life))));
    return () => {
      for (const life of before) this.#put(life.id, life);
    };
  }

  forget(id: string): void {
    this.#put(id, undefined);
  }

  /**
   * Cuts lives while there are too many entries, a few at a time. Not within a group: what is cut could not be taken back.
   * Where even the least of each is too much, the number of mitigations alone bounds them.
   */
  settle(isLive: (id: string) => boolean): void {
    for (let looked = 0; this.#size > LIVES_SIZE && looked < CUT_AT_ONCE; looked++) {
      const next = this.#cursor.next();
      if (next.done === true) {
        this.#livesToo = this.#cut === 0 && !this.#livesToo;
        this.#cut = 0;
        this.#cursor = this.#lives.entries();
        continue;
      }
      const [id, life] = next.value;
      if (!this.#livesToo && isLive(id)) continue;
      const before = this.#size;
      this.#put(id, briefest(life));
      this.#cut += before - this.#size;
    }
  }

  #put(id: string, life: Life | undefined): void {
    const before = this.#lives.get(id);
    if (before !== undefined) this.#size -= sizeOf(before);
    if (life === undefined) this.#lives.delete(id);
    else {
      this.#lives.set(id, life);
      this.#size += sizeOf(life);
    }
  }
}
