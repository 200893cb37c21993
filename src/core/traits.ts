/**
 * What a report says about the packets of an attack beside its ports narrows the rule where that is safe: a rule that is
 * too narrow lets the attack through. A playbook's step that matches the same thing itself has precedence.
 */
import { normalRanges, portRanges, portSet } from './ports.ts';
import { type Refinement, tcpFlagWords } from './refinement.ts';
import type { Match, TrafficTraits } from './types.ts';
import { isAmplification, isReflectorPort, Protocol, reflectorPort } from './vectors.ts';
import { portWords } from './words.ts';

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
}

/** Adds the report's source ports and TCP flags to a step's refinement, where they are safe to match. */
export function narrowByTraits(wish: TraitCase): Narrowing {
  const { traits, refinement } = wish;
  // Later fragments carry neither ports nor flags.
  if (traits === undefined || refinement.fragments) return { refinement, why: [] };
  const flags = narrowByFlags(wish, traits);
  return narrowBySourcePorts({ ...wish, refinement: flags.refinement }, traits, flags.why);
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
  return {
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
  const keepsPorts = traits.srcPorts === undefined || behind.srcPorts !== undefined;
  const keepsFlags = traits.tcpFlags === undefined || behind.tcpFlags !== undefined;
  if (keepsPorts && keepsFlags) return traits;
  const { srcPorts, tcpFlags, tcpFlagsClear, ...rest } = traits;
  return {
    ...rest,
    ...(keepsPorts && srcPorts !== undefined ? { srcPorts } : {}),
    ...(keepsFlags && tcpFlags !== undefined ? { tcpFlags } : {}),
    ...(keepsFlags && tcpFlagsClear !== undefined ? { tcpFlagsClear } : {}),
  };
}
