/** The engine's dependencies and callbacks. */
import type { RecordedFact } from '../core/facts.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { StateView } from '../core/state/state.ts';
import type { Store } from '../store/store.ts';
import type { DeciderOptions } from './group.ts';
import type { TimerHost } from './types.ts';
import type { UnrecordedCommand } from './unrecorded.ts';

export interface EngineOptions extends DeciderOptions {
  readonly store: Store;
  readonly policy: Policy;
  /** Calls back once after the delay (ms) and returns a function that cancels it; default: the process's timer. */
  readonly after?: TimerHost['after'];
  /** A snapshot is written once this many facts have been appended since the last; 0 means never. */
  readonly snapshotEvery: number;
  /**
   * Called after the store is open and its snapshot is restored. The function it resolves to is called with each later
   * fact, before that fact is folded.
   */
  readonly onReplay?: (restored: StateView) => Promise<(fact: RecordedFact) => void>;
  /** Called with the number of facts replayed so far and the approximate total. */
  readonly onReplayed?: (facts: number, about: number) => void;
  /** Awaited before a snapshot is written, for readers that need the facts before it. Must not reject. */
  readonly beforeSnapshot?: () => Promise<void>;
  /** Called if a snapshot could not be written; the journal still holds everything. */
  readonly onSnapshotFailed?: (error: unknown) => void;
  /** Called with the time that the store took to make a group durable (ms). */
  readonly onAppended?: (facts: number, milliseconds: number) => void;
  /** Called if the store could not write; the callers of the commands get the error too. */
  readonly onAppendFailed?: (error: unknown) => void;
  /** Called when a write takes so long that nothing waits for it any longer. */
  readonly onStalled?: () => void;
  /** Called for each command that took effect but could not be recorded yet. */
  readonly onUnrecorded?: (action: UnrecordedCommand) => void;
  /**
   * Called if a follower threw, which none should: the facts remain valid, the other followers got them, and work
   * continues. Without it the error is raised as an uncaught one.
   */
  readonly onFollowerFailed?: (error: unknown) => void;
}

/** The default timer. Does not keep the process alive. */
export const processTimer: TimerHost['after'] = (milliseconds, callback) => {
  const timer = setTimeout(callback, milliseconds);
  timer.unref();
  return () => clearTimeout(timer);
};
