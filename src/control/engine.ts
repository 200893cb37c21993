/**
 * The single writer. Commands wait in one queue; each group of them is decided against the state that the ones before
 * left, written down with one fsync, and only then answered and shown to the followers. What cannot be written down is
 * taken back as if it had never been asked.
 */
import type { Answer, Command, Decision } from '../core/commands.ts';
import { decide } from '../core/decide.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { Room } from '../core/forecast.ts';
import type { Policy } from '../core/policy.ts';
import type { StateHandle, StateView } from '../core/state.ts';
import { initialState, restoreState } from '../core/state.ts';
import { Fifo } from '../net/fifo.ts';
import type { Recovery, Store } from '../store/store.ts';
import { StoreError } from '../store/store.ts';
import { GroupRoom } from './group-room.ts';
import { RecentFacts } from './recent-facts.ts';
import type { EngineView, FactFollower } from './types.ts';

/** How long a group may decide before it is written, so that hold timers are served in between (ms). */
const SLICE_MS = 8;

export interface EngineOptions {
  readonly store: Store;
  readonly policy: Policy;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** The time as detectors know it, where `clock` does not follow when it is set; by default the same. */
  readonly systemTime?: () => number;
  /** Milliseconds from any beginning, by which the length of a slice is measured; by default the process's own. */
  readonly stopwatch?: () => number;
  readonly newId: () => string;
  /** What the neighbors have room for; absent: not known. */
  readonly room?: Room;
  /** A snapshot is written once this many facts have been appended since the last; 0 means never. */
  readonly snapshotEvery: number;
  /**
   * Called when the store is open and its snapshot restored. What it resolves with is told of each fact that follows,
   * before that is folded.
   */
  readonly onReplay?: (restored: StateView) => Promise<(fact: RecordedFact) => void>;
  /** Awaited before a snapshot is written, by whoever needs the facts up to it to be replayed until then. Must not reject. */
  readonly beforeSnapshot?: () => Promise<void>;
  /** Told when a snapshot could not be written: the journal still holds everything. */
  readonly onSnapshotFailed?: (error: unknown) => void;
  /** Told how long the store took to make a group durable (ms). */
  readonly onAppended?: (facts: number, milliseconds: number) => void;
  /** Told when the store could not write; whoever asked is told, too. */
  readonly onAppendFailed?: (error: unknown) => void;
  /**
   * Told when a follower threw, which none should: the facts stand, the other followers have them, and work goes on.
   * Without it the error is raised as an uncaught one.
   */
  readonly onFollowerFailed?: (error: unknown) => void;
}

interface Job {
  readonly command: Command;
  /** Adopted before the command is decided. */
  readonly policy?: Policy;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Opens the store, folds what it holds, and returns the engine with the store's warnings. When it rejects, the store is closed again. */
export async function openEngine(
  options: EngineOptions,
): Promise<{ engine: Engine; warnings: readonly string[] }> {
  const recovery = await options.store.open();
  try {
    return { engine: await replay(options, recovery), warnings: recovery.warnings };
  } catch (error) {
    await options.store.close();
    throw error;
  }
}

async function replay(options: EngineOptions, recovery: Recovery): Promise<Engine> {
  const state = recovery.snapshot === null ? initialState() : restoreState(recovery.snapshot);
  const observe = await options.onReplay?.(state);
  const recent = new RecentFacts();
  let replayed = 0;
  for await (const facts of recovery.facts) {
    for (const fact of facts) {
      observe?.(fact);
      state.apply(fact);
    }
    recent.add(facts);
    replayed += facts.length;
  }
  return new Engine(options, state, recent, replayed);
}

export class Engine implements EngineView {
  readonly #options: EngineOptions;
  readonly #state: StateHandle;
  readonly #recent: RecentFacts;
  /** Told before the others. */
  readonly #actors = new Set<FactFollower>();
  readonly #followers = new Set<FactFollower>();
  readonly #between: (() => void)[] = [];
  #policy: Policy;
  readonly #queue = new Fifo<Job>();
  #pumping: Promise<void> | null = null;
  #snapshotting: Promise<void> | null = null;
  /** True while facts are folded that are not durable yet. */
  #unsettled = false;
  #sinceSnapshot: number;
  #closed = false;

  /** Use `openEngine`. `replayed` counts the facts after the newest snapshot, so that crashes do not put the next off for ever. */
  constructor(options: EngineOptions, state: StateHandle, recent: RecentFacts, replayed: number) {
    this.#options = options;
    this.#sinceSnapshot = replayed;
    this.#state = state;
    this.#recent = recent;
    this.#policy = options.policy;
  }

  get state(): StateView {
    return this.#state;
  }

  get policy(): Policy {
    return this.#policy;
  }

  submit(command: Command): Promise<Answer> {
    return this.#enqueue(command);
  }

  adopt(policy: Policy, command: Extract<Command, { type: 'policy-loaded' }>): Promise<Answer> {
    return this.#enqueue(command, policy);
  }

  /**
   * Followers that act on routers: told before those that only write down what happened, and what they put off to a
   * microtask is done before, too.
   */
  followFirst(follower: FactFollower): () => void {
    this.#actors.add(follower);
    return () => this.#actors.delete(follower);
  }

  follow(follower: FactFollower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  recent(after: number): readonly RecordedFact[] | undefined {
    return this.#recent.after(after, this.#state.seq);
  }

  /**
   * Runs `read` at once when everything folded is durable, else as soon as it is. What acts on routers reads the state
   * through here, so that nothing is announced which a failing disk takes back a moment later.
   */
  whenSettled(read: () => void): void {
    if (this.#unsettled) this.#between.push(read);
    else read();
  }

  /** Answers what waits, writes a snapshot when there is something new, and closes the store. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pumping;
    await this.#snapshotting;
    if (this.#sinceSnapshot > 0 && this.#options.snapshotEvery > 0) this.#startSnapshot();
    await this.#snapshotting;
    await this.#options.store.close();
  }

  #enqueue(command: Command, policy?: Policy): Promise<Answer> {
    if (this.#closed) {
      return Promise.reject(new StoreError('the daemon is stopping and takes no more commands'));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ command, resolve, reject, ...(policy === undefined ? {} : { policy }) });
      this.#pumping ??= this.#pump();
    });
  }

  async #pump(): Promise<void> {
    // One turn of the event loop later, requests that arrived together are in one group and share one fsync.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#queue.size > 0) {
      await this.#group();
      if (this.#options.snapshotEvery > 0 && this.#sinceSnapshot >= this.#options.snapshotEvery) {
        this.#startSnapshot();
      }
    }
    this.#pumping = null;
  }

  /** Decides as many waiting commands as fit into a slice, makes them durable together, answers them. */
  async #group(): Promise<void> {
    const facts: RecordedFact[] = [];
    const answered: { readonly job: Job; readonly answer: Answer }[] = [];
    const policyBefore = this.#policy;
    this.#unsettled = true;
    this.#state.begin();
    try {
      this.#decideSlice(facts, answered);
      if (facts.length > 0) {
        const from = performance.now();
        await this.#options.store.append(facts);
        this.#options.onAppended?.(facts.length, performance.now() - from);
      }
      this.#state.commit();
    } catch (error) {
      this.#state.rollback();
      this.#policy = policyBefore;
      this.#settle();
      this.#options.onAppendFailed?.(error);
      for (const { job } of answered) job.reject(error);
      return;
    }
    this.#sinceSnapshot += facts.length;
    this.#recent.add(facts);
    this.#settle();
    if (facts.length > 0) {
      this.#tell(this.#actors, facts);
      // Speakers write what they were told in a microtask: the rules are on their way before anything is narrated.
      await Promise.resolve();
      this.#tell(this.#followers, facts);
    }
    for (const { job, answer } of answered) job.resolve(answer);
  }

  #tell(followers: Iterable<FactFollower>, facts: readonly RecordedFact[]): void {
    for (const follower of [...followers]) {
      try {
        follower(facts);
      } catch (error) {
        const told = this.#options.onFollowerFailed;
        if (told !== undefined) told(error);
        else
          queueMicrotask(() => {
            throw error;
          });
      }
    }
  }

  #decideSlice(facts: RecordedFact[], answered: { readonly job: Job; readonly answer: Answer }[]): void {
    const { clock, systemTime = clock, newId, room: base } = this.#options;
    const now = clock();
    // In dry-run nothing takes room on a neighbor.
    const known = base !== undefined && this.#policy.mode === 'enforced';
    const room = known ? new GroupRoom(base) : undefined;
    const context = {
      now,
      systemTime: systemTime(),
      newId,
      ...(room === undefined ? {} : { room: room.room }),
    };
    const { stopwatch = () => performance.now() } = this.#options;
    const until = stopwatch() + SLICE_MS;
    do {
      // It leaves the queue whatever comes of it: asked again, what failed would fail again, and nobody would get another turn.
      const job = this.#queue.shift();
      if (job === undefined) break;
      const policyBefore = this.#policy;
      if (job.policy !== undefined) this.#policy = job.policy;
      let decision: Decision;
      try {
        decision = decide(this.#state, job.command, { ...context, policy: this.#policy });
      } catch (error) {
        // A defect of the core concerns the command that met it, not the ones that happened to wait beside it.
        this.#policy = policyBefore;
        job.reject(error);
        continue;
      }
      // A policy that was only asked about is not adopted.
      if (decision.answer.type === 'needs-confirmation') this.#policy = policyBefore;
      answered.push({ job, answer: decision.answer });
      for (const fact of decision.facts) {
        const recorded: RecordedFact = { seq: this.#state.seq + 1, at: now, fact };
        facts.push(recorded);
        this.#state.apply(recorded);
        room?.note(fact, this.#policy);
      }
    } while (stopwatch() <= until);
  }

  #settle(): void {
    this.#unsettled = false;
    for (const read of this.#between.splice(0)) read();
  }

  /** Events go on while a snapshot is written: it is taken at once, and the store keeps it apart from what is appended. */
  #startSnapshot(): void {
    if (this.#snapshotting !== null) return;
    this.#sinceSnapshot = 0;
    const snapshot = this.#state.snapshot();
    this.#snapshotting = Promise.resolve(this.#options.beforeSnapshot?.())
      .then(() => this.#options.store.snapshot(snapshot))
      .catch((error: unknown) => this.#options.onSnapshotFailed?.(error))
      .finally(() => {
        this.#snapshotting = null;
      });
  }
}
