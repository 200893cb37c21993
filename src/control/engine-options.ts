/** What the engine is made of and whom it tells. */
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
  /** A timer: calls back once after the delay (ms), and returns what cancels it; by default the process's own. */
  readonly after?: TimerHost['after'];
  /** A snapshot is written once this many facts have been appended since the last; 0 means never. */
  readonly snapshotEvery: number;
  /**
   * Called when the store is open and its snapshot restored. What it resolves with is told of each fact that follows,
   * before that is folded.
   */
  readonly onReplay?: (restored: StateView) => Promise<(fact: RecordedFact) => void>;
  /** Told how many facts are replayed so far, of about how many. */
  readonly onReplayed?: (facts: number, about: number) => void;
  /** Awaited before a snapshot is written, by whoever needs the facts up to it to be replayed until then. Must not reject. */
  readonly beforeSnapshot?: () => Promise<void>;
  /** Told when a snapshot could not be written: the journal still holds everything. */
  readonly onSnapshotFailed?: (error: unknown) => void;
  /** Told how long the store took to make a group durable (ms). */
  readonly onAppended?: (facts: number, milliseconds: number) => void;
  /** Told when the store could not write; whoever asked is told, too. */
  readonly onAppendFailed?: (error: unknown) => void;
  /** Told when a write takes so long that nothing waits for it any longer. */
  readonly onStalled?: () => void;
  /** Told of each command that took effect and could not be recorded yet. */
  readonly onUnrecorded?: (action: UnrecordedCommand) => void;
  /**
   * Told when a follower threw, which none should: the facts stand, the other followers have them, and work goes on.
   * Without it the error is raised as an uncaught one.
   */
  readonly onFollowerFailed?: (error: unknown) => void;
}

/** The timer that is used unless one is given. Does not keep the process alive. */
export const processTimer: TimerHost['after'] = (milliseconds, callback) => {
  const timer = setTimeout(callback, milliseconds);
  timer.unref();
  return () => clearTimeout(timer);
};
