/**
 * Orders the appends of a store: checks and encodes facts, collects overlapping appends into groups, and has one group
 * written at a time. A group that fails rejects the appends behind it, too, and the next append continues after the last
 * durable fact.
 */
import type { RecordedFact } from '../core/facts.ts';
import { storeError } from './files.ts';
import { encodeRecord } from './journal/record.ts';
import { StoreError } from './store.ts';

/** A group that has become durable. */
export interface Sync {
  readonly facts: number;
  readonly octets: number;
  /** Duration of the durable write. */
  readonly milliseconds: number;
}

/** Facts that become durable together, or not at all. */
export interface AppendGroup {
  /** Sequence number of the first one. */
  readonly first: number;
  readonly count: number;
  /** A line of the journal for each, with its line feed. */
  readonly lines: string;
}

interface WaitingAppend {
  readonly lines: string;
  readonly facts: number;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

export interface AppendQueueOptions {
  /** Names the store in errors: `the journal in /var/lib/prefixd`. */
  readonly store: string;
  /** Makes a group durable; when it rejects, none of the group's facts may be kept. */
  readonly write: (group: AppendGroup) => Promise<Sync>;
  /** Called for each durable group. Must not throw. */
  readonly onSync?: ((sync: Sync) => void) | undefined;
}

/** Most bytes in one group, so that a huge group does not delay those behind it. */
const GROUP_OCTETS = 10_000_000;

export class AppendQueue {
  readonly #options: AppendQueueOptions;
  /** Sequence numbers of the last durable fact, and of the last accepted one (durable or waiting). */
  #durableSeq = 0;
  #acceptedSeq = 0;
  #waiting: WaitingAppend[] = [];
  #writing: Promise<void> | undefined;

  constructor(options: AppendQueueOptions) {
    this.#options = options;
  }

  /** Sequence number of the last durable fact. */
  get durableSeq(): number {
    return this.#durableSeq;
  }

  /** Continues after this fact, the last durable one. */
  continueAfter(seq: number): void {
    this.#durableSeq = seq;
    this.#acceptedSeq = seq;
  }

  /** Accepts facts, which must follow the accepted ones. Resolves when they are durable; see Store. */
  append(facts: readonly RecordedFact[]): Promise<void> {
    if (facts.length === 0) return Promise.resolve();
    let expected = this.#acceptedSeq;
    let lines = '';
    for (const fact of facts) {
      if (fact.seq !== ++expected) {
        const wrong = `got fact ${fact.seq}, but expected fact ${expected}; did the previous append fail?`;
        return Promise.reject(new StoreError(wrong));
      }
      try {
        lines += encodeRecord(fact);
      } catch (error) {
        return Promise.reject(storeError(`encode fact ${fact.seq} for`, this.#options.store, error));
      }
    }
    this.#acceptedSeq = expected;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines, facts: facts.length, resolve, reject });
      // Deferred, so that all appends of this turn of the event loop share one group.
      this.#writing ??= Promise.resolve().then(() => this.#writeWaiting());
    });
  }

  /** Resolves when every accepted fact is durable or rejected. */
  async drained(): Promise<void> {
    await this.#writing;
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      const count = group.reduce((sum, waiting) => sum + waiting.facts, 0);
      const lines = group.map((waiting) => waiting.lines).join('');
      try {
        const sync = await this.#options.write({ first: this.#durableSeq + 1, count, lines });
        this.#durableSeq += count;
        for (const { resolve } of group) resolve();
        this.#options.onSync?.(sync);
      } catch (error) {
        // Later appends depend on the failed facts, so reject them, too.
        const refused = [...group, ...this.#waiting];
        this.#waiting = [];
        this.#acceptedSeq = this.#durableSeq;
        for (const { reject } of refused) reject(storeError('write', this.#options.store, error));
      }
    }
    this.#writing = undefined;
  }

  #nextGroup(): readonly WaitingAppend[] {
    let octets = 0;
    let count = 0;
    for (const { lines } of this.#waiting) {
      if (count > 0 && octets + lines.length > GROUP_OCTETS) break;
      octets += lines.length;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}
