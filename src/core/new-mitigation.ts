/** Mitigations at their beginning. */
import type { DecideContext } from './commands.ts';
import type { Ownership } from './inventory.ts';
import type { Rule } from './rule.ts';
import type { Actor, Mitigation, MitigationAction, RefusalReason } from './types.ts';

export interface MitigationDraft {
  readonly victim: string;
  readonly vector: string;
  /** null for an operator's own. */
  readonly source: string | null;
  readonly owner: Ownership | undefined;
  readonly rule: Rule;
  readonly action: MitigationAction;
  readonly playbook: string | null;
  /** Index of the playbook's step; absent: 0. */
  readonly step?: number;
  readonly eventId: string | null;
  readonly actor: Actor;
  readonly reason: string;
  readonly why: readonly string[];
}

/** An active mitigation that begins now. */
export function newMitigation(
  draft: MitigationDraft,
  ttlSeconds: number,
  { now, newId, policy }: DecideContext,
): Mitigation {
  const { owner, rule, step = 0 } = draft;
  return {
    id: newId(),
    status: 'active',
    ending: null,
    customerId: owner?.customerId ?? null,
    serviceId: owner?.serviceId ?? null,
    pop: policy.pop,
    victim: draft.victim,
    vector: draft.vector,
    source: draft.source,
    match: rule.match,
    ports: rule.ports,
    excludedPorts: rule.excludedPorts,
    action: draft.action,
    playbook: draft.playbook,
    step,
    ...(step === 0 ? {} : { firstStep: step }),
    stepSince: now,
    createdAt: now,
    updatedAt: now,
    expiresAt: now + ttlSeconds * 1000,
    holds: [],
    endedAt: null,
    triggeringEventId: draft.eventId,
    lastEventId: draft.eventId,
    createdBy: draft.actor,
    dryRun: policy.mode === 'dry-run',
    reason: draft.reason,
    why: draft.why,
  };
}

/** What would have been, kept as an answer: it never was active. */
export function rejectedMitigation(
  draft: MitigationDraft,
  reason: RefusalReason,
  context: DecideContext,
): Mitigation {
  const would = newMitigation(draft, 0, context);
  return { ...would, status: 'rejected', endedAt: context.now, reason };
}
