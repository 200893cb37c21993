/** A store that forgets when the process ends: for tests, and for trying out policies. */
import type { RecordedFact } from '../core/facts.ts';
import type { StateSnapshot } from '../core/state/state.ts';
import { type Recovery, type Store, StoreError } from './store.ts';

/** What is recovered at once; small enough that a reader is never held up. */
const SLICE = 1_000;

/** Keeps its facts over `close` and `open`, as a folder would. */
export class MemoryStore implements Store {
  #snapshot: StateSnapshot | null = null;
  #facts: RecordedFact[] = [];
  #lastSeq = 0;
  #state: 'closed' | 'recovering' | 'open' = 'closed';

  open(): Promise<Recovery> {
    if (this.#state !== 'closed') return Promise.reject(new StoreError('the store is open already'));
    this.#state = 'recovering';
    return Promise.resolve({
      snapshot: copyOf(this.#snapshot),
      facts: this.#recover(),
      about: this.#facts.length,
      warnings: [],
    });
  }

  append(facts: readonly RecordedFact[]): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(notOpen(this.#state));
    let expected = this.#lastSeq;
    for (const { seq } of facts) {
      if (seq !== ++expected)
        return Promise.reject(new StoreError(`fact ${seq} came where ${expected} was due`));
    }
    // Through JSON, as everything that is remembered must survive it.
    for (const fact of facts) this.#facts.push(copyOf(fact));
    this.#lastSeq = expected;
    return Promise.resolve();
  }

  snapshot(snapshot: StateSnapshot): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(notOpen(this.#state));
    if (snapshot.seq > this.#lastSeq) {
      return Promise.reject(
        new StoreError(`a snapshot of fact ${snapshot.seq}, when the last is ${this.#lastSeq}`),
      );
    }
    this.#snapshot = copyOf(snapshot);
    this.#facts = this.#facts.filter(({ seq }) => seq > snapshot.seq);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#state = 'closed';
    return Promise.resolve();
  }

  async *#recover(): AsyncGenerator<readonly RecordedFact[]> {
    const facts = this.#facts;
    for (let at = 0; at < facts.length; at += SLICE) yield facts.slice(at, at + SLICE);
    this.#state = 'open';
  }
}

function notOpen(state: 'closed' | 'recovering'): StoreError {
  return new StoreError(
    state === 'closed'
      ? 'the store is not open'
      : 'the facts of the store have not been read to their end yet; nothing can be written before',
  );
}

function copyOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
