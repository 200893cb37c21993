/** What the engine needs of a memory. The JSON-lines journal is one, the in-memory store another; both pass the same tests. */
import type { RecordedFact } from '../core/facts.ts';
import type { StateSnapshot } from '../core/state/state.ts';

/** What a store holds when it is opened: the newest snapshot, if any, and every fact after it, in order. */
export interface Recovery {
  readonly snapshot: StateSnapshot | null;
  /**
   * In slices of some thousand; to be read once, to its end: only then can the store be written to. Rejects with
   * StoreError naming file and line where a fact is not as it was written.
   */
  readonly facts: AsyncIterable<readonly RecordedFact[]>;
  /** About how many these are. */
  readonly about: number;
  /** Things an operator should know, such as a torn last line that was dropped; complete once the facts have been read. */
  readonly warnings: readonly string[];
}

/** A failed write. The facts of that call are not durable and must not take effect; later calls may succeed. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** Appends facts and gives them back after a restart. One writer; calls to `append` may overlap and are kept in order. */
export interface Store {
  /** Takes ownership and looks at what is there. Rejects with StoreError when another process owns it, or when it is damaged. */
  open(): Promise<Recovery>;
  /** Resolves when the facts are durable; rejects with StoreError when they are not, and then none of them is kept. */
  append(facts: readonly RecordedFact[]): Promise<void>;
  /** Writes a snapshot of the state as of `snapshot.seq`, a durable fact, and rotates. Appends may go on meanwhile. */
  snapshot(snapshot: StateSnapshot): Promise<void>;
  /** Flushes and gives up ownership; also after a failed recovery. Doing it twice does no harm. */
  close(): Promise<void>;
}
