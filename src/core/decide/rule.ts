/** Drafts a rule's match for an attack: ports, allowed ports, reflectors and refinements. */
import { formatPrefix } from '../../net/prefix.ts';
import type { AllowedPorts } from '../policy/inventory.ts';
import {
  narrowPorts,
  normalRanges,
  portRanges,
  portSet,
  rangesAround,
  rangesMeet,
  shared,
  without,
} from '../policy/ports.ts';
import { type Refinement, refinementWords, tcpFlagWords } from '../policy/refinement.ts';
import {
  hasPorts,
  isAmplification,
  isReflectorPort,
  Protocol,
  protocolWords,
  reflectorPort,
} from '../policy/vectors.ts';
import { portWords, rangeText } from '../rule-text.ts';
import type { ActionType } from '../action.ts';
import type { Match, Range, TrafficTraits } from '../types.ts';

/** The inputs of a rule. */
export interface RuleRequest {
  /** Canonical address or prefix. */
  readonly victim: string;
  /** Undefined for an operator's own rule. */
  readonly vector: string | undefined;
  readonly protocol: number | null;
  /** Destination ports under attack, ascending; empty when unknown. */
  readonly ports: readonly number[];
  readonly allowedPorts: AllowedPorts;
  readonly refinement: Refinement;
  /** Further properties of the packets, as reported. */
  readonly traits?: TrafficTraits;
  readonly action: ActionType;
}

export interface Rule {
  readonly match: Match;
  /** As in Mitigation. */
  readonly ports: readonly number[];
  readonly excludedPorts: readonly number[];
}

/** Ranges of more allowed ports than this are not listed port by port; the match contains them. */
const MOST_LISTED = 64;

/** `rule` is undefined when nothing may be filtered; then the last line of `why` says why. */
export interface RuleDraft {
  readonly rule: Rule | undefined;
  readonly why: readonly string[];
}

/** Returns the service's allowed ports of a protocol; of TCP and UDP together when the protocol is unknown. */
export function allowedFor(allowed: AllowedPorts, protocol: number | null): readonly Range[] {
  if (protocol === Protocol.Udp) return allowed.udp;
  if (protocol === Protocol.Tcp) return allowed.tcp;
  return protocol === null ? normalRanges([...allowed.udp, ...allowed.tcp]) : [];
}

/** True when a rule with this match would hit an allowed port; such a rule may police but must never discard. */
export function hitsAllowedPort(match: Match, allowed: AllowedPorts): boolean {
  const ports = allowedFor(allowed, match.protocol);
  return match.dstPorts.length === 0 ? ports.length > 0 : rangesMeet(ports, match.dstPorts);
}

/** True when a rule matches every protocol to its victim, except allowed ports. */
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
 * Returns the ports that a rule leaves alone, as ranges: the reported ports that are allowed; or, when the rule names
 * none, every port that its match excludes.
 */
export function excludedRanges({ match, ports, excludedPorts }: Rule): readonly Range[] {
  if (ports.length > 0 || match.dstPorts.length === 0) return portRanges(excludedPorts);
  return rangesAround(match.dstPorts);
}

/** Drafts the narrowest rule that answers the attack without touching the service's allowed ports. */
export function draftRule(request: RuleRequest): RuleDraft {
  const unfit = unfitRefinement(request);
  if (unfit !== undefined) return { rule: undefined, why: [unfit] };
  const mustExclude =
    request.action === 'discard' && allowedFor(request.allowedPorts, request.protocol).length > 0;
  const narrowed = narrowByTraits({ ...request, mustExclude });
  const draft = draftPorts({ ...request, refinement: narrowed.refinement });
  if (draft.rule === undefined) return draft;
  const words = refinementWords(request.refinement);
  const step = words === '' ? [] : [`the step narrows the rule: ${words}`];
  return { rule: draft.rule, why: [...draft.why, ...step, ...narrowed.why] };
}

function draftPorts(request: RuleRequest): RuleDraft {
  const allowed = allowedFor(request.allowedPorts, request.protocol);
  const reflector = request.vector === undefined ? undefined : reflectorPort(request.vector);
  if (request.refinement.fragments) return draftFragments(request, allowed);
  if (!hasPorts(request.protocol)) {
    const why =
      request.ports.length === 0
        ? []
        : [`${protocolWords(request.protocol)} has no ports; the reported ports are ignored`];
    return { rule: ruleOf(request, [], []), why };
  }
  if (reflector !== undefined) {
    const why = [
      `${request.vector} comes from the reflectors' source port ${reflector}; destination ports are not a useful criterion`,
    ];
    return draftAround(request, allowed, why);
  }
  return request.ports.length === 0 ? draftAround(request, allowed, []) : draftNamed(request, allowed);
}

/** Drafts a rule for the reported ports, without the allowed ones. */
function draftNamed(request: RuleRequest, allowed: readonly Range[]): RuleDraft {
  const named = without(request.ports, allowed);
  const spared = shared(request.ports, allowed);
  if (named.length > 0) {
    const why = [`the rule names ${portWords(named)}`];
    if (spared.length > 0) why.push(`${portWords(spared)} excluded: allowed for the service`);
    return { rule: ruleOf(request, portRanges(named), named, spared), why };
  }
  if (request.action === 'discard') {
    const why = `only allowed ${portWords(spared)} would be left, and allowed ports are never discarded`;
    return { rule: undefined, why: [why] };
  }
  const why = `${portWords(spared)} allowed for the service: policed, never discarded, so the rule does not escalate`;
  return { rule: ruleOf(request, portRanges(spared), spared), why: [why] };
}

/** Drafts a rule for all ports but the allowed ones, as ranges around them, because some routers reset on `!=`. */
function draftAround(request: RuleRequest, allowed: readonly Range[], before: readonly string[]): RuleDraft {
  const what = protocolWords(request.protocol);
  if (allowed.length === 0) {
    return { rule: ruleOf(request, [], []), why: [...before, `the rule covers ${what}, every port`] };
  }
  const around = rangesAround(allowed);
  if (around.length === 0) {
    return {
      rule: undefined,
      why: [...before, 'every port is allowed for the service: nothing is left to filter'],
    };
  }
  const why = [...before, `the rule covers ${what} except the allowed ${portWords(allowed)}`];
  if (request.protocol === null)
    why.push('the rule matches TCP and UDP only; other protocols are not filtered');
  return { rule: ruleOf(request, around, [], narrowPorts(allowed, MOST_LISTED)), why };
}

/** Drafts a rule for fragments. Later fragments carry no ports, so allowed ports cannot be told apart. */
function draftFragments(request: RuleRequest, allowed: readonly Range[]): RuleDraft {
  if (request.action === 'discard' && allowed.length > 0) {
    const why = `fragments carry no ports, so the allowed ${portWords(allowed)} cannot be spared; allowed ports are never discarded`;
    return { rule: undefined, why: [why] };
  }
  return {
    rule: ruleOf(request, [], []),
    why: [`the rule covers fragments of ${protocolWords(request.protocol)}`],
  };
}

function ruleOf(
  request: RuleRequest,
  dstPorts: readonly Range[],
  ports: readonly number[],
  excludedPorts: readonly number[] = [],
): Rule {
  const { refinement, victim, vector, protocol } = request;
  const reflector = vector === undefined ? undefined : reflectorPort(vector);
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

/** Returns a victim as a rule's destination: a prefix unchanged, an address as /32 or /128. */
export function destinationOf(victim: string): string {
  if (victim.includes('/')) return victim;
  return `${victim}/${victim.includes(':') ? 128 : 32}`;
}

/** Explains why no packet of this attack could match the refinement; undefined when one could. */
function unfitRefinement({ refinement, protocol, victim }: RuleRequest): string | undefined {
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
  return undefined;
}

// Narrows a rule by a report's further properties of the packets, where that is safe: a rule that is too narrow lets
// the attack through. If the playbook's step matches the same property itself, the step has precedence.

/** More source ports than this are not taken for reflectors' ports. */
const MOST_SOURCE_PORTS = 8;

/** A step's refinement with the report's additions. */
export interface Narrowing {
  readonly refinement: Refinement;
  readonly why: readonly string[];
}

/** The inputs that decide which traits a rule may match. */
export interface TraitCase {
  readonly vector: string | undefined;
  readonly protocol: number | null;
  readonly refinement: Refinement;
  readonly traits?: TrafficTraits;
  /** The rule must leave ports alone, which later fragments do not carry. */
  readonly mustExclude: boolean;
}

/** Adds a report's traits to a step's refinement, where it is safe to match them. */
export function narrowByTraits(request: TraitCase): Narrowing {
  const { traits } = request;
  if (traits === undefined) return { refinement: request.refinement, why: [] };
  const lengths = narrowByLengths(request.refinement, traits);
  const fragments = narrowByFragments({ ...request, refinement: lengths.refinement }, traits);
  const before = [...lengths.why, ...fragments.why];
  // Later fragments carry neither ports nor flags.
  if (fragments.refinement.fragments) return { refinement: fragments.refinement, why: before };
  const flags = narrowByFlags({ ...request, refinement: fragments.refinement }, traits);
  return narrowBySourcePorts({ ...request, refinement: flags.refinement }, traits, [...before, ...flags.why]);
}

function narrowByLengths(refinement: Refinement, { packetLengths = [] }: TrafficTraits): Narrowing {
  if (packetLengths.length === 0 || refinement.packetLengths.length > 0) return { refinement, why: [] };
  const words = packetLengths.map(rangeText).join(', ');
  return {
    refinement: { ...refinement, packetLengths: normalRanges(packetLengths) },
    why: [`the report narrows the rule to packet lengths ${words}`],
  };
}

function narrowByFragments({ vector, refinement, mustExclude }: TraitCase, traits: TrafficTraits): Narrowing {
  const saysOtherwise = refinement.fragments || refinement.srcPorts.length > 0 || refinement.tcpFlags !== 0;
  const isReflected = vector !== undefined && reflectorPort(vector) !== undefined;
  if (traits.fragments !== true || saysOtherwise || isReflected) return { refinement, why: [] };
  if (mustExclude) {
    const why =
      'the rule is not narrowed to fragments: they carry no ports, so the allowed ones could not be spared';
    return { refinement, why: [why] };
  }
  return {
    refinement: { ...refinement, fragments: true },
    why: ['the report narrows the rule to fragments'],
  };
}

function narrowByFlags({ protocol, refinement }: TraitCase, traits: TrafficTraits): Narrowing {
  const { tcpFlags = 0, tcpFlagsClear = 0 } = traits;
  if (tcpFlags === 0) return { refinement, why: [] };
  const words = tcpFlagWords(traits).join(', ');
  if (protocol !== Protocol.Tcp) {
    return {
      refinement,
      why: [`TCP flags ${words} of the report are not used: the rule is not for TCP alone`],
    };
  }
  if (refinement.tcpFlags !== 0) return { refinement, why: [] };
  return {
    refinement: { ...refinement, tcpFlags, tcpFlagsClear: tcpFlagsClear & ~tcpFlags },
    why: [`the report narrows the rule to packets with TCP flags ${words}`],
  };
}

function narrowBySourcePorts(
  { vector, protocol, refinement }: TraitCase,
  { srcPorts = [] }: TrafficTraits,
  before: readonly string[],
): Narrowing {
  if (srcPorts.length === 0 || refinement.srcPorts.length > 0) return { refinement, why: before };
  const own = vector === undefined ? undefined : reflectorPort(vector);
  const fresh = srcPorts.filter((port) => port !== own);
  if (fresh.length === 0) return { refinement, why: before };
  const reflected =
    fresh.every(isReflectorPort) || (own === undefined && vector !== undefined && isAmplification(vector));
  if (protocol !== Protocol.Udp || !reflected || srcPorts.length > MOST_SOURCE_PORTS) {
    const why = `source ${portWords(fresh.slice(0, MOST_SOURCE_PORTS))} of the report ${fresh.length === 1 ? 'does' : 'do'} not narrow the rule: only those of UDP reflectors do`;
    return { refinement, why: [...before, why] };
  }
  const ports = portSet(own === undefined ? srcPorts : [own, ...srcPorts]);
  return {
    refinement: { ...refinement, srcPorts: portRanges(ports) },
    why: [...before, `the report narrows the rule to source ${portWords(ports)}`],
  };
}

/** Returns the traits that narrow a rule beyond its step's refinement, so that they narrow the next step, too. */
export function traitsBehind(match: Match, step: Refinement | undefined): TrafficTraits {
  const ports = (step?.srcPorts ?? []).length > 0 ? [] : normalRanges(match.srcPorts);
  const srcPorts = ports.flatMap(([from, to]) =>
    Array.from({ length: Math.min(to - from, MOST_SOURCE_PORTS) + 1 }, (_, i) => from + i),
  );
  const flags: Pick<Match, 'tcpFlags' | 'tcpFlagsClear'> = (step?.tcpFlags ?? 0) === 0 ? match : {};
  const lengths = (step?.packetLengths ?? []).length > 0 ? [] : (match.packetLengths ?? []);
  return {
    ...(lengths.length === 0 ? {} : { packetLengths: lengths }),
    ...(match.fragments === true && step?.fragments !== true ? { fragments: true } : {}),
    ...(srcPorts.length === 0 ? {} : { srcPorts }),
    ...(flags.tcpFlags === undefined ? {} : { tcpFlags: flags.tcpFlags }),
    ...(flags.tcpFlagsClear === undefined ? {} : { tcpFlagsClear: flags.tcpFlagsClear }),
  };
}

/** Returns a report's traits without those kinds that do not narrow the rule: a wider rule covers them all. */
export function traitsUnder(
  traits: TrafficTraits | undefined,
  match: Match,
  step: Refinement | undefined,
): TrafficTraits | undefined {
  if (traits === undefined) return undefined;
  const behind = traitsBehind(match, step);
  const lost = (['srcPorts', 'tcpFlags', 'packetLengths', 'fragments'] as const).filter(
    (key) => traits[key] !== undefined && behind[key] === undefined,
  );
  if (lost.length === 0) return traits;
  const kept = { ...traits };
  for (const key of lost) delete kept[key];
  if (kept.tcpFlags === undefined) delete kept.tcpFlagsClear;
  return kept;
}
