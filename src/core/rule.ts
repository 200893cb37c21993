/** From an attack to the match of a rule: ports, allowed ports, reflectors, refinements (INTERFACES "What an event leads to", 3). */
import { formatPrefix } from '../net/prefix.ts';
import type { AllowedPorts } from './inventory.ts';
import { narrowPorts, normalRanges, portRanges, rangesAround, rangesMeet, shared, without } from './ports.ts';
import { type Refinement, refinementWords } from './refinement.ts';
import { narrowByTraits } from './traits.ts';
import type { ActionType, Match, Range, TrafficTraits } from './types.ts';
import { hasPorts, Protocol, protocolWords, reflectorPort } from './vectors.ts';
import { portWords } from './words.ts';

/** What a rule is drafted from. */
export interface RuleRequest {
  /** Canonical address or prefix. */
  readonly victim: string;
  /** null for an operator's own rule. */
  readonly vector: string | null;
  readonly protocol: number | null;
  /** Destination ports under attack, ascending; empty when they are not known. */
  readonly ports: readonly number[];
  readonly allowedPorts: AllowedPorts;
  readonly refinement: Refinement;
  /** What the report says of the packets beside their ports. */
  readonly traits?: TrafficTraits;
  readonly action: ActionType;
}

export interface Rule {
  readonly match: Match;
  /** As in Mitigation. */
  readonly ports: readonly number[];
  readonly excludedPorts: readonly number[];
}

/** A wider range of allowed ports is not written out port by port; the match says it. */
const MOST_LISTED = 64;

/** `rule` is null when nothing may be done, and `why` ends in the reason. */
export interface RuleDraft {
  readonly rule: Rule | null;
  readonly why: readonly string[];
}

/** The service's allowed ports as far as they concern a protocol; of TCP and UDP together when it is not known. */
export function allowedFor(allowed: AllowedPorts, protocol: number | null): readonly Range[] {
  if (protocol === Protocol.Udp) return allowed.udp;
  if (protocol === Protocol.Tcp) return allowed.tcp;
  return protocol === null ? normalRanges([...allowed.udp, ...allowed.tcp]) : [];
}

/** True when a rule with this match would hit an allowed port; such a rule may police and must never discard. */
export function hitsAllowedPort(match: Match, allowed: AllowedPorts): boolean {
  const ports = allowedFor(allowed, match.protocol);
  return match.dstPorts.length === 0 ? ports.length > 0 : rangesMeet(ports, match.dstPorts);
}

/** True when a rule matches packets to its victim whatever their protocol, allowed ports aside. */
export function isWholeHost({ match, ports }: Rule): boolean {
  const { srcPorts, packetLengths = [], srcPrefix, tcpFlags, fragments } = match;
  return (
    match.protocol === null &&
    ports.length + srcPorts.length + packetLengths.length === 0 &&
    srcPrefix === undefined &&
    tcpFlags === undefined &&
    fragments !== true
  );
}

/**
 * The ports that a rule leaves alone as ranges: those that were named and are allowed, or where it names none, every port
 * that its match goes around.
 */
export function sparedRanges({ match, ports, excludedPorts }: Rule): readonly Range[] {
  if (ports.length > 0 || match.dstPorts.length === 0) return portRanges(excludedPorts);
  return rangesAround(match.dstPorts);
}

/** Drafts the narrowest rule that answers the attack and spares the service's allowed ports. */
export function draftRule(wish: RuleRequest): RuleDraft {
  const unfit = unfitRefinement(wish);
  if (unfit !== null) return { rule: null, why: [unfit] };
  const mustSpare = wish.action === 'discard' && allowedFor(wish.allowedPorts, wish.protocol).length > 0;
  const narrowed = narrowByTraits({ ...wish, mustSpare });
  const draft = draftPorts({ ...wish, refinement: narrowed.refinement });
  if (draft.rule === null) return draft;
  const words = refinementWords(wish.refinement);
  const step = words === '' ? [] : [`the step narrows the rule: ${words}`];
  return { rule: draft.rule, why: [...draft.why, ...step, ...narrowed.why] };
}

function draftPorts(wish: RuleRequest): RuleDraft {
  const allowed = allowedFor(wish.allowedPorts, wish.protocol);
  const reflector = wish.vector === null ? undefined : reflectorPort(wish.vector);
  if (wish.refinement.fragments) return draftFragments(wish, allowed);
  if (!hasPorts(wish.protocol)) {
    const why =
      wish.ports.length === 0
        ? []
        : [`${protocolWords(wish.protocol)} has no ports; those named are left aside`];
    return { rule: ruleOf(wish, [], []), why };
  }
  if (reflector !== undefined) {
    const why = [
      `${wish.vector} comes from the reflectors' source port ${reflector}; destination ports do not tell`,
    ];
    return draftAround(wish, allowed, why);
  }
  return wish.ports.length === 0 ? draftAround(wish, allowed, []) : draftNamed(wish, allowed);
}

/** Ports are named: those of them that are not allowed. */
function draftNamed(wish: RuleRequest, allowed: readonly Range[]): RuleDraft {
  const named = without(wish.ports, allowed);
  const spared = shared(wish.ports, allowed);
  if (named.length > 0) {
    const why = [`the rule names ${portWords(named)}`];
    if (spared.length > 0) why.push(`${portWords(spared)} left alone: allowed for the service`);
    return { rule: ruleOf(wish, portRanges(named), named, spared), why };
  }
  if (wish.action === 'discard') {
    const why = `nothing but allowed ${portWords(spared)} is left, and allowed ports are never discarded`;
    return { rule: null, why: [why] };
  }
  const why = `${portWords(spared)} allowed for the service: policed, never discarded, so the rule does not escalate`;
  return { rule: ruleOf(wish, portRanges(spared), spared), why: [why] };
}

/** No ports are named: the protocol except the allowed ports, as ranges around them, because some routers reset on `!=`. */
function draftAround(wish: RuleRequest, allowed: readonly Range[], before: readonly string[]): RuleDraft {
  const what = protocolWords(wish.protocol);
  if (allowed.length === 0) {
    return { rule: ruleOf(wish, [], []), why: [...before, `the rule covers ${what}, every port`] };
  }
  const around = rangesAround(allowed);
  if (around.length === 0) {
    return { rule: null, why: [...before, 'every port is allowed for the service: nothing is left'] };
  }
  const why = [...before, `the rule covers ${what} except the allowed ${portWords(allowed)}`];
  if (wish.protocol === null) why.push('only TCP and UDP have ports: other protocols pass this rule');
  return { rule: ruleOf(wish, around, [], narrowPorts(allowed, MOST_LISTED)), why };
}

/** Later fragments carry no ports, so allowed ports cannot be told apart. */
function draftFragments(wish: RuleRequest, allowed: readonly Range[]): RuleDraft {
  if (wish.action === 'discard' && allowed.length > 0) {
    const why = `fragments carry no ports, so the allowed ${portWords(allowed)} cannot be spared; allowed ports are never discarded`;
    return { rule: null, why: [why] };
  }
  return {
    rule: ruleOf(wish, [], []),
    why: [`the rule covers fragments of ${protocolWords(wish.protocol)}`],
  };
}

function ruleOf(
  wish: RuleRequest,
  dstPorts: readonly Range[],
  ports: readonly number[],
  excludedPorts: readonly number[] = [],
): Rule {
  const { refinement, victim, vector, protocol } = wish;
  const reflector = vector === null ? undefined : reflectorPort(vector);
  const ownSource: readonly Range[] = reflector === undefined ? [] : [[reflector, reflector]];
  const match: Match = {
    dstPrefix: destinationOf(victim),
    protocol,
    dstPorts,
    srcPorts: refinement.srcPorts.length > 0 ? refinement.srcPorts : ownSource,
    ...(refinement.srcPrefix === null ? {} : { srcPrefix: formatPrefix(refinement.srcPrefix) }),
    ...(refinement.packetLengths.length === 0 ? {} : { packetLengths: refinement.packetLengths }),
    ...(refinement.tcpFlags === 0 ? {} : { tcpFlags: refinement.tcpFlags }),
    ...(refinement.tcpFlagsClear === 0 ? {} : { tcpFlagsClear: refinement.tcpFlagsClear }),
    ...(refinement.fragments ? { fragments: true } : {}),
  };
  return { match, ports, excludedPorts };
}

/** A victim as a rule's destination: a prefix as it is, an address as the prefix that holds it alone. */
export function destinationOf(victim: string): string {
  if (victim.includes('/')) return victim;
  return `${victim}/${victim.includes(':') ? 128 : 32}`;
}

/** A refinement that no packet of this attack could meet. */
function unfitRefinement({ refinement, protocol, victim }: RuleRequest): string | null {
  if (refinement.tcpFlags !== 0 && protocol !== null && protocol !== Protocol.Tcp) {
    return `the step matches TCP flags, which ${protocolWords(protocol)} does not have: nothing to filter`;
  }
  if (refinement.srcPorts.length > 0 && !hasPorts(protocol)) {
    return `the step matches source ports, which ${protocolWords(protocol)} does not have: nothing to filter`;
  }
  const family = victim.includes(':') ? 6 : 4;
  if (refinement.srcPrefix !== null && refinement.srcPrefix.family !== family) {
    return `the step matches an IPv${refinement.srcPrefix.family} source, the victim is IPv${family}: nothing to filter`;
  }
  return null;
}
