/**
 * What a report says about the packets of an attack beside its ports narrows the rule where that is safe: a rule that is
 * too narrow lets the attack through. A playbook's step that matches the same thing itself has precedence.
 */
import { normalRanges, portRanges, portSet } from './ports.ts';
import { type Refinement, tcpFlagWords } from './refinement.ts';
import type { Match, TrafficTraits } from './types.ts';
import { isAmplification, isReflectorPort, Protocol, reflectorPort } from './vectors.ts';
import { portWords, rangeText } from './words.ts';

/** More source ports than this are no ports of reflectors. */
const MOST_SOURCE_PORTS = 8;

/** A step's refinement with what the report adds to it. */
export interface Narrowing {
  readonly refinement: Refinement;
  readonly why: readonly string[];
}

/** What is attacked and how, as far as traits are judged by it. */
export interface TraitCase {
  readonly vector: string | null;
  readonly protocol: number | null;
  readonly refinement: Refinement;
  readonly traits?: TrafficTraits;
  /** The rule must spare ports, by which fragments cannot be told apart. */
  readonly mustSpare: boolean;
}

/** Adds what the report says of the packets to a step's refinement, where it is safe to match. */
export function narrowByTraits(wish: TraitCase): Narrowing {
  const { traits } = wish;
  if (traits === undefined) return { refinement: wish.refinement, why: [] };
  const lengths = narrowByLengths(wish.refinement, traits);
  const fragments = narrowByFragments({ ...wish, refinement: lengths.refinement }, traits);
  const before = [...lengths.why, ...fragments.why];
  // Later fragments carry neither ports nor flags.
  if (fragments.refinement.fragments) return { refinement: fragments.refinement, why: before };
  const flags = narrowByFlags({ ...wish, refinement: fragments.refinement }, traits);
  return narrowBySourcePorts({ ...wish, refinement: flags.refinement }, traits, [...before, ...flags.why]);
}

function narrowByLengths(refinement: Refinement, { packetLengths = [] }: TrafficTraits): Narrowing {
  if (packetLengths.length === 0 || refinement.packetLengths.length > 0) return { refinement, why: [] };
  const words = packetLengths.map(rangeText).join(', ');
  return {
    refinement: { ...refinement, packetLengths: normalRanges(packetLengths) },
    why: [`the report narrows the rule to packet lengths ${words}`],
  };
}

function narrowByFragments({ vector, refinement, mustSpare }: TraitCase, traits: TrafficTraits): Narrowing {
  const saysOtherwise = refinement.fragments || refinement.srcPorts.length > 0 || refinement.tcpFlags !== 0;
  const isReflected = vector !== null && reflectorPort(vector) !== undefined;
  if (traits.fragments !== true || saysOtherwise || isReflected) return { refinement, why: [] };
  if (mustSpare) {
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
  const own = vector === null ? undefined : reflectorPort(vector);
  const fresh = srcPorts.filter((port) => port !== own);
  if (fresh.length === 0) return { refinement, why: before };
  const reflected =
    fresh.every(isReflectorPort) || (own === undefined && vector !== null && isAmplification(vector));
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

/** What narrows a rule beyond the step that it was drafted under, so that it narrows the next step, too. */
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

/** A report's traits as far as a rule is narrowed by any such: what a wider rule covers need not be told apart. */
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
