/** Keeps facts in memory only: for tests, and for trying out policies. */
import type { RecordedFact } from '../core/facts.ts';
import type { StateSnapshot } from '../core/state/state.ts';
import { type Recovery, type Store, StoreError } from './store.ts';

/** Facts in one slice of a recovery. */
const SLICE = 1_000;

/** Keeps its facts across `close` and `open`, as a folder does. */
export class MemoryStore implements Store {
  #snapshot: StateSnapshot | undefined;
  #facts: RecordedFact[] = [];
  #lastSeq = 0;
  #state: 'closed' | 'recovering' | 'open' = 'closed';

  open(): Promise<Recovery> {
    if (this.#state !== 'closed') return Promise.reject(new StoreError('the store is already open'));
    this.#state = 'recovering';
    return Promise.resolve({
      snapshot: this.#snapshot && copyOf(this.#snapshot),
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
        return Promise.reject(new StoreError(`got fact ${seq}, but expected fact ${expected}`));
    }
    // Copied through JSON, because every fact must survive it.
    for (const fact of facts) this.#facts.push(copyOf(fact));
    this.#lastSeq = expected;
    return Promise.resolve();
  }

  snapshot(snapshot: StateSnapshot): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(notOpen(this.#state));
    if (snapshot.seq > this.#lastSeq) {
      return Promise.reject(
        new StoreError(`cannot write a snapshot of fact ${snapshot.seq}: the last fact is ${this.#lastSeq}`),
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
      : 'the store cannot be written until all its facts have been read',
  );
}

function copyOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
