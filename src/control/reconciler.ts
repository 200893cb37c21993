/**
 * The reconciler keeps every session's rules in line with the decisions. Only it tells a speaker to announce or
 * withdraw. A change handles the keys it touched, a new session all of its keys, the timer everything; all three use
 * the same `desired` and `plan`.
 */
import type { AdjRibOutView } from '../bgp/rib/adj-rib-out.ts';
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { MatchKey } from '../core/state/state.ts';
import type { Announcer } from './announcer.ts';
import type { DesiredRule } from './desired.ts';
import { desired } from './desired.ts';
import { PendingWithdrawals } from './pending-withdrawals.ts';
import type { Engine } from './engine.ts';
import { Neighbors } from './neighbors.ts';
import { EgressCheck } from './egress-check.ts';
import type { NeighborSync } from './neighbors.ts';
import { carries, leave } from './neighbors.ts';
import type { PlacedRule } from './wanted-routes.ts';
import { plan } from './desired.ts';
import type { NeighborPolicy } from './render-rule.ts';
import { safeRender } from './render-rule.ts';
import { type Occasion, FullRuns } from './schedule.ts';
import { Schedule } from './schedule.ts';
import { heldBackWords, type Lack, lackingIn, unnegotiatedWords } from './shortfall.ts';
import { RoutesByOwner } from './pending-withdrawals.ts';
import { ChangedMatches } from './changed-matches.ts';
import type { Log, TimerHost } from './types.ts';

/** Limit of keys handled in one turn of the event loop, so that hold timers are served between turns. */
const SLICE = 500;
/** The same limit for keys that are only looked up. */
const LOOK_SLICE = 5000;
/**
 * Limit of routes given to a new session in one turn: about as many as the session writes in one, so that most messages
 * are full. Fewer if the time is over: the egress check of new routes takes longer.
 */
const FILL_SLICE = 4000;
const FILL_MS = 8;

export interface ReconcilerOptions {
  readonly engine: Engine;
  readonly announcer: Announcer;
  readonly neighbors: readonly NeighborPolicy[];
  readonly clock: () => number;
  readonly timers: TimerHost;
  /** Milliseconds between full runs. */
  readonly intervalMs: number;
  /** Log for operators; never throws. */
  readonly log: Log;
  /** Called after each full run. Must not throw. */
  readonly onCompared?: () => void;
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #gate: EgressCheck;
  readonly #standing = new RoutesByOwner();
  readonly #fleet: Neighbors;
  readonly #touched = new ChangedMatches();
  readonly #rounds: FullRuns;
  readonly #endings: PendingWithdrawals;
  readonly #schedule: Schedule;
  readonly #cancel: (() => void)[] = [];
  #stopped = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const { engine, clock, timers, intervalMs, log } = options;
    this.#rounds = new FullRuns(() => this.#runFull(), clock);
    this.#endings = new PendingWithdrawals(engine, this.#standing, timers, log);
    this.#schedule = new Schedule({
      engine,
      clock,
      timers,
      intervalMs,
      log,
      onInterval: () => this.full('check'),
      onExpiryUnrecorded: () => this.full(),
    });
    this.#gate = new EgressCheck(engine.policy, engine.state, (route, why) => this.#refused(route, why));
    this.#fleet = new Neighbors(options.neighbors);
  }

  get stats() {
    return { ...this.#rounds.stats, egressRefusals: this.#gate.refusals };
  }

  /** Fills the tables from the state and follows it from now on. Start the announcer afterwards. */
  async start(): Promise<void> {
    const { engine, announcer } = this.#options;
    this.#cancel.push(engine.followFirst((facts) => this.#onFacts(facts)));
    this.#cancel.push(
      announcer.subscribe({
        onEstablished: (peer) => this.#onEstablished(peer),
        onDown: (peer) => this.#onDown(peer),
        onSent: (peer, announced, withdrawn) => this.#standing.sent(peer, announced, withdrawn),
        onAcknowledged: (peer, announced, withdrawn) => this.#onAcknowledged(peer, announced, withdrawn),
      }),
    );
    for (const id of engine.state.live) {
      if (engine.state.mitigations.get(id)?.ending) this.#endings.add(id);
    }
    await this.#schedule.expire();
    await this.full();
    this.#endings.checkSoon();
    this.#schedule.start();
  }

  /** Stops following; routers keep their rules. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancel.splice(0)) cancel();
    this.#schedule.stop();
    this.#endings.stop();
    await this.#rounds.finished();
  }

  /** Compares everything; see `FullRuns`. */
  full(occasion: Occasion = 'change'): Promise<void> {
    return this.#rounds.start(occasion);
  }

  /**
   * Stops tracking every neighbor not in the list. Call it before the announcer removes them: the announcer then closes
   * their sessions and withdraws their routes, and no longer knows their names.
   */
  keepOnly(names: Iterable<string>): void {
    this.#fleet.keepOnly(names);
  }

  /**
   * Adopts another list of neighbors; those whose policy is the same keep their tables. Call it after the announcer has
   * adopted the list, so that it knows every session.
   */
  async setNeighbors(policies: readonly NeighborPolicy[]): Promise<void> {
    const { fresh, gone } = this.#fleet.adopt(policies);
    for (const name of gone) this.#standing.forget(name);
    await this.full();
    for (const neighbor of fresh) {
      const { name } = neighbor.policy;
      if (this.#fleet.get(name) !== neighbor || neighbor.families.length > 0) continue;
      // Its session may have been established before, or kept.
      if (this.#options.announcer.isEstablished(name)) this.#onEstablished(name);
    }
  }

  /** Returns the neighbors and their tables, for display. */
  get fleet(): Neighbors {
    return this.#fleet;
  }

  get standing(): RoutesByOwner {
    return this.#standing;
  }

  /** Returns what each enabled neighbor lacks of the active mitigations. The cost is proportional to the result. */
  lacking(): readonly Lack[] {
    const peers = this.#options.announcer.peers();
    const enabled = new Set(peers.flatMap((peer) => (peer.enabled ? [peer.name] : [])));
    return [...lackingIn(this.#fleet, this.#gate)].filter(({ neighbor }) => enabled.has(neighbor));
  }

  /** Returns why a neighbor does not have a route of its table: the egress check or the session's families. */
  whyHeldBack(peer: string, route: OutRoute): string | null {
    const neighbor = this.#fleet.get(peer);
    if (neighbor === undefined) return null;
    const why = this.#gate.verdict(route);
    if (why !== null) return heldBackWords(why);
    return neighbor.families.length > 0 && !carries(neighbor, route) ? unnegotiatedWords(route) : null;
  }

  #onFacts(facts: readonly RecordedFact[]): void {
    const { engine } = this.#options;
    const { keys, extended, ending, ended, guardChanged } = this.#touched.by(facts, engine.state);
    for (const id of ending) this.#endings.add(id);
    for (const id of ended) this.#endings.delete(id);
    if (guardChanged) {
      this.#gate.refresh(engine.policy, engine.state);
      void this.full();
    }
    for (const id of extended) {
      const key = this.#touched.matchOf(id, engine.state);
      if (key !== undefined && !this.#fleet.isClaimedEverywhere(key, id)) keys.add(key);
    }
    if (keys.size > 0) this.#bring(keys);
    else if (extended.size === 0) return;
    this.#schedule.armExpiry();
    this.#endings.checkSoon();
  }

  /**
   * Applies `desired` and `plan` for these keys to every neighbor. Each neighbor gets all of them at once, so that a
   * replacing rule is announced before the old one is withdrawn. Returns the number of changed routes.
   */
  #bring(keys: Iterable<MatchKey>): number {
    const wanted = desired(this.#options.engine.state, keys, this.#options.clock());
    const voices = new Map<string, PlacedRule>();
    let changes = 0;
    for (const neighbor of this.#fleet) {
      const claims = [...wanted].map(
        ([key, rule]) => [key, rule === null ? null : this.#claim(rule, neighbor, voices)] as const,
      );
      const changed = this.#apply(neighbor, neighbor.wanted.setAll(claims));
      if (!neighbor.filling) changes += changed;
    }
    return changes;
  }

  /** Renders once for each render key. An unchanged claim is kept, and with it the verdict on its routes. */
  #claim(rule: DesiredRule, neighbor: NeighborSync, voices: Map<string, PlacedRule>): PlacedRule {
    const before = neighbor.wanted.claim(rule.matchKey);
    if (before !== undefined && sameRule(before.rule, rule)) return before;
    const voice = `${neighbor.renderKey}|${rule.matchKey}`;
    let claim = voices.get(voice);
    if (claim === undefined) {
      claim = { rule, rendering: safeRender(rule, neighbor.policy) };
      voices.set(voice, claim);
    }
    return claim;
  }

  /** Sends the differences of these routes to the session. Returns their number. */
  #apply(neighbor: NeighborSync, keys: Iterable<RouteKey>): number {
    const { announcer } = this.#options;
    const { name } = neighbor.policy;
    if (this.#stopped || neighbor.families.length === 0 || !announcer.isEstablished(name)) return 0;
    const out = announcer.ribOut(name);
    const { announce, withdraw } = plan(keys, (key) => this.#allowed(neighbor, key), out);
    if (announce.length + withdraw.length === 0) return 0;
    this.#adoptRelabelled(name, announce, out);
    announcer.apply(name, announce, withdraw);
    return announce.length + withdraw.length;
  }

  /** Records new owners. A route whose owner alone changes is not written again, so `onSent` is not called for it. */
  #adoptRelabelled(name: string, announce: readonly OutRoute[], out: AdjRibOutView): void {
    const moved = announce.filter(
      (route) => out.sent(route.key)?.route.attributes.key === route.attributes.key,
    );
    if (moved.length > 0) this.#standing.moved(name, moved);
  }

  #allowed(neighbor: NeighborSync, key: RouteKey): OutRoute | undefined {
    const route = neighbor.wanted.want(key);
    if (route === undefined || !carries(neighbor, route)) return undefined;
    return this.#gate.verdict(route) === null ? route : undefined;
  }

  #onEstablished(peer: string): void {
    const neighbor = this.#fleet.get(peer);
    if (neighbor === undefined) return;
    const status = this.#options.announcer.peers().find((one) => one.name === peer);
    neighbor.families = status?.negotiated?.families ?? [];
    neighbor.generation++;
    neighbor.filling = true;
    if (neighbor.whole) void this.#fill(neighbor);
  }

  /** Sends a new session its whole table in slices, then End-of-RIB. */
  async #fill(neighbor: NeighborSync): Promise<void> {
    const { generation, wanted: table } = neighbor;
    const { name } = neighbor.policy;
    const out = this.#options.announcer.ribOut(name);
    const keys = [...table.routeKeys()];
    // A session that was established before its neighbor was adopted may hold unwanted routes.
    for (const key of [...out.effectiveKeys()]) if (table.want(key) === undefined) keys.push(key);
    let at = 0;
    while (at < keys.length) {
      if (at > 0) await this.#options.timers.yield();
      if (neighbor.generation !== generation || this.#stopped) return;
      await this.#settled(() => {
        const end = at + FILL_SLICE;
        const until = this.#options.clock() + FILL_MS;
        do {
          if (neighbor.generation === generation) this.#apply(neighbor, keys.slice(at, at + SLICE));
          at += SLICE;
        } while (at < end && this.#options.clock() < until);
      });
    }
    if (neighbor.generation !== generation || this.#stopped) return;
    neighbor.filling = false;
    this.#options.announcer.endOfRib(name);
  }

  #onDown(peer: string): void {
    this.#standing.forget(peer);
    const neighbor = this.#fleet.get(peer);
    if (neighbor !== undefined) leave(neighbor);
    this.#endings.checkSoon();
  }

  /**
   * Handles acknowledgements: a written withdrawal has not reached the router before its TCP acknowledges it, and until
   * then the mitigation is still being withdrawn.
   */
  #onAcknowledged(peer: string, announced: readonly OutRoute[], withdrawn: readonly OutRoute[]): void {
    this.#standing.acknowledged(peer, announced, withdrawn);
    if (withdrawn.length > 0 || this.#endings.size > 0) this.#endings.checkSoon();
  }

  async #runFull(): Promise<number> {
    const fresh = [...this.#fleet].filter(({ whole }) => !whole);
    const { state } = this.#options.engine;
    let changes = 0;
    await this.#inSlices([...state.live], SLICE, (ids) => {
      changes += this.#bring(new Set(ids.flatMap((id) => this.#touched.matchOf(id, state) ?? [])));
    });
    for (const { wanted: table } of this.#fleet) {
      await this.#inSlices([...table.matchKeys()], LOOK_SLICE, (keys) => {
        const unasked = keys.filter((key) => state.withMatch(key).size === 0);
        if (unasked.length > 0) changes += this.#bring(unasked);
      });
    }
    if (!this.#stopped) for (const neighbor of fresh) this.#tableIsWhole(neighbor);
    for (const neighbor of this.#fleet) changes += await this.#removeStrays(neighbor);
    this.#schedule.armExpiry();
    this.#endings.checkSoon();
    this.#options.onCompared?.();
    return changes;
  }

  /** Sends a session that was established meanwhile the rest of its table and End-of-RIB. */
  #tableIsWhole(neighbor: NeighborSync): void {
    neighbor.whole = true;
    if (neighbor.families.length > 0) void this.#fill(neighbor);
  }

  /** Withdraws routes on a session that are not in its table. */
  async #removeStrays(neighbor: NeighborSync): Promise<number> {
    if (neighbor.families.length === 0 || neighbor.filling || this.#stopped) return 0;
    const { generation, wanted: table } = neighbor;
    const out = this.#options.announcer.ribOut(neighbor.policy.name);
    let changed = 0;
    await this.#inSlices([...out.effectiveKeys()], LOOK_SLICE, (keys) => {
      if (neighbor.generation !== generation) return;
      const strays = keys.filter((key) => table.want(key) === undefined);
      if (strays.length > 0) changed += this.#apply(neighbor, strays);
    });
    return changed;
  }

  /**
   * Calls `act` for slices of the items, with turns for others between them, each after all folded facts are durable.
   */
  async #inSlices<T>(items: readonly T[], size: number, act: (slice: readonly T[]) => void): Promise<void> {
    for (let at = 0; at < items.length && !this.#stopped; at += size) {
      if (at > 0) await this.#options.timers.yield();
      await this.#settled(() => act(items.slice(at, at + size)));
    }
  }

  #settled(act: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#options.engine.whenSettled(() => {
        act();
        resolve();
      });
    });
  }

  #refused(route: OutRoute, why: string): void {
    this.#options.log('error', `egress check: the rule "${route.text}" is not announced: ${why}`, {
      mitigation_id: route.owner,
      rule: route.text,
    });
  }
}

function sameRule(a: DesiredRule, b: DesiredRule): boolean {
  return a.mitigationId === b.mitigationId && a.rateBps === b.rateBps && a.action.shared === b.action.shared;
}
