/**
 * What would have happened: decisions of the core over recorded or invented input, with time taken from the input. Nothing is
 * announced, nothing is written down, and the same input gives the same output.
 */
import { formatRule } from '../bgp/flowspec/notation/format.ts';
import { toActions, toFlowSpec } from '../control/desired.ts';
import type { Answer, Command } from '../core/commands.ts';
import { decide } from '../core/decide/decide.ts';
import type { Fact, RecordedFact } from '../core/facts.ts';
import type { Policy } from '../core/policy/policy.ts';
import { initialState } from '../core/state/state.ts';
import type { Actor, Detection, Mitigation } from '../core/types.ts';

/** One thing that happens. */
export interface SimulatedInput {
  /** When (ms since the epoch). Time never runs backwards: an earlier one counts as that of the input before. */
  readonly at: number;
  readonly command: Command;
}

/** What came of one input. */
export interface SimulatedStep {
  readonly at: number;
  readonly command: Command;
  readonly answer: Answer;
}

export interface SimulationSummary {
  readonly events: number;
  /** Events by how they were answered. */
  readonly byStatus: ReadonlyMap<string, number>;
  /** Refusals by their reason. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly mitigations: number;
  /** Most mitigations that stood at one time. */
  readonly mostAtOnce: number;
  /** Mitigations by customer; those of nobody under `(none)`. */
  readonly customers: ReadonlyMap<string, number>;
  /** Still standing behind the last input. */
  readonly standing: number;
}

/** Decides one input after the other, letting what expires in between expire. */
export class Simulation {
  readonly #policy: Policy;
  readonly #state = initialState();
  #now = 0;
  #ids = 0;
  #events = 0;
  #mitigations = 0;
  #mostAtOnce = 0;
  readonly #byStatus = new Map<string, number>();
  readonly #refusals = new Map<string, number>();
  readonly #customers = new Map<string, number>();

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  step({ at, command }: SimulatedInput): SimulatedStep {
    this.#advance(Math.max(at, this.#now));
    const answer = this.#decide(command);
    if (answer.type === 'event') {
      this.#events++;
      count(this.#byStatus, answer.status);
      if (answer.refusal !== null) count(this.#refusals, answer.refusal);
    }
    if (answer.type === 'refused') count(this.#refusals, answer.reason);
    return { at: this.#now, command, answer };
  }

  summary(): SimulationSummary {
    return {
      events: this.#events,
      byStatus: this.#byStatus,
      refusals: this.#refusals,
      mitigations: this.#mitigations,
      mostAtOnce: this.#mostAtOnce,
      customers: this.#customers,
      standing: this.#state.live.size,
    };
  }

  #advance(until: number): void {
    for (;;) {
      const due = this.#state.earliestDue;
      if (due === null || due > until) break;
      this.#now = Math.max(this.#now, due);
      const answer = this.#decide({ type: 'expire' });
      // Only so many end at once. When none does, none will by being asked again.
      if (answer.type !== 'done' || answer.affected.length === 0) break;
    }
    this.#now = until;
  }

  #decide(command: Command): Answer {
    const { facts, answer } = decide(this.#state, command, {
      now: this.#now,
      policy: this.#policy,
      newId: () => simulatedId(++this.#ids),
    });
    const ending: string[] = [];
    for (const fact of facts) {
      this.#state.apply({ seq: this.#state.seq + 1, at: this.#now, fact });
      if (fact.type === 'mitigation.ending') ending.push(fact.id);
      if (fact.type === 'mitigation.created') this.#created(fact.mitigation);
    }
    this.#mostAtOnce = Math.max(this.#mostAtOnce, this.#state.live.size);
    // Routers are taken to follow at once.
    if (ending.length > 0) this.#decide({ type: 'confirm-ended', ids: ending });
    return answer;
  }

  #created(mitigation: Mitigation): void {
    this.#mitigations++;
    count(this.#customers, mitigation.customerId ?? '(none)');
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Ids that are told from real ones at a glance, and are the same in every run. */
function simulatedId(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

/** The rule of a mitigation in operator notation. */
export function ruleText({ match, action }: Pick<Mitigation, 'match' | 'action'>): string {
  return formatRule(toFlowSpec(match), toActions(action));
}

/** A detector's report as input that happens at `at` (ms since the epoch; see simulate.ts). */
export function reported(detection: Detection, at: number): SimulatedInput {
  const actor: Actor = { kind: 'detector', name: detection.source };
  return { at, command: { type: 'event', detection, actor } };
}

/**
 * Turns recorded facts back into what led to them: reports, and what operators did. What the daemon decided is left out, for
 * it is to be decided anew; ids of the record are followed to those of the simulation.
 */
export class Rehearsal {
  readonly #simulation: Simulation;
  readonly #simulatedIds = new Map<string, string>();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Undefined for a fact that followed from others. */
  step({ at, fact }: RecordedFact): SimulatedStep | undefined {
    const command = this.#commandBehind(fact);
    if (command === undefined) return undefined;
    const step = this.#simulation.step({ at, command });
    // Ended already, as a consequence of the command before: the record tells each of its consequences apart.
    if (fact.type === 'mitigation.ending' && step.answer.type === 'conflict') return undefined;
    const recorded = recordedId(fact);
    const simulated = simulatedMitigation(step.answer);
    if (recorded !== null && simulated !== null) this.#simulatedIds.set(recorded, simulated);
    return step;
  }

  #commandBehind(fact: Fact): Command | undefined {
    switch (fact.type) {
      case 'event.received':
        return {
          type: 'event',
          detection: fact.event.detection,
          actor: fact.event.actor,
          ...(fact.event.refusal === 'invalid_report' ? { invalid: fact.event.why.slice(1) } : {}),
        };
      case 'safelist.added': {
        const { prefix, addedBy: actor, reason } = fact.entry;
        return { type: 'safelist-add', prefix, actor, reason };
      }
      case 'safelist.removed':
        return { type: 'safelist-remove', prefix: fact.prefix, actor: fact.actor };
      case 'control.paused':
        return { type: 'pause', actor: fact.actor, reason: fact.reason };
      case 'control.resumed':
        return { type: 'resume', actor: fact.actor, reason: fact.reason };
      case 'mitigation.created':
        return ownMitigation(fact.mitigation);
      case 'mitigation.ending': {
        const { actor, reason } = fact.ending;
        const id = this.#simulatedIds.get(fact.id);
        return actor.kind === 'operator' && id !== undefined
          ? { type: 'withdraw', id, actor, reason }
          : undefined;
      }
      default:
        return undefined;
    }
  }
}

/** A mitigation that no event triggered is one that an operator asked for. */
function ownMitigation(mitigation: Mitigation): Command | undefined {
  const { createdBy: actor, victim, match, ports, action, reason } = mitigation;
  if (mitigation.triggeringEventId !== null || actor.kind !== 'operator') return undefined;
  const ttlSeconds = Math.round((mitigation.expiresAt - mitigation.createdAt) / 1000);
  return { type: 'mitigate', actor, victim, protocol: match.protocol, ports, action, ttlSeconds, reason };
}

function recordedId(fact: Fact): string | null {
  if (fact.type === 'event.received') return fact.event.mitigationId;
  return fact.type === 'mitigation.created' ? fact.mitigation.id : null;
}

function simulatedMitigation(answer: Answer): string | null {
  if (answer.type === 'event') return answer.mitigation?.id ?? null;
  return answer.type === 'mitigation' ? answer.mitigation.id : null;
}

// When the lines of a simulation happen: at their own time, or at one that follows from their place in the file.

export interface Placement {
  /** The time between one line without a time and the line before it (ms); 0 or more. */
  readonly spacing: number;
  /** When a first line without a time happens (ms since the epoch); null: by `spacing` before the first line that has one. */
  readonly start: number | null;
  /** When a file happens in which no line has a time and no start is given (ms since the epoch). */
  readonly now: number;
}

/**
 * A time (ms since the epoch) for every line; null is a line without one. A line without a time happens `spacing` after the line before
 * it, and evenly between its neighbors where the next time in the file would come first. Times never run backwards: an
 * earlier one counts as that of the line before. Undefined when `start` is later than the first time in the file.
 */
export function placeInTime(
  times: readonly (number | null)[],
  { spacing, start, now }: Placement,
): readonly number[] | undefined {
  const firstDated = times.findIndex((time) => time !== null);
  const dated = firstDated === -1 ? undefined : (times[firstDated] as number);
  if (firstDated !== 0 && start !== null && dated !== undefined && start > dated) return undefined;
  const placed: number[] = [];
  /** The line before, and how far the next one without a time is from it. */
  let before = start ?? (dated === undefined ? now : dated - firstDated * spacing);
  let step = 0;
  for (const [i, time] of times.entries()) {
    if (time !== null) {
      before = placed.length === 0 ? time : Math.max(before, time);
      step = gapBehind(times, i, before, spacing);
    } else if (placed.length === 0) {
      step = gapBehind(times, i, before, spacing);
    } else {
      before += step;
    }
    placed.push(Math.round(before));
  }
  return placed;
}

/** How far apart the lines without a time behind line `i` are, which happens at `at`. */
function gapBehind(times: readonly (number | null)[], i: number, at: number, spacing: number): number {
  let next = i + 1;
  while (next < times.length && times[next] === null) next++;
  const until = times[next];
  if (until === undefined || until === null) return spacing;
  return Math.min(spacing, Math.max(0, until - at) / (next - i));
}
