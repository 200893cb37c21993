/**
 * Turns the core's decisions into rules. PURE. Decides which mitigations get a rule at `now`, which of several with
 * one key wins, and what the rule is, independent of any neighbor.
 */
import {
  type Action,
  type BitmaskOp,
  type Component,
  ComponentType,
  type FlowSpec,
  type NumericComponent,
  type NumericOp,
} from '../bgp/flowspec/types.ts';
import type { AdjRibOutView } from '../bgp/rib/adj-rib-out.ts';
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import { type MatchKey, ruleKey, type StateView } from '../core/state/state.ts';
import { isForHere } from '../core/intent.ts';
import { compareStrictness, isShared, type MitigationAction, passedBps } from '../core/action.ts';
import type { Match, Mitigation, Range } from '../core/types.ts';
import { knownPrefix } from '../net/prefix.ts';

/**
 * One rule that every neighbor that can hold it should have. Its match is still the core's: `render` turns it into
 * FlowSpec or a unicast route once, when the rule is new, not at each reconciliation.
 */
export interface DesiredRule {
  readonly matchKey: MatchKey;
  /** The mitigation that wins among those with this key. */
  readonly mitigationId: string;
  readonly match: Match;
  readonly action: MitigationAction;
  /** Older rules are kept if a neighbor's budget is exceeded. */
  readonly createdAt: number;
  /** Set for a route that has a filter: a neighbor that cannot hold the route does not lack it. */
  readonly hasFilter?: true;
  /** Set for a filter: only neighbors that cannot hold this route of its mitigation have it. */
  readonly instead?: Pick<Mitigation, 'match' | 'action'>;
}

/** Returns the desired rule for each key, or undefined for none. */
export function desired(
  state: StateView,
  keys: Iterable<MatchKey>,
  now: number,
): Map<MatchKey, DesiredRule | undefined> {
  const wanted = new Map<MatchKey, DesiredRule | undefined>();
  for (const key of keys) {
    wanted.set(key, strictest(state, key, now));
  }
  return wanted;
}

/**
 * Returns true if the mitigation gets a rule: active, not being withdrawn, not expired, not a dry run, and for this
 * POP's routers.
 */
export function deservesRule(mitigation: Mitigation, now: number): boolean {
  return (
    (mitigation.status === 'active' || mitigation.status === 'escalated') &&
    mitigation.ending === null &&
    mitigation.away?.probeUntil === undefined &&
    mitigation.expiresAt > now &&
    !mitigation.dryRun &&
    isForHere(mitigation)
  );
}

/**
 * Returns the winning rule: one for all neighbors, then the stricter action, then the one whose rate may be shared, which
 * more neighbors can enforce, then the older one, then the smaller id. The result does not depend on the order.
 */
function strictest(state: StateView, key: MatchKey, now: number): DesiredRule | undefined {
  let best: DesiredRule | undefined;
  for (const id of state.withMatch(key)) {
    const one = state.mitigations.get(id);
    if (one === undefined || !deservesRule(one, now)) continue;
    const rule = toRule(key, one);
    if (best === undefined || comparePrecedence(rule, best) < 0) best = rule;
  }
  return best;
}

function comparePrecedence(a: DesiredRule, b: DesiredRule): number {
  if ((a.instead === undefined) !== (b.instead === undefined)) return a.instead === undefined ? -1 : 1;
  const byAction = compareStrictness(a.action, b.action);
  if (byAction !== 0) return byAction;
  if (isShared(a.action) !== isShared(b.action)) return isShared(a.action) ? -1 : 1;
  if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt;
  return a.mitigationId < b.mitigationId ? -1 : 1;
}

/** Returns the mitigation's rule under the key, which is its own or its filter's. */
function toRule(matchKey: MatchKey, mitigation: Mitigation): DesiredRule {
  const { id: mitigationId, match, action, createdAt, filter } = mitigation;
  if (filter === undefined || filter === null) return { matchKey, mitigationId, match, action, createdAt };
  if (matchKey === ruleKey(mitigation)) {
    return { matchKey, mitigationId, match, action, createdAt, hasFilter: true };
  }
  const instead = { match, action };
  return { matchKey, mitigationId, match: filter.match, action: filter.action, createdAt, instead };
}

/**
 * Returns a rule's FlowSpec actions: its rate, if it does not let everything pass, and its redirect as resolved for the
 * rule. The two id octets of traffic-rate are sent as zero (RFC 8955 §7.1).
 */
export function toActions(action: MitigationAction, redirect?: Action): readonly Action[] {
  const bitsPerSecond = passedBps(action);
  return [
    ...(Number.isFinite(bitsPerSecond) ? [{ type: 'traffic-rate', bitsPerSecond, asn: 0 } as const] : []),
    ...(redirect === undefined ? [] : [redirect]),
  ];
}

/**
 * Converts a match to FlowSpec components, in ascending order of type (RFC 8955 §4.2). Throws RangeError if its prefix
 * is invalid.
 */
export function toFlowSpec(match: Match): FlowSpec {
  const destination = prefixComponent(ComponentType.DestinationPrefix, match.dstPrefix);
  const components: Component[] = [destination];
  if (match.srcPrefix !== undefined) {
    components.push(prefixComponent(ComponentType.SourcePrefix, match.srcPrefix));
  }
  if (match.protocol !== null) {
    components.push({ type: ComponentType.IpProtocol, ops: [equals(match.protocol)] });
  }
  addRanges(components, ComponentType.DestinationPort, match.dstPorts, 0xffff);
  addRanges(components, ComponentType.SourcePort, match.srcPorts, 0xffff);
  const flags = tcpFlagOps(match);
  if (flags.length > 0) components.push({ type: ComponentType.TcpFlags, ops: flags });
  addRanges(components, ComponentType.PacketLength, match.packetLengths ?? [], 0xffff);
  if (match.fragments === true) {
    // IsF or FF, any bit set (RFC 8955 §4.2.2.12): later fragments and the first of several.
    components.push({
      type: ComponentType.Fragment,
      ops: [{ and: false, not: false, match: false, value: 0x06 }],
    });
  }
  return { afi: destination.prefix.family === 4 ? 1 : 2, safi: 133, components };
}

function prefixComponent(type: 1 | 2, text: string): Extract<Component, { type: 1 | 2 }> {
  return { type, prefix: knownPrefix(text), offset: 0 };
}

function addRanges(
  components: Component[],
  type: NumericComponent['type'],
  ranges: readonly Range[],
  max: number,
): void {
  if (ranges.length > 0) components.push({ type, ops: ranges.flatMap((range) => rangeOps(range, max)) });
}

/**
 * Converts a range to strict comparisons, which every known router accepts: `=53`, `<53`, `>123`, `>53&<123`. Throws
 * RangeError for a range over everything, which would be an error of the caller.
 */
function rangeOps([from, to]: Range, max: number): readonly NumericOp[] {
  if (from === to) return [equals(from)];
  if (from <= 0 && to >= max) throw new RangeError(`a range from ${from} to ${to} restricts nothing`);
  const below: NumericOp = { and: from > 0, lt: true, gt: false, eq: false, value: to + 1 };
  const above: NumericOp = { and: false, lt: false, gt: true, eq: false, value: from - 1 };
  if (from <= 0) return [below];
  return to >= max ? [above] : [above, below];
}

function equals(value: number): NumericOp {
  return { and: false, lt: false, gt: false, eq: true, value };
}

/** Converts "all of these set and none of those": match on the set flags, then AND NOT any of the clear ones. */
function tcpFlagOps(match: Match): readonly BitmaskOp[] {
  const ops: BitmaskOp[] = [];
  if (match.tcpFlags !== undefined) ops.push({ and: false, not: false, match: true, value: match.tcpFlags });
  if (match.tcpFlagsClear !== undefined) {
    ops.push({ and: ops.length > 0, not: true, match: false, value: match.tcpFlagsClear });
  }
  return ops;
}

// The changes that bring a session in line. PURE; the same for one key and for a whole table.

/** Changes for one session, unordered: the session writes announcements first. */
export interface SessionChanges {
  readonly announce: readonly OutRoute[];
  readonly withdraw: readonly RouteKey[];
}

/**
 * Compares the desired route of each key with the one that the peer will have after the queued changes: NLRI,
 * attributes and owner. `want` returns undefined for a key without a route.
 */
export function plan(
  keys: Iterable<RouteKey>,
  want: (key: RouteKey) => OutRoute | undefined,
  out: AdjRibOutView,
): SessionChanges {
  const announce: OutRoute[] = [];
  const withdraw: RouteKey[] = [];
  for (const key of keys) {
    const wanted = want(key);
    const effective = out.effective(key);
    if (wanted === undefined) {
      if (effective !== undefined) withdraw.push(key);
    } else if (effective === undefined || !sameRoute(effective, wanted)) {
      announce.push(wanted);
    }
  }
  return { announce, withdraw };
}

function sameRoute(a: OutRoute, b: OutRoute): boolean {
  return a.attributes.key === b.attributes.key && a.owner === b.owner;
}
