/**
 * The reconciler keeps every session's rules in line with the decisions. Only it tells a speaker to announce or
 * withdraw. A change handles the keys it touched, a new session all of its keys, the timer everything; all three use
 * the same tables, which `desired` fills, and the same `plan`.
 */
import { sameAction } from '../core/action.ts';
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import { NO_TARGETS } from '../core/policy/scrubbers.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { MatchKey } from '../core/state/state.ts';
import { hasTarget } from './action-targets.ts';
import type { Announcer } from './announcer.ts';
import { ChangedMatches } from './changed-matches.ts';
import { desired, type DesiredRule, plan } from './desired.ts';
import { EgressCheck } from './egress-check.ts';
import type { Engine } from './engine.ts';
import { carries, leave, Neighbors, type NeighborSync } from './neighbors.ts';
import { PendingWithdrawals } from './pending-withdrawals.ts';
import { type NeighborPolicy, safeRender } from './render-rule.ts';
import { FullRuns, type Occasion, Schedule } from './schedule.ts';
import { heldBackWords, type Lack, lackingIn, unnegotiatedWords } from './shortfall.ts';
import type { Log, TimerHost } from './types.ts';
import type { PlacedRule } from './wanted-routes.ts';

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
  /** The neighbors and their tables, for display. */
  readonly neighbors: Neighbors;
  readonly #options: ReconcilerOptions;
  readonly #egress: EgressCheck;
  readonly #changedMatches = new ChangedMatches();
  readonly #fullRuns: FullRuns;
  readonly #pendingWithdrawals: PendingWithdrawals;
  readonly #schedule: Schedule;
  readonly #cancel: (() => void)[] = [];
  #stopped = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const { engine, announcer, clock, timers, intervalMs, log } = options;
    this.#fullRuns = new FullRuns(() => this.#runFull(), clock);
    this.#pendingWithdrawals = new PendingWithdrawals(engine, announcer, timers, log);
    this.#schedule = new Schedule({
      engine,
      clock,
      timers,
      intervalMs,
      log,
      onInterval: () => this.full('check'),
      onExpiryUnrecorded: () => this.full(),
    });
    this.#egress = new EgressCheck(engine.policy, engine.state, options.neighbors, (route, why) =>
      this.#refused(route, why),
    );
    this.neighbors = new Neighbors(options.neighbors, (route) => this.#egress.verdict(route) !== undefined);
  }

  get stats() {
    return { ...this.#fullRuns.stats, egressRefusals: this.#egress.refusals };
  }

  /** Fills the tables from the state and follows it from now on. Start the announcer afterwards. */
  async start(): Promise<void> {
    const { engine, announcer } = this.#options;
    this.#cancel.push(engine.followFirst((facts) => this.#onFacts(facts)));
    this.#cancel.push(
      announcer.subscribe({
        onEstablished: (peer) => this.#onEstablished(peer),
        onDown: (peer) => this.#onDown(peer),
        onAcknowledged: () => this.#pendingWithdrawals.checkSoon(),
      }),
    );
    for (const id of engine.state.live) {
      if (engine.state.mitigations.get(id)?.ending) this.#pendingWithdrawals.add(id);
    }
    await this.#schedule.expire();
    await this.full();
    this.#pendingWithdrawals.checkSoon();
    this.#schedule.start();
  }

  /** Stops following; routers keep their rules. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancel.splice(0)) cancel();
    this.#schedule.stop();
    this.#pendingWithdrawals.stop();
    await this.#fullRuns.finished();
  }

  /** Compares everything; see `FullRuns`. */
  full(occasion: Occasion = 'change'): Promise<void> {
    return this.#fullRuns.start(occasion);
  }

  /**
   * Stops tracking every neighbor not in the list. Call it before the announcer removes them: the announcer then closes
   * their sessions and withdraws their routes, and no longer knows their names.
   */
  keepOnly(names: Iterable<string>): void {
    this.neighbors.keepOnly(names);
  }

  /**
   * Adopts another list of neighbors; those whose policy is the same keep their tables. Call it after the announcer has
   * adopted the list, so that it knows every session.
   */
  async setNeighbors(policies: readonly NeighborPolicy[]): Promise<void> {
    const { engine } = this.#options;
    const fresh = this.neighbors.adopt(policies);
    if (fresh.length > 0) {
      await this.#settled(() => this.#egress.refresh(engine.policy, engine.state, policies));
    }
    await this.full();
    for (const neighbor of fresh) {
      const { name } = neighbor.policy;
      if (this.neighbors.get(name) !== neighbor || neighbor.session.state !== 'down') continue;
      // Its session may have been established before, or kept.
      if (this.#options.announcer.isEstablished(name)) this.#onEstablished(name);
    }
  }

  /** Returns what each enabled neighbor lacks of the active mitigations. The cost is proportional to the result. */
  lacking(): readonly Lack[] {
    const peers = this.#options.announcer.peers();
    const enabled = new Set(peers.flatMap((peer) => (peer.enabled ? [peer.name] : [])));
    return [...lackingIn(this.neighbors, this.#egress)].filter(({ neighbor }) => enabled.has(neighbor));
  }

  /** Returns why a neighbor does not have a route of its table: the egress check or the session's families. */
  whyHeldBack(peer: string, route: OutRoute): string | undefined {
    const neighbor = this.neighbors.get(peer);
    if (neighbor === undefined) return undefined;
    const why = this.#egress.verdict(route);
    if (why !== undefined) return heldBackWords(why);
    const isLeftOut = neighbor.session.state !== 'down' && !carries(neighbor, route);
    return isLeftOut ? unnegotiatedWords(route) : undefined;
  }

  /** Resolves when the routers were told what the facts change, as far as their sessions take it at once. */
  async #onFacts(facts: readonly RecordedFact[]): Promise<void> {
    const { engine, announcer } = this.#options;
    const { keys, extended, ending, ended, guardChanged } = this.#changedMatches.by(facts, engine.state);
    for (const id of ending) this.#pendingWithdrawals.add(id);
    for (const id of ended) this.#pendingWithdrawals.delete(id);
    if (guardChanged) {
      this.#egress.refresh(engine.policy, engine.state);
      void this.full();
    }
    for (const id of extended) {
      const of = this.#changedMatches.keysOf(id, engine.state);
      if (of.some((key) => !this.neighbors.allHaveRule(key, id))) for (const key of of) keys.add(key);
    }
    if (keys.size > 0) this.#update(keys);
    else if (extended.size === 0) return;
    this.#schedule.armExpiry();
    this.#pendingWithdrawals.checkSoon();
    await announcer.written();
  }

  /**
   * Brings every neighbor's table and session up to date for these keys. Each neighbor gets all of them at once, so that
   * a replacing rule is announced before the old one is withdrawn. Returns the number of changed routes.
   */
  #update(keys: Iterable<MatchKey>): number {
    const wanted = desired(this.#options.engine.state, keys, this.#options.clock());
    const rendered = new Map<string, PlacedRule>();
    let changes = 0;
    for (const neighbor of this.neighbors) {
      const rules = [...wanted].map(
        ([key, rule]) => [key, rule && this.#placed(rule, neighbor, rendered)] as const,
      );
      const changed = this.#send(neighbor, neighbor.wanted.placeAll(rules));
      if (neighbor.session.state === 'in-sync') changes += changed;
    }
    return changes;
  }

  /**
   * Places a rule on a neighbor; undefined if the neighbor gets the mitigation's filter in place of the rule, or its
   * route in place of this filter.
   */
  #placed(
    rule: DesiredRule,
    neighbor: NeighborSync,
    rendered: Map<string, PlacedRule>,
  ): PlacedRule | undefined {
    const { instead, hasFilter } = rule;
    if (instead !== undefined) {
      const targets = this.#options.engine.policy.targets ?? NO_TARGETS;
      if (safeRender({ ...rule, ...instead }, neighbor.policy, targets).ok) return undefined;
    }
    const placed = this.#rendered(rule, neighbor, rendered);
    return hasFilter === true && !placed.rendering.ok ? undefined : placed;
  }

  /**
   * Renders once for each render key. An unchanged rule is kept, and with it the verdict on its routes, unless the
   * targets of its action may have moved.
   */
  #rendered(rule: DesiredRule, neighbor: NeighborSync, rendered: Map<string, PlacedRule>): PlacedRule {
    const before = neighbor.wanted.rule(rule.matchKey);
    const targets = hasTarget(rule.action) ? (this.#options.engine.policy.targets ?? NO_TARGETS) : undefined;
    if (before !== undefined && sameRule(before.rule, rule) && before.targets === targets) return before;
    const key = `${neighbor.renderKey}|${rule.matchKey}`;
    let placed = rendered.get(key);
    if (placed === undefined) {
      placed = { rule, targets, rendering: safeRender(rule, neighbor.policy, targets ?? NO_TARGETS) };
      rendered.set(key, placed);
    }
    return placed;
  }

  /** Sends the differences of these routes to the session. Returns their number. */
  #send(neighbor: NeighborSync, keys: Iterable<RouteKey>): number {
    const { announcer } = this.#options;
    const { name } = neighbor.policy;
    if (this.#stopped || neighbor.session.state === 'down' || !announcer.isEstablished(name)) return 0;
    const { announce, withdraw } = plan(keys, (key) => this.#allowed(neighbor, key), announcer.ribOut(name));
    if (announce.length + withdraw.length === 0) return 0;
    announcer.apply(name, announce, withdraw);
    return announce.length + withdraw.length;
  }

  /** Returns the route that the session should have under the key. */
  #allowed(neighbor: NeighborSync, key: RouteKey): OutRoute | undefined {
    const route = neighbor.wanted.route(key);
    if (route === undefined || !carries(neighbor, route)) return undefined;
    return this.#egress.verdict(route) === undefined ? route : undefined;
  }

  #onEstablished(peer: string): void {
    const neighbor = this.neighbors.get(peer);
    if (neighbor === undefined) return;
    const status = this.#options.announcer.peers().find((one) => one.name === peer);
    const families = status?.negotiated?.families ?? [];
    neighbor.session = { state: 'waiting', families };
    if (neighbor.tableComplete) void this.#fill(neighbor);
  }

  /** Gives a session its table as it is kept, in slices, then End-of-RIB. */
  async #fill(neighbor: NeighborSync): Promise<void> {
    const { wanted, policy } = neighbor;
    if (neighbor.session.state === 'down') return;
    const { families } = neighbor.session;
    const session = { state: 'filling', families } as const;
    neighbor.session = session;
    const isOver = (): boolean => this.#stopped || neighbor.session !== session;
    const { announcer, clock, timers } = this.#options;
    // A session that was established before its neighbor was adopted may hold routes that are not wanted.
    const held = [...announcer.ribOut(policy.name).effectiveKeys()];
    const unwanted = held.filter((key) => this.#allowed(neighbor, key) === undefined);
    const keys = [...wanted.routeKeys()];
    let at = 0;
    while (at < keys.length) {
      if (at > 0) await timers.yield();
      await this.#settled(() => {
        if (isOver()) return;
        const routes: OutRoute[] = [];
        const end = at + FILL_SLICE;
        const until = clock() + FILL_MS;
        do {
          // A key's route is looked up only now: it may have changed since.
          for (const key of keys.slice(at, at + SLICE)) {
            const route = this.#allowed(neighbor, key);
            if (route !== undefined) routes.push(route);
          }
          at += SLICE;
        } while (at < end && clock() < until);
        announcer.apply(policy.name, routes, []);
      });
      if (isOver()) return;
    }
    await this.#inSlices(unwanted, SLICE, (slice) => {
      if (!isOver()) this.#send(neighbor, slice);
    });
    if (isOver()) return;
    neighbor.session = { state: 'in-sync', families };
    announcer.endOfRib(policy.name);
  }

  #onDown(peer: string): void {
    const neighbor = this.neighbors.get(peer);
    if (neighbor !== undefined) leave(neighbor);
    this.#pendingWithdrawals.checkSoon();
  }

  async #runFull(): Promise<number> {
    const incomplete = [...this.neighbors].filter(({ tableComplete }) => !tableComplete);
    const { state } = this.#options.engine;
    let changes = 0;
    await this.#inSlices([...state.live], SLICE, (ids) => {
      changes += this.#update(new Set(ids.flatMap((id) => this.#changedMatches.keysOf(id, state))));
    });
    for (const { wanted } of this.neighbors) {
      await this.#inSlices([...wanted.matchKeys()], LOOK_SLICE, (keys) => {
        const unasked = keys.filter((key) => state.withMatch(key).size === 0);
        if (unasked.length > 0) changes += this.#update(unasked);
      });
    }
    if (!this.#stopped) {
      for (const neighbor of incomplete) {
        neighbor.tableComplete = true;
        void this.#fill(neighbor);
      }
    }
    // The egress check may judge otherwise than when the budgets were applied.
    for (const neighbor of this.neighbors) {
      const changed = this.#send(neighbor, neighbor.wanted.reapplyBudgets());
      if (neighbor.session.state === 'in-sync') changes += changed;
    }
    for (const neighbor of this.neighbors) {
      if (neighbor.session.state === 'in-sync') changes += await this.#withdrawUnwanted(neighbor);
    }
    this.#schedule.armExpiry();
    this.#pendingWithdrawals.checkSoon();
    this.#options.onCompared?.();
    return changes;
  }

  /** Withdraws a session's routes that are not in its table. Returns their number. */
  async #withdrawUnwanted(neighbor: NeighborSync): Promise<number> {
    const { session, wanted, policy } = neighbor;
    let changed = 0;
    const out = this.#options.announcer.ribOut(policy.name);
    await this.#inSlices([...out.effectiveKeys()], LOOK_SLICE, (keys) => {
      if (neighbor.session !== session) return;
      const unwanted = keys.filter((key) => wanted.route(key) === undefined);
      if (unwanted.length > 0) changed += this.#send(neighbor, unwanted);
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
  return a.mitigationId === b.mitigationId && sameAction(a.action, b.action) && a.hasFilter === b.hasFilter;
}
