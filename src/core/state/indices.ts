/** The state's indexes beside its maps. */
import { type MatchKey, ruleKeys } from '../decide/correlate.ts';
import { holdKey } from './holds.ts';
import { isImported } from '../intent.ts';
import { type RuleKind, ruleKind, scrubberOf } from '../action.ts';
import type { Hold, Mitigation } from '../types.ts';

/** Returns the holds that the other version of a mitigation lacks: a report changes one of possibly hundreds. */
function holdsWithout(holds: Mitigation['holds'] = [], others: Mitigation['holds'] = []): readonly Hold[] {
  if (holds === others) return [];
  const known = new Set(others);
  return holds.filter((hold) => !known.has(hold));
}

/** True when the daemon looks at the mitigation before it expires. */
export function isRenewed(mitigation: Mitigation): mitigation is Mitigation & { readonly renewAt: number } {
  return typeof mitigation.renewAt === 'number' && mitigation.renewAt < mitigation.expiresAt;
}

/** Adds an id under a key. */
function addTo(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids === undefined) index.set(key, new Set([id]));
  else ids.add(id);
}

/** Removes an id from under a key. */
function removeFrom(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids === undefined) return;
  ids.delete(id);
  if (ids.size === 0) index.delete(key);
}

// Counts active mitigations (live, not ending) for the quotas. Dry-run ones are counted separately, for their own mode.

/** True when a mitigation counts toward a quota. */
export function isActive(mitigation: Mitigation): boolean {
  return mitigation.ending === null && isLive(mitigation);
}

/** True until a mitigation has ended or was rejected; an ending one is still live. */
export function isLive({ status }: Mitigation): boolean {
  return status === 'active' || status === 'escalated';
}

interface Counts {
  total: number;
  readonly customers: Map<string, number>;
  readonly pops: Map<string, number>;
  /** Routes of diversions and blackholes, by kind and scope. */
  readonly unicast: Map<string, number>;
  /** The mitigations that share each of these routes, by kind, scope and prefix. */
  readonly sharing: Map<string, number>;
  /** Other POPs' mitigations, by POP. */
  readonly imported: Map<string, number>;
}

function noCounts(): Counts {
  return {
    total: 0,
    customers: new Map(),
    pops: new Map(),
    unicast: new Map(),
    sharing: new Map(),
    imported: new Map(),
  };
}

/** What active diversions and blackholes are counted by. */
export type UnicastScope = 'customer' | 'pop' | 'scrubber';

export type UnicastKind = Exclude<RuleKind, 'flowspec'>;

export class ActiveCounts {
  readonly #enforced = noCounts();
  readonly #dryRun = noCounts();

  /** Adds or removes an active mitigation. */
  change(mitigation: Mitigation, by: 1 | -1): void {
    const counts = this.#of(mitigation.dryRun);
    counts.total += by;
    bump(counts.pops, mitigation.pop, by);
    if (isImported(mitigation)) bump(counts.imported, mitigation.origin.pop, by);
    if (mitigation.customerId !== null) bump(counts.customers, mitigation.customerId, by);
    const kind = ruleKind(mitigation.action);
    if (kind === 'flowspec') return;
    const scopes = [
      `${kind} pop ${mitigation.pop}`,
      `${kind} customer ${mitigation.customerId ?? ''}`,
      `${kind} scrubber ${scrubberOf(mitigation.action) ?? ''}`,
    ];
    for (const scope of scopes) {
      const route = `${scope} ${mitigation.match.dstPrefix}`;
      const before = counts.sharing.get(route) ?? 0;
      bump(counts.sharing, route, by);
      if (before === (by === 1 ? 0 : 1)) bump(counts.unicast, scope, by);
    }
  }

  /** Counts the routes of diversions or blackholes of one customer, POP or scrubber. */
  ofUnicast(kind: UnicastKind, scope: UnicastScope, name: string, dryRun: boolean): number {
    return this.#of(dryRun).unicast.get(`${kind} ${scope} ${name}`) ?? 0;
  }

  total(dryRun: boolean): number {
    return this.#of(dryRun).total;
  }

  ofCustomer(customerId: string, dryRun: boolean): number {
    return this.#of(dryRun).customers.get(customerId) ?? 0;
  }

  /** Counts of the customers that have any. */
  byCustomer(dryRun: boolean): ReadonlyMap<string, number> {
    return this.#of(dryRun).customers;
  }

  /** Counts of the other POPs' mitigations, for the POPs that have any here. */
  imported(dryRun: boolean): ReadonlyMap<string, number> {
    return this.#of(dryRun).imported;
  }

  ofPop(pop: string, dryRun: boolean): number {
    return this.#of(dryRun).pops.get(pop) ?? 0;
  }

  #of(dryRun: boolean): Counts {
    return dryRun ? this.#dryRun : this.#enforced;
  }
}

/** Counts up or down; drops a count of 0. */
export function bump<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  const value = (counts.get(key) ?? 0) + by;
  if (value === 0) counts.delete(key);
  else counts.set(key, value);
}

/** Compares by identity, which is enough: a change keeps what it does not name. */
function haveSameRules(a: Mitigation, b: Mitigation): boolean {
  return a.match === b.match && a.action === b.action && a.filter === b.filter;
}

/** Indexes the live mitigations by match, victim and hold, and counts the active ones. */
export class LiveIndexes {
  readonly byMatch = new Map<MatchKey, Set<string>>();
  readonly byVictim = new Map<string, Set<string>>();
  /** By the keys of holds, lapsed ones included. */
  readonly byHold = new Map<string, Set<string>>();
  /** Counts of live mitigations whose victim is a prefix, by family and length. */
  readonly prefixLengths = { 4: new Map<number, number>(), 6: new Map<number, number>() };
  readonly counts = new ActiveCounts();

  /** Removes a live version of a mitigation; `after` is the live version that replaces it, undefined when none does. */
  remove(before: Mitigation, after: Mitigation | undefined): void {
    const { id, victim, holds } = before;
    if (after === undefined || !haveSameRules(before, after)) {
      for (const key of ruleKeys(before)) removeFrom(this.byMatch, key, id);
    }
    if (after === undefined) {
      removeFrom(this.byVictim, victim, id);
      this.#countPrefix(victim, -1);
    }
    for (const hold of holdsWithout(holds, after?.holds ?? [])) removeFrom(this.byHold, holdKey(hold), id);
    if (isActive(before)) this.counts.change(before, -1);
  }

  /** Adds a live version of a mitigation; `before` is the live version that it replaces, undefined when there was none. */
  add(after: Mitigation, before: Mitigation | undefined): void {
    const { id, victim, holds } = after;
    if (before === undefined || !haveSameRules(before, after)) {
      for (const key of ruleKeys(after)) addTo(this.byMatch, key, id);
    }
    if (before === undefined) {
      addTo(this.byVictim, victim, id);
      this.#countPrefix(victim, 1);
    }
    for (const hold of holdsWithout(holds, before?.holds ?? [])) addTo(this.byHold, holdKey(hold), id);
    if (isActive(after)) this.counts.change(after, 1);
  }

  #countPrefix(victim: string, by: 1 | -1): void {
    const [address = '', length] = victim.split('/');
    if (length !== undefined) bump(this.prefixLengths[address.includes(':') ? 6 : 4], Number(length), by);
  }
}
