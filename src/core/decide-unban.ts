/** A detector says an attack is over. It names its ban by source and event id, else by victim and vector. */
import type { DecideContext, Decision } from './commands.ts';
import { type EventCommand, eventDecision, type Outcome, untimely } from './event-answer.ts';
import { endingFacts } from './lifecycle.ts';
import { BAN_MEMORY_MS } from './recent.ts';
import type { DecisionView } from './state-view.ts';
import type { Detection, Mitigation } from './types.ts';

/** Works while paused, too: it takes rules away. */
export function decideUnban(state: DecisionView, command: EventCommand, context: DecideContext): Decision {
  const eventId = context.newId();
  const late = untimely(command, context);
  const outcome: Outcome =
    late === null ? judge(state, command, context) : { status: 'accepted_no_mitigation', why: [late] };
  return eventDecision(command, eventId, context.now, outcome);
}

function judge(state: DecisionView, command: EventCommand, context: DecideContext): Outcome {
  const { detection } = command;
  return detection.externalId === null
    ? withdraw(mitigationsMeant(state, detection), command, context, [])
    : judgeNamed(state, command, detection.externalId, context);
}

function judgeNamed(
  state: DecisionView,
  command: EventCommand,
  externalId: string,
  context: DecideContext,
): Outcome {
  const { source } = command.detection;
  const ban = state.recentBan(source, externalId);
  if (ban === undefined || context.now - ban.at >= BAN_MEMORY_MS) {
    return {
      status: 'not_found',
      why: [`no ban ${externalId} of ${source} is known from the last 24 hours`],
    };
  }
  const mitigation = ban.mitigationId === null ? undefined : state.mitigations.get(ban.mitigationId);
  const standing = mitigation !== undefined && stands(mitigation) ? [mitigation] : [];
  return withdraw(standing, command, context, [`the unban names event ${ban.eventId}`]);
}

function withdraw(
  mitigations: readonly Mitigation[],
  { detection, actor }: EventCommand,
  { now }: DecideContext,
  before: readonly string[],
): Outcome {
  const [first] = mitigations;
  if (first === undefined) {
    const why = `no mitigation that stands is meant by it (${detection.victim}, ${detection.vector})`;
    return { status: 'no_active_mitigation', why: [...before, why] };
  }
  const ending = { to: 'withdrawn', at: now, actor, reason: `${detection.source} says it is over` } as const;
  return {
    status: 'withdrawn',
    mitigation: { ...first, ending, updatedAt: now },
    facts: mitigations.flatMap((mitigation) => endingFacts(mitigation, ending)),
    why: [...before, ...mitigations.map(({ id }) => `mitigation ${id} is withdrawn`)],
  };
}

/**
 * Detectors' mitigations of this victim and vector: those that this source reported, else those of any. Vector `unknown`
 * (FastNetMon's unban says none) means all that this source reported. An operator's own is never meant.
 */
function mitigationsMeant(state: DecisionView, { victim, vector, source }: Detection): readonly Mitigation[] {
  const standing = [...state.liveOfVictim(victim)]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter((mitigation) => stands(mitigation) && mitigation.playbook !== null)
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  const ofSource = standing.filter((mitigation) => mitigation.source === source);
  if (vector === 'unknown') return ofSource;
  const own = ofSource.filter((mitigation) => mitigation.vector === vector);
  return own.length > 0 ? own : standing.filter((mitigation) => mitigation.vector === vector);
}

function stands({ status, ending }: Mitigation): boolean {
  return ending === null && (status === 'active' || status === 'escalated');
}
