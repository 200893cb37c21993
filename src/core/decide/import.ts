/**
 * Decides what becomes of another POP's mitigation here. Its owner alone writes versions of it, and this POP carries
 * them out as far as its own inventory, guardrails, safelist, quotas and neighbors allow: a POP that is wrong cannot make
 * the others filter what they protect.
 *
 *     unknown ──────▶ active ──▶ withdrawn, here or by its POP: final
 *        │ refused     │  ▲ ╲
 *        ▼             ▼  │  ╲▶ expired by its POP: final
 *     decided again   expired here for want of news: a newer version begins it again
 */
import { sameAction } from '../action.ts';
import type { Answer, Command, DecideContext, Decision } from '../commands.ts';
import type { Fact, MitigationChange } from '../facts.ts';
import {
  compareVersions,
  type EndedIntent,
  isForHere,
  isImported,
  namesPop,
  popActor,
  type StandingIntent,
} from '../intent.ts';
import { maxTtlSeconds } from '../policy/scrubbers.ts';
import type { Refusal } from '../policy/guardrails.ts';
import { IMPORT_MEMORY_MS, isFinalEnding } from '../state/imports.ts';
import { isActive } from '../state/indices.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Ending, IntentVersion, Mitigation } from '../types.ts';
import { secondsWords } from '../../net/text.ts';
import { ownerOf, ownerWords } from '../victim.ts';
import { matchKey } from './correlate.ts';
import { pausedWords } from './event-answer.ts';
import { predict, shortfallWords } from './forecast.ts';
import { checkImportedForm, checkImportQuotas, type ImportedForm, importedForm } from './imported-form.ts';
import { endingFacts } from './lifecycle.ts';

type ImportCommand = Extract<Command, { type: 'import' }>;
type ImportOutcome = Extract<Answer, { type: 'import' }>['outcome'];

/** A statement about an active mitigation, with all that a decision about it needs. */
interface Importing {
  readonly state: DecisionView;
  readonly context: DecideContext;
  readonly origin: IntentVersion;
  readonly intent: StandingIntent;
  readonly remainingMs: number;
}

export function decideImport(state: DecisionView, command: ImportCommand, context: DecideContext): Decision {
  const { origin, intent, remainingMs } = command;
  if (intent.kind === 'ended') return endImported(state, origin, intent, context);
  const it: Importing = { state, context, origin, intent, remainingMs };
  const known = state.mitigations.get(intent.id);
  const stranger = strangerWords(known, origin, context) ?? otherVictimWords(known, intent);
  if (stranger !== undefined) return refuse(it, { reason: 'import_not_accepted', detail: stranger });
  const remembered = state.imports.get(intent.id, context.now);
  const version = known?.origin ?? remembered?.version;
  const mayRepeat = known?.ending?.revocable === true;
  if (!mayRepeat && version !== undefined && compareVersions(origin, version) <= 0) {
    return ignored(`${intent.id}: this version, or a newer one, is already known`);
  }
  if (known !== undefined && isImported(known) && isActive(known)) return changeImported(it, known);
  if (remembered?.isFinal === true || (known?.ending && isFinalEnding(known.ending))) return refuseFinal(it);
  if (remainingMs <= 0) return ignored(`${intent.id}: its time is over`);
  if (!namesPop(intent.pops, context.policy.pop)) return ignored(`${intent.id}: it is not for this POP`);
  return beginImported(it, known);
}

/** Explains why a POP may not state anything about this mitigation; undefined when it may. */
function strangerWords(
  known: Mitigation | undefined,
  { pop }: IntentVersion,
  { policy }: DecideContext,
): string | undefined {
  if (pop === policy.pop) return `${pop} is this POP's own name: two daemons must not share it`;
  if (policy.exchange?.accept.includes(pop) !== true) {
    return `this POP takes over nothing from ${pop} (exchange.accept)`;
  }
  const owner = known === undefined ? pop : (known.origin?.pop ?? policy.pop);
  return owner === pop ? undefined : `the mitigation belongs to ${owner}, and not to ${pop}`;
}

/** Explains that a mitigation cannot change its victim; undefined when it does not. */
function otherVictimWords(known: Mitigation | undefined, { victim }: StandingIntent): string | undefined {
  if (known === undefined || known.victim === victim) return undefined;
  return `the mitigation is about ${known.victim}, and not about ${victim}`;
}

/** Begins a mitigation, or begins it again; `known` is its last record, if there is one. */
function beginImported(it: Importing, known: Mitigation | undefined): Decision {
  const { state, context, origin, intent } = it;
  const { policy, now, room } = context;
  const paused = pausedWords(state);
  if (paused !== undefined) return refuse(it, { reason: 'paused', detail: paused });
  const form = importedForm(intent, policy);
  if ('reason' in form) return refuse(it, form);
  const owner = ownerOf(policy.inventory, intent.victim);
  const refusal =
    checkImportedForm(state, policy, intent.victim, form) ??
    checkImportQuotas(state, policy, owner?.customerId ?? null, origin.pop);
  if (refusal !== undefined) return refuse(it, refusal);
  const expiresAt = endOf(it, form);
  const mitigation: Mitigation = {
    id: intent.id,
    status: intent.step > 0 ? 'escalated' : 'active',
    ending: null,
    customerId: owner?.customerId ?? null,
    serviceId: owner?.serviceId ?? null,
    pop: policy.pop,
    origin,
    pops: intent.pops,
    victim: intent.victim,
    vector: intent.vector,
    source: null,
    ...form,
    playbook: intent.playbook,
    step: intent.step,
    stepSince: now,
    // One whose end is not confirmed yet keeps its place in the order of creation.
    createdAt: known?.endedAt === null ? known.createdAt : now,
    updatedAt: now,
    expiresAt,
    renewAt: null,
    ...liftedOf(intent, now, expiresAt),
    holds: [],
    endedAt: null,
    triggeringEventId: null,
    lastEventId: null,
    createdBy: popActor(origin.pop),
    dryRun: policy.mode === 'dry-run',
    reason: intent.reason,
    why: [
      `taken over from ${origin.pop}, which decided it ${secondsWords(intent.createdAgoMs / 1000)} ago`,
      ...intent.why,
      ownerWords(intent.victim, owner),
      ...shortfallWords(predict(policy, form.match, form.action), form.action, room),
      `guardrails of ${policy.pop} passed; TTL ${secondsWords((expiresAt - now) / 1000)}`,
    ],
  };
  return decided('imported', [{ type: 'mitigation.imported', mitigation }], mitigation.why[0] ?? '');
}

/** Applies a newer version of a mitigation that is active here. */
function changeImported(it: Importing, known: Mitigation): Decision {
  const { state, context, origin, intent } = it;
  const { policy } = context;
  const isWanted = namesPop(intent.pops, policy.pop);
  // As with events, nothing is continued during a pause.
  const paused = isWanted ? pausedWords(state) : undefined;
  if (paused !== undefined) return refuse(it, { reason: 'paused', detail: paused });
  const form = importedForm(intent, policy);
  const refusal = 'reason' in form ? form : refusalOfChange(it, known, form);
  if (!isWanted || 'reason' in form || refusal !== undefined) {
    // Its present form stays allowed, and its POP says that the attack goes on.
    const pops = samePops(known, intent) ? {} : { pops: intent.pops };
    const facts = [changeFact(known, intent, { origin, expiresAt: endOf(it, known), ...pops })];
    if (!isWanted || refusal === undefined) return decided('changed', facts, `${intent.id}: a newer version`);
    const refused = refuse(it, refusal);
    return { ...refused, facts: [...refused.facts, ...facts] };
  }
  const change: MitigationChange = {
    origin,
    expiresAt: endOf(it, form),
    ...(matchKey(form.match) === matchKey(known.match)
      ? {}
      : { match: form.match, ports: form.ports, excludedPorts: form.excludedPorts }),
    ...(sameAction(form.action, known.action) ? {} : { action: form.action }),
    ...(intent.step === known.step ? {} : { step: intent.step, stepSince: context.now }),
    ...(samePops(known, intent) ? {} : { pops: intent.pops }),
    ...((known.away?.probeUntil !== undefined) === (intent.lifted === true)
      ? {}
      : { away: null, ...liftedOf(intent, context.now, endOf(it, form)) }),
    ...(known.dryRun && policy.mode === 'enforced' ? { dryRun: false } : {}),
  };
  return decided('changed', [changeFact(known, intent, change)], `${intent.id}: a newer version`);
}

/**
 * Checks a new form, or a form that gets its rule only now. One that has its rule already passed when it began; what was
 * in a dry run so far has taken no place in the quotas.
 */
function refusalOfChange(
  { state, context, intent, origin }: Importing,
  known: Mitigation,
  form: ImportedForm,
): Refusal | undefined {
  const { policy } = context;
  const isSame = matchKey(form.match) === matchKey(known.match) && sameAction(form.action, known.action);
  const begins = known.dryRun && policy.mode === 'enforced';
  const refusal =
    isSame && isForHere(known) && !begins ? undefined : checkImportedForm(state, policy, intent.victim, form);
  return refusal ?? (begins ? checkImportQuotas(state, policy, known.customerId, origin.pop) : undefined);
}

/** Returns the fact of a change. One that changes the rule, or who gets it, is more than an extension. */
function changeFact(known: Mitigation, { step, why }: StandingIntent, change: MitigationChange): Fact {
  const { match, action, pops, dryRun } = change;
  const isEscalated = change.step !== undefined && step > known.step;
  const isWidened = [match, action, pops, dryRun].some((value) => value !== undefined);
  const kind = isEscalated ? 'escalated' : isWidened ? 'widened' : 'extended';
  return {
    type: `mitigation.${kind}`,
    id: known.id,
    change: kind === 'extended' ? change : { ...change, why },
  };
}

/** Returns the absence of a blackhole that its POP has lifted, so that it has no route here meanwhile, either. */
function liftedOf({ lifted }: StandingIntent, since: number, probeUntil: number): Pick<Mitigation, 'away'> {
  return lifted === true ? { away: { since, minSeconds: 0, probeUntil } } : {};
}

function samePops(known: Mitigation, { pops }: StandingIntent): boolean {
  const before = known.pops ?? [known.pop];
  return before.length === pops.length && before.every((name, i) => name === pops[i]);
}

/** Returns the end by this POP's clock (ms), within this POP's longest TTL. */
function endOf({ context, remainingMs }: Importing, { action }: Pick<ImportedForm, 'action'>): number {
  const most = maxTtlSeconds(context.policy, action) * 1000;
  return context.now + Math.max(0, Math.min(remainingMs, most));
}

/** Ends a mitigation whose POP has ended it, or remembers that nothing begins it again. */
function endImported(
  state: DecisionView,
  origin: IntentVersion,
  { id, to, reason, actorName }: EndedIntent,
  context: DecideContext,
): Decision {
  const known = state.mitigations.get(id);
  // Also of a POP that is no longer accepted: what takes rules away is always welcome.
  if (known !== undefined && known.origin?.pop !== origin.pop) {
    return ignored(`${id}: it does not belong to ${origin.pop}`);
  }
  if (known !== undefined && isActive(known)) {
    const by = actorName === '' ? origin.pop : `${actorName} at ${origin.pop}`;
    const ending: Ending = { to, at: context.now, actor: popActor(origin.pop), reason: `${reason} (${by})` };
    return decided('ended', endingFacts(known, ending), `${id}: ended by ${by}`);
  }
  const remembered = state.imports.get(id, context.now);
  if (remembered === undefined || remembered.isFinal === true) return ignored(`${id}: it is not active here`);
  return decided('ended', [{ type: 'import.ended', origin, mitigationId: id, reason }], `${id}: ended`);
}

/** Refuses to begin again what was withdrawn. Recorded again when it would otherwise be forgotten too early. */
function refuseFinal(it: Importing): Decision {
  const { state, context, intent, remainingMs } = it;
  const remembered = state.imports.get(intent.id, context.now);
  const detail = 'it was withdrawn here, and that is final';
  const refusal: Refusal = { reason: 'import_withdrawn', detail };
  const isLong = (remembered?.at ?? 0) + IMPORT_MEMORY_MS > context.now + 2 * remainingMs;
  const isTold = remembered?.refused?.includes('import_withdrawn') === true;
  return isTold && isLong ? answered(refusal, []) : answered(refusal, [refusedFact(it, refusal)]);
}

function refuse(it: Importing, refusal: Refusal): Decision {
  const { state, context, intent } = it;
  const told = state.imports.get(intent.id, context.now)?.refused ?? [];
  return answered(refusal, told.includes(refusal.reason) ? [] : [refusedFact(it, refusal)]);
}

function refusedFact({ origin, intent }: Importing, { reason, detail }: Refusal): Fact {
  const { id: mitigationId, victim, vector } = intent;
  return { type: 'import.refused', origin, mitigationId, victim, vector, reason, detail };
}

function answered({ reason, detail }: Refusal, facts: readonly Fact[]): Decision {
  return { facts, answer: { type: 'import', outcome: 'refused', refusal: reason, detail } };
}

function ignored(detail: string): Decision {
  return decided('ignored', [], detail);
}

function decided(outcome: ImportOutcome, facts: readonly Fact[], detail: string): Decision {
  return { facts, answer: { type: 'import', outcome, refusal: undefined, detail } };
}
