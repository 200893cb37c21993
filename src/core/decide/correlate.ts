/** Compares the rule that an event asks for with the active rules. */
import { inRanges, rangesCover } from '../policy/ports.ts';
import { ruleKind, unicastKey } from '../action.ts';
import type { Match, Mitigation, Range } from '../types.ts';
import type { Rule } from './rule.ts';

export type Correlation =
  /** Nothing in common: it gets its own mitigation. */
  | { readonly kind: 'new' }
  /** The same ports or fewer, of one mitigation or of several together. */
  | { readonly kind: 'covered'; readonly by: readonly Mitigation[] }
  /** The same ports and more: this mitigation is widened in place. */
  | { readonly kind: 'wider'; readonly than: Mitigation }
  /** These are extended, and new ports get their own mitigation. `newPorts` is undefined when the rule names none. */
  | {
      readonly kind: 'partial';
      readonly overlapping: readonly Mitigation[];
      readonly newPorts: readonly number[] | undefined;
    };

/** An active mitigation, with the rule that the event would ask for at that mitigation's step. */
export interface ActiveRule {
  readonly mitigation: Mitigation;
  readonly rule: Rule;
  /** It covers a prefix around the event's victim, so it may keep the victim's rule but not follow its ports. */
  readonly isAround: boolean;
  /** Its last event is within the correlation window. */
  readonly recent: boolean;
  /** It may be widened: it is a detector's, and its action does not forbid the new ports. */
  readonly widenable: boolean;
}

/**
 * Compares an event with the active mitigations of the same victim, protocol and refinement. Outside the window only an
 * equal rule counts, because a router holds each rule only once. Of several, the oldest is taken.
 */
export function correlate(active: readonly ActiveRule[], fresh: Rule): Correlation {
  const related = active
    .filter(({ mitigation, rule, recent }) => {
      if (!sameButDstPorts(mitigation.match, rule.match)) return false;
      return recent || matchKey(mitigation.match) === matchKey(rule.match);
    })
    .sort((a, b) => Number(a.isAround) - Number(b.isAround) || byAge(a.mitigation, b.mitigation));

  const equal = related.find(({ mitigation, rule }) => matchKey(mitigation.match) === matchKey(rule.match));
  if (equal !== undefined) return { kind: 'covered', by: [equal.mitigation] };
  const covering = related.find(({ mitigation, rule }) => dstPortsCover(mitigation.match, rule.match));
  if (covering !== undefined) return { kind: 'covered', by: [covering.mitigation] };
  const within = related.find(
    ({ mitigation, rule, widenable, isAround }) =>
      widenable && !isAround && dstPortsCover(rule.match, mitigation.match),
  );
  if (within !== undefined) return { kind: 'wider', than: within.mitigation };

  const overlapping = related.filter(
    ({ mitigation, rule, isAround }) => !isAround && portsMeet(mitigation.match, rule.match),
  );
  if (overlapping.length === 0) return { kind: 'new' };
  const mitigations = overlapping.map(({ mitigation }) => mitigation);
  if (fresh.ports.length === 0) return { kind: 'partial', overlapping: mitigations, newPorts: undefined };
  const newPorts = fresh.ports.filter(
    (port) => !mitigations.some(({ match }) => inRanges(port, match.dstPorts)),
  );
  return newPorts.length === 0
    ? { kind: 'covered', by: mitigations }
    : { kind: 'partial', overlapping: mitigations, newPorts };
}

function byAge(a: Mitigation, b: Mitigation): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

/** True when two lists of destination ports share one; an empty list holds every port. */
function portsMeet(a: Match, b: Match): boolean {
  if (a.dstPorts.length === 0 || b.dstPorts.length === 0) return true;
  return a.dstPorts.some(([from, to]) => b.dstPorts.some((range) => range[0] <= to && from <= range[1]));
}

// Compares what rules match.

/** Canonical text; equal exactly when two matches mean the same FlowSpec rule, or two routes have the same prefix. */
export type MatchKey = string;

/** Returns the key of a match in normal form; an absent list and an empty one are the same. */
export function matchKey(match: Match): MatchKey {
  const flags =
    (match.tcpFlags ?? 0) === 0 && (match.tcpFlagsClear ?? 0) === 0
      ? ''
      : `${match.tcpFlags ?? 0}/${match.tcpFlagsClear ?? 0}`;
  const prefixes = `${match.dstPrefix}|${match.srcPrefix ?? ''}`;
  const ports = `${rangesText(match.dstPorts)}|${rangesText(match.srcPorts)}`;
  const lengths = match.packetLengths === undefined ? '' : rangesText(match.packetLengths);
  return `${prefixes}|${match.protocol ?? ''}|${ports}|${lengths}|${flags}|${match.fragments === true ? 'f' : ''}`;
}

/**
 * Returns the key of a mitigation's rule: a router holds one rule for each match, and one unicast route for each prefix,
 * whether it diverts or blackholes.
 */
export function ruleKey({ match, action }: Pick<Mitigation, 'match' | 'action'>): MatchKey {
  return ruleKind(action) === 'flowspec' ? matchKey(match) : unicastKey(match.dstPrefix);
}

/** Returns the keys of all rules that a mitigation may have: its own, and that of its filter. */
export function ruleKeys(mitigation: Pick<Mitigation, 'match' | 'action' | 'filter'>): readonly MatchKey[] {
  const { filter } = mitigation;
  const own = ruleKey(mitigation);
  return filter === undefined || filter === null ? [own] : [own, matchKey(filter.match)];
}

/** True when two matches differ only in their destination ports. */
export function sameButDstPorts(a: Match, b: Match): boolean {
  return (
    a.dstPrefix === b.dstPrefix &&
    a.protocol === b.protocol &&
    (a.srcPrefix ?? '') === (b.srcPrefix ?? '') &&
    (a.tcpFlags ?? 0) === (b.tcpFlags ?? 0) &&
    (a.tcpFlagsClear ?? 0) === (b.tcpFlagsClear ?? 0) &&
    (a.fragments ?? false) === (b.fragments ?? false) &&
    rangesText(a.srcPorts) === rangesText(b.srcPorts) &&
    rangesText(a.packetLengths ?? []) === rangesText(b.packetLengths ?? [])
  );
}

/** True when `outer` matches all destination ports of `inner`; other components are not compared. */
export function dstPortsCover(outer: Match, inner: Match): boolean {
  return rangesCover(outer.dstPorts, inner.dstPorts);
}

function rangesText(ranges: readonly Range[]): string {
  let text = '';
  for (const [from, to] of ranges) {
    if (text !== '') text += ',';
    text += from === to ? from : `${from}-${to}`;
  }
  return text;
}
