/**
 * The state that facts add up to: maps, their indexes, and an undo log while a group is open. Every question of a
 * decision has an index, so that an event costs the same with ten or ten thousand active mitigations.
 */
import type { Prefix } from '../../net/prefix.ts';
import type { MatchKey } from '../decide/correlate.ts';
import type { Fact, RecordedFact } from '../facts.ts';
import type { EventRecord, IntentVersion, Mitigation, SafelistEntry } from '../types.ts';
import { Controls, isControlFact } from './controls.ts';
import { evolveMitigation, type MitigationFact } from './evolve.ts';
import { type ExpiryEntry, ExpiryHeap } from './expiry-heap.ts';
import { ImportMemory } from './imports.ts';
import { isActive, isLive, isRenewed, LiveIndexes, type UnicastKind, type UnicastScope } from './indices.ts';
import { isImported } from '../intent.ts';
import { type Life, lifeFromItself } from './life.ts';
import { Lives } from './lives.ts';
import { CREATION_MEMORY_MS, Creations, type RecentBan, RecentBans } from './recent.ts';
import { EndedMitigations, RememberedEvents } from './remembered-events.ts';
import {
  readSnapshot,
  type SnapshotData,
  type StateHandle,
  type StateSnapshot,
  type StateView,
} from './state-view.ts';

export { type MatchKey, matchKey, ruleKey, ruleKeys } from '../decide/correlate.ts';
export type { DecisionView, OperatorDecision, StateHandle, StateSnapshot, StateView } from './state-view.ts';

const NONE: ReadonlySet<string> = new Set();

/** The state before the first fact. */
export function initialState(): StateHandle {
  return new FoldedState();
}

/** Restores a snapshot's state. Throws TypeError when the snapshot is not of this schema. */
export function restoreState(snapshot: StateSnapshot): StateHandle {
  return FoldedState.restore(snapshot);
}

class FoldedState implements StateHandle {
  readonly mitigations = new Map<string, Mitigation>();
  readonly live = new Set<string>();
  #seq = 0;
  #lastAt = 0;

  readonly #controls = new Controls();
  readonly #ended = new EndedMitigations();
  readonly #events = new RememberedEvents();
  readonly #indexes = new LiveIndexes();
  readonly #expiries = new ExpiryHeap();
  readonly #bans = new RecentBans();
  readonly #creations = new Creations();
  readonly #lives = new Lives(this.#events);
  readonly imports = new ImportMemory();
  /** Undoes the open group's changes, last first; undefined when no group is open. */
  #undo: (() => void)[] | undefined;

  /** See restoreState. */
  static restore(snapshot: StateSnapshot): FoldedState {
    const data = readSnapshot(snapshot);
    const state = new FoldedState();
    for (const mitigation of data.mitigations) {
      if (isLive(mitigation)) state.#replace(undefined, mitigation);
      else state.mitigations.set(mitigation.id, mitigation);
    }
    for (const id of data.ended) state.#ended.add(id, state.mitigations.get(id));
    for (const event of data.events) state.#events.add(event);
    for (const one of data.imports ?? []) state.imports.add(one);
    for (const ban of data.bans) state.#bans.add(ban);
    for (const creation of data.creations) state.#creations.add(creation);
    state.#lives.restore(data.lives ?? []);
    state.#controls.restore(data);
    state.#lastAt = data.lastAt;
    state.#seq = snapshot.seq;
    return state;
  }

  get safelist(): ReadonlyMap<string, SafelistEntry> {
    return this.#controls.safelist.byPrefix;
  }

  get events(): ReadonlyMap<string, EventRecord> {
    return this.#events.byId;
  }

  get seq(): number {
    return this.#seq;
  }

  get lastAt(): number {
    return this.#lastAt;
  }

  get paused(): StateView['paused'] {
    return this.#controls.paused;
  }

  get disabledPeers(): StateView['disabledPeers'] {
    return this.#controls.disabledPeers;
  }

  get downScrubbers(): StateView['downScrubbers'] {
    return this.#controls.downScrubbers;
  }

  get earliestDue(): number | undefined {
    return this.#expiries.earliest(this.#stillDue)?.at;
  }

  get expiryBound(): number {
    return this.#expiries.bound;
  }

  lifeOf(id: string): Life | undefined {
    const mitigation = this.mitigations.get(id);
    return mitigation && (this.#lives.get(id) ?? lifeFromItself(mitigation));
  }

  withMatch(key: MatchKey): ReadonlySet<string> {
    return this.#indexes.byMatch.get(key) ?? NONE;
  }

  liveOfVictim(victim: string): ReadonlySet<string> {
    return this.#indexes.byVictim.get(victim) ?? NONE;
  }

  heldBy(key: string): ReadonlySet<string> {
    return this.#indexes.byHold.get(key) ?? NONE;
  }

  prefixLengths(family: 4 | 6): Iterable<number> {
    return this.#indexes.prefixLengths[family].keys();
  }

  dueBy(now: number, most = Number.POSITIVE_INFINITY): ReadonlySet<string> {
    return this.#expiries.upTo(now, this.#stillDue, most);
  }

  activeTotal(dryRun: boolean): number {
    return this.#indexes.counts.total(dryRun);
  }

  activeUnicast(kind: UnicastKind, scope: UnicastScope, name: string, dryRun: boolean): number {
    return this.#indexes.counts.ofUnicast(kind, scope, name, dryRun);
  }

  activeOfPop(pop: string, dryRun: boolean): number {
    return this.#indexes.counts.ofPop(pop, dryRun);
  }

  activeOfCustomer(customerId: string, dryRun: boolean): number {
    return this.#indexes.counts.ofCustomer(customerId, dryRun);
  }

  activeByCustomer(dryRun: boolean): ReadonlyMap<string, number> {
    return this.#indexes.counts.byCustomer(dryRun);
  }

  createdInMinute(now: number, dryRun: boolean): number {
    return this.#creations.countBetween(now - CREATION_MEMORY_MS, now, dryRun);
  }

  recentBan(source: string, externalId: string): RecentBan | undefined {
    return this.#bans.get(source, externalId);
  }

  reportedIn(block: string, vector: string): Iterable<EventRecord> {
    return this.#events.reportedIn(block, vector);
  }

  activeImported(dryRun: boolean): ReadonlyMap<string, number> {
    return this.#indexes.counts.imported(dryRun);
  }

  isTagRemoved(prefix: string, tag: IntentVersion): boolean {
    return this.#controls.safelist.isRemoved(prefix, tag);
  }

  safelisted(prefix: Prefix): SafelistEntry | undefined {
    return this.#controls.safelist.overlapping(prefix);
  }

  apply(recorded: RecordedFact): void {
    if (recorded.seq !== this.#seq + 1) {
      throw new RangeError(`fact ${recorded.seq} does not follow fact ${this.#seq}`);
    }
    const before = 'id' in recorded.fact ? this.mitigations.get(recorded.fact.id) : undefined;
    this.#fold(recorded.fact, recorded);
    this.#push(this.#lives.record(recorded, before));
    this.#push(this.imports.record(recorded.fact, recorded.at, before));
    const { seq, lastAt } = { seq: this.#seq, lastAt: this.#lastAt };
    this.#undo?.push(() => {
      this.#seq = seq;
      this.#lastAt = lastAt;
    });
    this.#seq = recorded.seq;
    this.#lastAt = recorded.at;
    this.#forget();
    if (this.#undo === undefined) this.#settle();
  }

  begin(): void {
    if (this.#undo !== undefined) throw new Error('a group is open already; groups do not nest');
    this.#undo = [];
  }

  commit(): void {
    if (this.#undo === undefined) throw new Error('no group is open');
    this.#undo = undefined;
    this.#settle();
  }

  rollback(): void {
    const undo = this.#undo;
    if (undo === undefined) throw new Error('no group is open');
    this.#undo = undefined;
    for (let i = undo.length - 1; i >= 0; i--) undo[i]?.();
    this.#restoreLiveOrder();
  }

  snapshot(): StateSnapshot {
    const data: SnapshotData = {
      lastAt: this.#lastAt,
      ...this.#controls.snapshot(),
      mitigations: [...this.mitigations.values()],
      ended: this.#ended.list(),
      events: [...this.#events.byId.values()],
      ...this.imports.snapshot(),
      bans: this.#bans.list(),
      creations: this.#creations.list(),
      lives: [...this.mitigations.keys()].flatMap((id) => this.#lives.get(id) ?? []),
    };
    return { schema: 1, seq: this.#seq, data };
  }

  #fold(fact: Fact, recorded: RecordedFact): void {
    if (isControlFact(fact)) {
      const undo = this.#controls.fold(fact, recorded.at, this.#undo !== undefined);
      if (undo !== undefined) this.#undo?.push(undo);
      return;
    }
    switch (fact.type) {
      case 'event.received':
        this.#addEvent(fact.event);
        return;
      case 'mitigation.created':
      case 'mitigation.rejected':
      case 'mitigation.imported':
        this.#create(fact.mitigation, recorded);
        return;
      case 'policy.loaded':
      case 'import.refused':
      case 'import.ended':
        return;
      default:
        this.#evolve(fact, recorded);
    }
  }

  #evolve(fact: MitigationFact, { seq, at }: RecordedFact): void {
    const before = this.mitigations.get(fact.id);
    if (before === undefined || !isLive(before)) {
      throw new Error(
        `fact ${seq} (${fact.type}) is about mitigation ${fact.id}, which is not live: facts before it are missing`,
      );
    }
    const after = evolveMitigation(before, fact, at);
    this.#replace(before, after);
    this.#push(() => this.#replace(after, before));
  }

  #create(mitigation: Mitigation, { seq }: RecordedFact): void {
    const before = this.mitigations.get(mitigation.id);
    if (before !== undefined && !isImported(mitigation)) {
      throw new Error(`fact ${seq} creates mitigation ${mitigation.id} a second time`);
    }
    if (before !== undefined && !isLive(before)) this.#dropEnded(before.id);
    const replaced = before !== undefined && isLive(before) ? before : undefined;
    this.#replace(replaced, mitigation);
    this.#push(() => this.#replace(mitigation, replaced));
    // Another POP's mitigations have limits of their own, so that all of them may return at once after an outage.
    if (!isLive(mitigation) || isImported(mitigation)) return;
    const creation = { at: mitigation.createdAt, dryRun: mitigation.dryRun };
    this.#creations.add(creation);
    this.#undo?.push(() => this.#creations.takeBack(creation));
  }

  /** Makes room for another POP's mitigation that begins again. Rare, so it may cost time. */
  #dropEnded(id: string): void {
    const before = [...this.mitigations];
    this.mitigations.delete(id);
    const undo = this.#ended.remove(id);
    this.#push(() => {
      undo();
      this.mitigations.clear();
      for (const [key, mitigation] of before) this.mitigations.set(key, mitigation);
    });
  }

  /** Keeps what undoes a change, while a group is open. */
  #push(undo: (() => void) | undefined): void {
    if (undo !== undefined) this.#undo?.push(undo);
  }

  #addEvent(event: EventRecord): void {
    this.#push(this.#events.add(event));
    const { externalId, source, action } = event.detection;
    if (externalId === null || action !== 'ban') return;
    const { id: eventId, receivedAt: at, mitigationId } = event;
    const ban = { source, externalId, at, eventId, mitigationId };
    const before = this.#bans.add(ban);
    this.#undo?.push(() => this.#bans.takeBack(ban, before));
  }

  /** Replaces a mitigation's version in every index. Its own inverse when the arguments are swapped. */
  #replace(before: Mitigation | undefined, after: Mitigation | undefined): void {
    const wasLive = before !== undefined && isLive(before);
    const willLive = after !== undefined && isLive(after);
    if (before !== undefined && wasLive) {
      this.#indexes.remove(before, willLive ? after : undefined);
      if (!willLive) this.live.delete(before.id);
    } else if (before !== undefined) {
      // Only undoing does this, last first.
      this.#ended.takeBack();
    }

    if (after === undefined) {
      if (before !== undefined) this.mitigations.delete(before.id);
      return;
    }
    this.mitigations.set(after.id, after);
    if (!willLive) {
      this.#ended.add(after.id, after);
      return;
    }
    this.#indexes.add(after, wasLive ? before : undefined);
    if (!wasLive) this.live.add(after.id);
    if (isActive(after)) {
      this.#expiries.push({ at: after.expiresAt, id: after.id });
      if (isRenewed(after)) this.#expiries.push({ at: after.renewAt, id: after.id });
    }
  }

  readonly #stillDue = ({ id, at }: ExpiryEntry): boolean => {
    const mitigation = this.mitigations.get(id);
    if (mitigation === undefined || !isActive(mitigation)) return false;
    return mitigation.expiresAt === at || mitigation.renewAt === at;
  };

  /**
   * Forgets what a fact makes too old or too many. After each one, although several may be in a group: a replay has no
   * groups and must forget the same, also when the clock was set back between two facts.
   */
  #forget(): void {
    const forgetful = [this.#bans, this.#creations, this.imports];
    const undo = forgetful.map((memory) => memory.forget(this.#lastAt));
    for (let gone = this.#ended.forget(); gone !== undefined; gone = this.#ended.forget()) {
      undo.push(gone.undo, this.#lives.forget(gone.id));
    }
    undo.push(this.#lives.cut(this.mitigations.keys(), this.live));
    for (const one of undo) this.#push(one);
  }

  /** Removes what is forgotten. Not within a group, because the order of the maps could not be restored. */
  #settle(): void {
    for (const id of this.#ended.settle()) this.mitigations.delete(id);
    this.#events.settle();
    this.#bans.settle();
    this.imports.settle();
    if (this.#expiries.size > 1024 && this.#expiries.size > 16 * this.live.size) {
      this.#expiries.compact(this.#stillDue);
    }
  }

  /** Restores the order of creation: a mitigation whose end was undone is live again, but last in the set. */
  #restoreLiveOrder(): void {
    this.live.clear();
    for (const mitigation of this.mitigations.values()) if (isLive(mitigation)) this.live.add(mitigation.id);
  }
}
