/** Defines the storage that the engine needs. The JSON-lines journal and the in-memory store implement it. */
import type { RecordedFact } from '../core/facts.ts';
import type { StateSnapshot } from '../core/state/state.ts';

/** The content of a store when it is opened: the newest snapshot, if any, and every fact after it, in order. */
export interface Recovery {
  readonly snapshot: StateSnapshot | undefined;
  /**
   * Slices of some thousand facts. Must be read once, to the end, before the store can be written. Rejects with a
   * StoreError that names file and line if a fact is damaged.
   */
  readonly facts: AsyncIterable<readonly RecordedFact[]>;
  /** Estimated number of these facts. */
  readonly about: number;
  /** Warnings for the operator, such as a torn last line that was dropped; complete once all facts have been read. */
  readonly warnings: readonly string[];
}

/** A failed operation. After a failed write, the facts of that call must not take effect; later calls may succeed. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/**
 * Stores facts durably and returns them after a restart. One writer; calls to `append` may overlap and keep their
 * order.
 */
export interface Store {
  /**
   * Takes ownership and starts the recovery. Rejects with StoreError if another process owns the store, or it is
   * damaged.
   */
  open(): Promise<Recovery>;
  /** Resolves when the facts are durable. Otherwise rejects with StoreError, and none of them is kept. */
  append(facts: readonly RecordedFact[]): Promise<void>;
  /**
   * Writes a snapshot of the state as of `snapshot.seq`, a durable fact, and rotates. Appends may continue meanwhile.
   */
  snapshot(snapshot: StateSnapshot): Promise<void>;
  /** Flushes and releases ownership, also after a failed recovery. May be called twice. */
  close(): Promise<void>;
}
