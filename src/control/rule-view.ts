/** Shows the rules of a mitigation on each neighbor, computed from the tables and the Adj-RIB-Outs. */
import type { OutRoute } from '../bgp/rib/route.ts';
import { type RuleKind, ruleKind } from '../core/action.ts';
import { NO_TARGETS } from '../core/policy/scrubbers.ts';
import { type MatchKey, ruleKeys } from '../core/state/state.ts';
import { toHex } from '../net/bytes.ts';
import type { Announcer } from './announcer.ts';
import { kindOfRoute, ruleText } from './render-rule.ts';
import type { Reconciler } from './reconciler.ts';
import { countRules, overBudgetWords, shortfallsOf } from './shortfall.ts';
import type { EngineView, NeighborRule, ReconcilerView } from './types.ts';

/** Returns the reconciler's view for the rooms above it. */
export function viewOf(reconciler: Reconciler, engine: EngineView, announcer: Announcer): ReconcilerView {
  return {
    get stats() {
      return reconciler.stats;
    },
    shortfalls: () => shortfallsOf(reconciler.lacking()),
    ruleCounts: () => countRules(announcer.peers(), reconciler.neighbors, shortfallsOf(reconciler.lacking())),
    ownerOf: (peer, key) => reconciler.neighbors.ownerOf(peer, key),
    rulesOf: (id) => {
      const mitigation = engine.state.mitigations.get(id);
      if (mitigation === undefined || !engine.state.live.has(id)) return [];
      const keys = ruleKeys(mitigation);
      const kind = ruleKind(mitigation.action);
      return reconciler.neighbors.names.flatMap((peer) =>
        rulesOn(reconciler, announcer, peer, { id, keys, kind }),
      );
    },
    ruleText: (id) => {
      const mitigation = engine.state.mitigations.get(id);
      return mitigation === undefined ? '' : ruleText(mitigation, engine.policy.targets ?? NO_TARGETS);
    },
  };
}

/** Text while the withdrawal is in this host's send queue or on its way. */
const UNACKNOWLEDGED = 'being withdrawn: the withdrawal was sent, but the router has not acknowledged it yet';

/** A mitigation whose rules are shown. */
interface Shown {
  readonly id: string;
  /** Its rule's, then its filter's; a neighbor has one of the two. */
  readonly keys: readonly MatchKey[];
  readonly kind: RuleKind;
}

function rulesOn(
  reconciler: Reconciler,
  announcer: Announcer,
  peer: string,
  { id, keys, kind }: Shown,
): readonly NeighborRule[] {
  const neighbor = reconciler.neighbors.get(peer);
  const found = keys.flatMap((key) => neighbor?.wanted.rule(key) ?? []);
  const placed = found.find(({ rule }) => rule.mitigationId === id);
  if (neighbor === undefined || placed === undefined) {
    const winner = found[0]?.rule.mitigationId;
    return [...beingWithdrawn(reconciler, announcer, peer, id), ...covered(peer, kind, winner)];
  }
  const { rule, rendering } = placed;
  if (!rendering.ok) {
    const { why } = rendering;
    return [
      { neighbor: peer, kind: ruleKind(rule.action), rule: '', nlriHex: '', state: 'unsupported', why },
    ];
  }
  const isOverBudget = neighbor.wanted.overBudget.has(rule.matchKey);
  return rendering.routes.map((route) => {
    if (isOverBudget) {
      const why = overBudgetWords(rule, neighbor.policy);
      return { ...shown(peer, route), state: 'over_budget', why };
    }
    const why = reconciler.whyHeldBack(peer, route);
    if (why !== undefined) return { ...shown(peer, route), state: 'unsupported', why };
    const sent = reconciler.neighbors.isUp(peer) && holds(announcer, peer, route);
    return { ...shown(peer, route), state: sent ? 'sent' : 'pending' };
  });
}

/** Returns the mitigation's routes that are being withdrawn: still on the router, but no longer wanted. */
function beingWithdrawn(
  reconciler: Reconciler,
  announcer: Announcer,
  peer: string,
  id: string,
): readonly NeighborRule[] {
  if (!reconciler.neighbors.isUp(peer)) return [];
  const out = announcer.ribOut(peer);
  if (!out.holds(id)) return [];
  const unwritten = out
    .sentBy(id)
    .map((route) => ({ ...shown(peer, route), state: 'sent' as const, why: 'being withdrawn' }));
  const written = out.unacknowledgedWithdrawals().filter(({ owner }) => owner === id);
  return [
    ...unwritten,
    ...written.map((route) => ({ ...shown(peer, route), state: 'pending' as const, why: UNACKNOWLEDGED })),
  ];
}

/** Returns the entry for a mitigation whose match or prefix is covered by another mitigation's rule. */
function covered(peer: string, kind: RuleKind, winner: string | undefined): readonly NeighborRule[] {
  if (winner === undefined) return [];
  const same = kind === 'flowspec' ? 'match' : 'prefix';
  const why = `mitigation ${winner} has the same ${same} and a stricter or older rule, which is announced instead`;
  return [{ neighbor: peer, kind, rule: '', nlriHex: '', state: 'pending', why }];
}

/** Returns true if the route was written unchanged and the peer's TCP has acknowledged it. */
function holds(announcer: Announcer, peer: string, route: OutRoute): boolean {
  const out = announcer.ribOut(peer);
  return out.sent(route.key)?.route.attributes.key === route.attributes.key && out.isAcknowledged(route.key);
}

function shown(peer: string, route: OutRoute): Pick<NeighborRule, 'neighbor' | 'kind' | 'rule' | 'nlriHex'> {
  return { neighbor: peer, kind: kindOfRoute(route), rule: route.text, nlriHex: toHex(route.nlri) };
}

// The number of neighbors that enforce a mitigation, and the states of the others. PURE.

/** Numbers of neighbors. */
export interface Enforcement {
  readonly sent: number;
  readonly pending: number;
  readonly unsupported: number;
  readonly overBudget: number;
}

/** A neighbor with several rules has the state of the worst one. */
const WORST_FIRST = ['unsupported', 'over_budget', 'pending', 'sent'] as const;

export function countNeighbors(rules: readonly NeighborRule[]): Enforcement {
  const states = new Map<string, NeighborRule['state']>();
  for (const { neighbor, state } of rules) {
    const known = states.get(neighbor);
    if (known === undefined || WORST_FIRST.indexOf(state) < WORST_FIRST.indexOf(known)) {
      states.set(neighbor, state);
    }
  }
  const count = (wanted: NeighborRule['state']): number =>
    [...states.values()].filter((state) => state === wanted).length;
  return {
    sent: count('sent'),
    pending: count('pending'),
    unsupported: count('unsupported'),
    overBudget: count('over_budget'),
  };
}
