/** Which playbook answers an attack (INTERFACES "What an event leads to", 2). */
import type { Playbook, PlaybookMatch, PlaybookSet } from './playbook.ts';
import type { ProfileName } from './profile.ts';
import { protocolWords } from './vectors.ts';
import { rateWords } from '../net/text.ts';

/** What a playbook is chosen by. */
export interface Attack {
  readonly vector: string;
  readonly source: string;
  readonly protocol: number | null;
  readonly bps: number | null;
  readonly pps: number | null;
  /** 0..1 */
  readonly confidence: number | null;
  readonly ports: readonly number[];
  readonly customerId: string | null;
  readonly profile: ProfileName;
}

/** `playbook` is null when none matches and there is no default. */
export interface PlaybookChoice {
  readonly playbook: Playbook | null;
  readonly why: readonly string[];
}

/**
 * The first playbook of the attack's vector whose conditions all hold. Those that name a customer are asked first, then
 * those that name a source, a protocol, a profile; among equals the order of the file decides. Else the default.
 */
export function choosePlaybook(set: PlaybookSet, attack: Attack): PlaybookChoice {
  const why: string[] = [];
  for (const playbook of set.byVector.get(attack.vector) ?? []) {
    const unmet = unmetCondition(playbook.match, attack);
    if (unmet === null) {
      why.push(`playbook ${playbook.name} is for ${attack.vector}`);
      return { playbook, why };
    }
    why.push(`playbook ${playbook.name} does not apply: ${unmet}`);
  }
  if (set.fallback !== null) {
    why.push(`no playbook is for this ${attack.vector}; the default playbook ${set.fallback.name} applies`);
    return { playbook: set.fallback, why };
  }
  why.push(`no playbook is for this ${attack.vector}, and there is no default playbook`);
  return { playbook: null, why };
}

function unmetCondition(match: PlaybookMatch, attack: Attack): string | null {
  if (match.customers.length > 0 && !match.customers.includes(attack.customerId ?? '')) {
    return `it is for customer ${match.customers.join(', ')}`;
  }
  if (match.sources.length > 0 && !match.sources.includes(attack.source)) {
    return `it is for reports of ${match.sources.join(', ')}`;
  }
  if (match.protocol !== null && match.protocol !== attack.protocol) {
    return `it is for ${protocolWords(match.protocol)}`;
  }
  if (match.profiles.length > 0 && !match.profiles.includes(attack.profile)) {
    return `it is for customers of profile ${match.profiles.join(', ')}`;
  }
  if (match.requirePorts && attack.ports.length === 0) return 'it needs ports, and the event names none';
  return unmetThreshold(match, attack);
}

/** Which of the playbook's least figures an event misses, in words; null when it meets them all. */
export function unmetThreshold(
  match: PlaybookMatch,
  attack: Pick<Attack, 'bps' | 'pps' | 'confidence'>,
): string | null {
  const { bps, pps, confidence } = attack;
  if (match.minBps !== null && (bps === null || bps < match.minBps)) {
    return `it needs at least ${rateWords(match.minBps)}, the event says ${bps === null ? 'none' : rateWords(bps)}`;
  }
  if (match.minPps !== null && (pps === null || pps < match.minPps)) {
    return `it needs at least ${match.minPps} packets/s, the event says ${pps ?? 'none'}`;
  }
  if (match.minConfidence !== null && (confidence === null || confidence < match.minConfidence)) {
    return `it needs a confidence of at least ${match.minConfidence}, the event says ${confidence ?? 'none'}`;
  }
  return null;
}
