/**
 * The single writer. Commands wait in one queue. Each group of them is decided against the state after the groups
 * before, recorded with one fsync, and only then answered and shown to the followers. A group that cannot be recorded is
 * taken back as if it had never been sent, but commands that take rules away take effect at once (unrecorded.ts).
 *
 *             a group            2 s later
 *    ready ────────────▶ writing ───────────▶ stalled
 *     ▲ ▲ ▲    durable   │     │              │   │
 *     │ │ └──────────────┘     │ failed       │   │
 *     │ │                      ▼              │   │
 *     │ └─────────────── failing ◀────────────┘   │
 *     │      1 s later            failed          │
 *     └───────────────────────────────────────────┘
 *                        durable
 *
 * - writing: the group is folded into the state, commands queue, and readers that act on routers wait.
 * - stalled: the write has not returned. The state is the durable one again, without the group, so that rules expire.
 *   Commands that take rules away take effect unrecorded; everything else is refused.
 * - failing: like stalled, but no write is in progress. After a failed write that leaves nothing unrecorded the engine is
 *   ready at once: the next command finds out whether the disk works.
 */
import type { Answer, Command } from '../core/commands.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { StateHandle, StateView } from '../core/state/state.ts';
import { isWithdrawing, type WithdrawingCommand } from '../core/commands.ts';
import { Fifo } from '../net/queue.ts';
import { StoreError } from '../store/store.ts';
import { type EngineOptions, processTimer } from './engine-options.ts';
import { Decider, Group, type Job } from './group.ts';
import type { RecentFacts } from './recent-facts.ts';
import {
  isRepeatable,
  MAX_WAITING,
  RETRY_MS,
  STALLED_AFTER_MS,
  stalledRefusal,
  tooManyUnrecorded,
  tooManyWaiting,
  unknownOutcome,
} from './refusals.ts';
import type { EngineView, FactActor, FactFollower, Recording, TimerHost } from './types.ts';
import { type UnrecordedCommand, type ContextAt, Unrecorded } from './unrecorded.ts';

export class Engine implements EngineView {
  readonly #options: EngineOptions;
  readonly #state: StateHandle;
  readonly #decider: Decider;
  readonly #contextNow: ContextAt;
  readonly #after: TimerHost['after'];
  readonly #recent: RecentFacts;
  readonly #actors = new Set<FactActor>();
  readonly #followers = new Set<FactFollower>();
  readonly #between: (() => void)[] = [];
  readonly #queue = new Fifo<Job>();
  readonly #unrecorded: Unrecorded;
  #policy: Policy;
  #phase: Recording['phase'] = 'ready';
  /** Start of the current write (ms since the epoch). */
  #writingSince: number | undefined;
  /** The error of the last write. */
  #lastFailure: unknown;
  #cancelRetry: () => void = () => undefined;
  #pumping: Promise<void> | undefined;
  #snapshotting: Promise<void> | undefined;
  #snapshottingSince: number | undefined;
  /** True while folded facts are not durable yet. */
  #unsettled = false;
  #sinceSnapshot: number;
  #closed = false;

  /**
   * Use `openEngine`. `replayed` counts the facts after the newest snapshot, so that repeated crashes do not postpone
   * the next one forever.
   */
  constructor(options: EngineOptions, state: StateHandle, recent: RecentFacts, replayed: number) {
    this.#options = options;
    this.#sinceSnapshot = replayed;
    this.#state = state;
    this.#decider = new Decider(options, state);
    this.#contextNow = (now) => this.#decider.context(now, this.#policy);
    this.#after = options.after ?? processTimer;
    this.#unrecorded = new Unrecorded(state);
    this.#recent = recent;
    this.#policy = options.policy;
  }

  get state(): StateView {
    return this.#state;
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** Returns the state of recording. */
  get recording(): Recording {
    const { actions } = this.#unrecorded;
    return {
      phase: this.#phase,
      writingSince: this.#writingSince,
      snapshottingSince: this.#snapshottingSince,
      unrecorded: actions.length,
      unrecordedSince: actions[0]?.at,
    };
  }

  /** Returns the actions in effect that are not in the journal, oldest first. */
  get unrecorded(): readonly UnrecordedCommand[] {
    return this.#unrecorded.actions;
  }

  submit(command: Command): Promise<Answer> {
    return this.#enqueue(command);
  }

  adopt(policy: Policy, command: Extract<Command, { type: 'policy-loaded' }>): Promise<Answer> {
    return this.#enqueue(command, policy);
  }

  followFirst(actor: FactActor): () => void {
    this.#actors.add(actor);
    return () => this.#actors.delete(actor);
  }

  follow(follower: FactFollower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  recent(after: number): readonly RecordedFact[] | undefined {
    return this.#recent.after(after, this.#state.seq);
  }

  /**
   * Runs `read` as soon as every folded fact is durable or takes rules away, at the latest when the write has stalled.
   * Readers that act on routers use it, so that nothing is announced that a failing disk takes back a moment later.
   */
  whenSettled(read: () => void): void {
    if (this.#unsettled) this.#between.push(read);
    else read();
  }

  /** Tries again, at once, to record the actions in effect. Resolves to the number that is still unrecorded. */
  async recordAll(): Promise<number> {
    this.#retry();
    await this.#pumping;
    return this.#unrecorded.actions.length;
  }

  /** Answers the waiting commands, writes a snapshot if there are new facts, and closes the store. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.recordAll();
    await this.#snapshotting;
    if (this.#sinceSnapshot > 0 && this.#options.snapshotEvery > 0) this.#startSnapshot();
    await this.#snapshotting;
    await this.#options.store.close();
  }

  #enqueue(command: Command, policy?: Policy): Promise<Answer> {
    if (this.#closed) {
      return Promise.reject(new StoreError('the daemon is shutting down and accepts no more commands'));
    }
    return new Promise((resolve, reject) => {
      const job: Job = { command, resolve, reject, ...(policy === undefined ? {} : { policy }) };
      if (this.#phase === 'stalled' || this.#phase === 'failing') this.#withoutJournal(job);
      else if (this.#queue.size >= MAX_WAITING) reject(tooManyWaiting());
      else {
        this.#queue.push(job);
        this.#pumping ??= this.#pump();
      }
    });
  }

  async #pump(): Promise<void> {
    // Requests of one turn of the event loop form one group and share one fsync.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#phase !== 'failing' && (this.#queue.size > 0 || this.#unrecorded.actions.length > 0)) {
      await this.#write();
      if (this.#options.snapshotEvery > 0 && this.#sinceSnapshot >= this.#options.snapshotEvery) {
        this.#startSnapshot();
      }
    }
    this.#pumping = undefined;
  }

  /**
   * Decides the unrecorded actions and as many waiting commands as fit into a slice, makes them durable together,
   * answers them.
   */
  async #write(): Promise<void> {
    this.#unrecorded.lift();
    const group = new Group(this.#policy);
    const head = this.#queue.oldest;
    const prepared =
      head?.command.type === 'policy-loaded' && this.#unrecorded.actions.length === 0
        ? await this.#decider.prepare(head.command, head.policy ?? this.#policy)
        : undefined;
    this.#unsettled = true;
    this.#state.begin();
    let cancel = (): void => undefined;
    try {
      this.#decider.fill(group, this.#unrecorded.actions, this.#queue, prepared);
      if (group.facts.length > 0) {
        const from = performance.now();
        this.#phase = 'writing';
        this.#writingSince = this.#options.clock();
        cancel = this.#after(STALLED_AFTER_MS, () => this.#stall(group));
        await this.#options.store.append(group.facts);
        this.#options.onAppended?.(group.facts.length, performance.now() - from);
      }
    } catch (error) {
      cancel();
      this.#failed(group, error);
      return;
    }
    cancel();
    await this.#landed(group);
  }

  /** Completes a durable group. */
  async #landed(group: Group): Promise<void> {
    const { facts } = group;
    if (group.isStalled) {
      this.#unrecorded.lift();
      for (const fact of facts) this.#state.apply(fact);
    } else {
      this.#state.commit();
    }
    this.#policy = group.policy;
    this.#unrecorded.drop(group.actions);
    this.#phase = 'ready';
    this.#writingSince = undefined;
    this.#sinceSnapshot += facts.length;
    this.#recent.add(facts);
    // Actions taken meanwhile also apply to what the group added.
    const taken = this.#unrecorded.lay(this.#contextNow);
    // Those who act on routers learn of a new policy before readers that waited for it.
    const acted = facts.length > 0 ? this.#act([...facts, ...taken]) : undefined;
    this.#settle();
    await acted;
    if (facts.length > 0) this.#tell(facts);
    for (const { job, answer } of group.decided) job.resolve(answer);
  }

  /** Takes back a group that is not durable; commands that take rules away take effect despite that. */
  #failed(group: Group, error: unknown): void {
    if (!group.isStalled) {
      this.#state.rollback();
      this.#unrecorded.lay(this.#contextNow);
    }
    this.#lastFailure = error;
    this.#writingSince = undefined;
    // Set now, so that later commands see it.
    this.#phase = 'failing';
    for (const { job } of group.decided) this.#withoutJournal(job);
    if (this.#unrecorded.actions.length > 0) {
      this.#relieveQueue();
      this.#retryLater();
    } else {
      this.#phase = 'ready';
    }
    this.#settle();
    this.#options.onAppendFailed?.(error);
  }

  /** Returns to the durable state, so that rules expire and commands are answered without waiting. */
  #stall(group: Group): void {
    group.isStalled = true;
    this.#phase = 'stalled';
    this.#state.rollback();
    this.#unrecorded.lay(this.#contextNow);
    group.decided = group.decided.filter(({ job }) => {
      if (isWithdrawing(job.command)) {
        const action = this.#withdraw(job, job.command);
        // It is in the stalled write and needs no other one if that becomes durable.
        if (action !== undefined) group.actions.add(action);
      } else if (isRepeatable(job.command)) job.reject(unknownOutcome());
      else return true;
      return false;
    });
    this.#relieveQueue();
    this.#settle();
    this.#options.onStalled?.();
  }

  /** Refuses a command or lets it take effect unrecorded while the journal cannot be written. */
  #withoutJournal(job: Job): void {
    if (isWithdrawing(job.command)) this.#withdraw(job, job.command);
    else job.reject(this.#phase === 'stalled' ? stalledRefusal() : this.#lastFailure);
  }

  #relieveQueue(): void {
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift())
      this.#withoutJournal(job);
  }

  /** Lets a command that takes rules away take effect, and answers it. Returns the action if it must be recorded. */
  #withdraw({ resolve, reject }: Job, command: WithdrawingCommand): UnrecordedCommand | undefined {
    if (!this.#unrecorded.hasRoomFor(command)) {
      reject(tooManyUnrecorded());
      return undefined;
    }
    const action: UnrecordedCommand = { command, at: this.#options.clock() };
    try {
      const isPending = this.#phase === 'stalled';
      const { answer, facts, kept } = this.#unrecorded.act(action, this.#contextNow, isPending);
      if (kept) this.#options.onUnrecorded?.(action);
      void this.#act(facts).then(() => resolve(answer));
      return kept ? action : undefined;
    } catch (error) {
      reject(error);
      return undefined;
    }
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#cancelRetry();
    this.#cancelRetry = this.#after(RETRY_MS, () => this.#retry());
  }

  #retry(): void {
    this.#cancelRetry();
    if (this.#phase === 'failing') this.#phase = 'ready';
    if (this.#unrecorded.actions.length > 0) this.#pumping ??= this.#pump();
  }

  /** Lets those who act on routers act; resolves when all of them have. Never rejects. */
  async #act(facts: readonly RecordedFact[]): Promise<void> {
    if (facts.length === 0) return;
    const acting = [...this.#actors].map(async (actor) => actor(facts));
    for (const acted of await Promise.allSettled(acting)) {
      if (acted.status === 'rejected') this.#followerFailed(acted.reason);
    }
  }

  #tell(facts: readonly RecordedFact[]): void {
    for (const follower of [...this.#followers]) {
      try {
        follower(facts);
      } catch (error) {
        this.#followerFailed(error);
      }
    }
  }

  #followerFailed(error: unknown): void {
    const told = this.#options.onFollowerFailed;
    if (told !== undefined) told(error);
    else
      queueMicrotask(() => {
        throw error;
      });
  }

  #settle(): void {
    this.#unsettled = false;
    for (const read of this.#between.splice(0)) read();
  }

  /**
   * Starts a snapshot while commands continue: the state is captured at once, and the store keeps it apart from
   * appended facts.
   */
  #startSnapshot(): void {
    // A snapshot must contain only durable facts.
    if (this.#snapshotting !== undefined || this.#unrecorded.actions.length > 0) return;
    this.#sinceSnapshot = 0;
    this.#snapshottingSince = this.#options.clock();
    const snapshot = this.#state.snapshot();
    this.#snapshotting = Promise.resolve(this.#options.beforeSnapshot?.())
      .then(() => this.#options.store.snapshot(snapshot))
      .catch((error: unknown) => this.#options.onSnapshotFailed?.(error))
      .finally(() => {
        this.#snapshotting = undefined;
        this.#snapshottingSince = undefined;
      });
  }
}
