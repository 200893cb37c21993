/**
 * Simulates the core's decisions on recorded or invented input, with times taken from the input. Announces nothing and
 * records nothing; the same input gives the same output.
 */
import { ruleText as textOf } from '../control/render-rule.ts';
import type { Answer, Command } from '../core/commands.ts';
import { decide } from '../core/decide/decide.ts';
import type { Fact, RecordedFact } from '../core/facts.ts';
import type { Policy } from '../core/policy/policy.ts';
import { NO_TARGETS } from '../core/policy/scrubbers.ts';
import { initialState } from '../core/state/state.ts';
import type { Actor, Detection, Mitigation } from '../core/types.ts';

/** A command with its time. */
export interface SimulatedInput {
  /** Time (ms since the epoch). An earlier time than the previous input's counts as the previous one. */
  readonly at: number;
  readonly command: Command;
}

/** The result of one input. */
export interface SimulatedStep {
  readonly at: number;
  readonly command: Command;
  readonly answer: Answer;
}

export interface SimulationSummary {
  readonly events: number;
  /** Events by status. */
  readonly byStatus: ReadonlyMap<string, number>;
  /** Refusals by reason. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly mitigations: number;
  /** Maximum number of mitigations active at one time. */
  readonly mostAtOnce: number;
  /** Mitigations by customer; `(none)` for those without one. */
  readonly customers: ReadonlyMap<string, number>;
  /** Mitigations still active after the last input. */
  readonly active: number;
}

/** Decides inputs in order, and expires mitigations that are due in between. */
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
      if (answer.refusal !== undefined) count(this.#refusals, answer.refusal);
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
      active: this.#state.live.size,
    };
  }

  #advance(until: number): void {
    for (;;) {
      const due = this.#state.earliestDue;
      if (due === undefined || due > until) break;
      this.#now = Math.max(this.#now, due);
      const answer = this.#decide({ type: 'expire' });
      // One command ends a limited number. If it ended none, another one would not either.
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
    // Assumes that routers follow at once.
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

/** Returns an id that is easy to distinguish from real ones, and the same in every run. */
function simulatedId(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

/** Returns a mitigation's rule in operator notation. */
export function ruleText(mitigation: Pick<Mitigation, 'match' | 'action'>, targets = NO_TARGETS): string {
  return textOf(mitigation, targets);
}

/** Makes an input of a detector's report at the time `at` (ms since the epoch). */
export function reported(detection: Detection, at: number): SimulatedInput {
  const actor: Actor = { kind: 'detector', name: detection.source };
  return { at, command: { type: 'event', detection, actor } };
}

/**
 * Turns recorded facts back into the commands that caused them: reports and operators' commands. Omits the daemon's own
 * decisions, because the simulation decides again; maps recorded ids to simulated ones.
 */
export class Rehearsal {
  readonly #simulation: Simulation;
  readonly #simulatedIds = new Map<string, string>();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Decides the command behind a fact; undefined for a fact that followed from others. */
  step({ at, fact }: RecordedFact): SimulatedStep | undefined {
    const command = this.#commandBehind(fact);
    if (command === undefined) return undefined;
    const step = this.#simulation.step({ at, command });
    // Already ended by the previous command: the journal records each of a command's effects as its own fact.
    if (fact.type === 'mitigation.ending' && step.answer.type === 'conflict') return undefined;
    const recorded = recordedId(fact);
    const simulated = simulatedMitigation(step.answer);
    if (recorded !== undefined && simulated !== undefined) this.#simulatedIds.set(recorded, simulated);
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

/** Returns the operator's command behind a mitigation that no event triggered. */
function ownMitigation(mitigation: Mitigation): Command | undefined {
  const { createdBy: actor, victim, match, ports, action, reason } = mitigation;
  if (mitigation.triggeringEventId !== null || actor.kind !== 'operator') return undefined;
  const ttlSeconds = Math.round((mitigation.expiresAt - mitigation.createdAt) / 1000);
  return { type: 'mitigate', actor, victim, protocol: match.protocol, ports, action, ttlSeconds, reason };
}

function recordedId(fact: Fact): string | undefined {
  if (fact.type === 'event.received') return fact.event.mitigationId ?? undefined;
  return fact.type === 'mitigation.created' ? fact.mitigation.id : undefined;
}

function simulatedMitigation(answer: Answer): string | undefined {
  return answer.type === 'event' || answer.type === 'mitigation' ? answer.mitigation?.id : undefined;
}

// Times of a simulation's lines: their own, or one that follows from their place in the file.

export interface Placement {
  /** Time between a line without a time and the previous line (ms); 0 or more. */
  readonly spacing: number;
  /**
   * Time of a first line without a time (ms since the epoch); undefined: counted back by `spacing` from the first line with
   * a time.
   */
  readonly start: number | undefined;
  /** Time of the first line if no line has a time and no start is given (ms since the epoch). */
  readonly now: number;
}

/**
 * Returns a time (ms since the epoch) for every line; null is a line without one. A line without a time is `spacing`
 * after the previous line, or spaced evenly if the next time in the file would be earlier. A time earlier than the
 * previous line's counts as the previous one. Undefined if `start` is later than the file's first time.
 */
export function placeInTime(
  times: readonly (number | null)[],
  { spacing, start, now }: Placement,
): readonly number[] | undefined {
  const firstDated = times.findIndex((time) => time !== null);
  const dated = firstDated === -1 ? undefined : (times[firstDated] as number);
  if (firstDated !== 0 && start !== undefined && dated !== undefined && start > dated) return undefined;
  const placed: number[] = [];
  /** Time of the previous line, and distance to the next one without a time. */
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

/** Returns the spacing (ms) of the lines without a time that follow line `i`, whose time is `at`. */
function gapBehind(times: readonly (number | null)[], i: number, at: number, spacing: number): number {
  let next = i + 1;
  while (next < times.length && times[next] === null) next++;
  const until = times[next];
  if (until === undefined || until === null) return spacing;
  return Math.min(spacing, Math.max(0, until - at) / (next - i));
}
