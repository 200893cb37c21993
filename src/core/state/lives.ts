/** The histories of all remembered mitigations, with one bound for all together. */
import type { RecordedFact } from '../facts.ts';
import type { EventRecord, Mitigation } from '../types.ts';
import type { MitigationFact } from './evolve.ts';
import {
  bornLife,
  entryOf,
  eventIdOf,
  lastReport,
  type OmittedEntries,
  type Life,
  type LifeEntry,
  lifeFromItself,
  reportedEntry,
} from './life.ts';

/** Limits the entries of all histories together; beyond it, those of ended mitigations are cut to the minimum first. */
export const LIVES_SIZE = 50_000;

/** Cuts so many entries more than must be, so that all histories are looked through once in so many entries. */
const CUT_AHEAD = LIVES_SIZE / 10;

/** Undoes one change. Changes are undone last first. */
type Undo = () => void;

const NOTHING: Undo = () => undefined;

export class Lives {
  readonly #lives = new Map<string, Life>();
  readonly #events: Pick<ReadonlyMap<string, EventRecord>, 'get'>;
  #size = 0;
  /** Entries beyond the minimum of each history. */
  #surplus = 0;

  /** `events` are the remembered ones, including the event that is being decided. */
  constructor(events: Pick<ReadonlyMap<string, EventRecord>, 'get'>) {
    this.#events = events;
  }

  /** Undefined for a mitigation without a kept history, such as a rejected one (see lifeFromItself). */
  get(id: string): Life | undefined {
    return this.#lives.get(id);
  }

  /** Restores a snapshot's list. */
  restore(lives: Iterable<Life>): void {
    for (const life of lives) this.#put(life.id, life);
  }

  /** Adds a folded fact's entries. `before`: the changed mitigation, as it was. */
  record(recorded: RecordedFact, before: Mitigation | undefined): Undo {
    const { fact } = recorded;
    switch (fact.type) {
      case 'event.received':
        return fact.event.about === undefined
          ? NOTHING
          : this.#reported(fact.event, fact.event.about, recorded);
      case 'mitigation.created': {
        const { mitigation } = fact;
        const event = this.#events.get(mitigation.triggeringEventId ?? '');
        this.#put(mitigation.id, bornLife(mitigation, recorded, event));
        return () => this.#put(mitigation.id, undefined);
      }
      case 'mitigation.imported': {
        const { mitigation } = fact;
        const life = this.#lives.get(mitigation.id);
        const born = bornLife(mitigation, recorded);
        const [first] = born.turns;
        this.#put(mitigation.id, life === undefined || first === undefined ? born : withEntry(life, first));
        return () => this.#put(mitigation.id, life);
      }
      default:
        return before !== undefined && 'id' in fact ? this.#changed(before, fact, recorded) : NOTHING;
    }
  }

  #changed(before: Mitigation, fact: MitigationFact, { seq, at }: RecordedFact): Undo {
    const life = this.#lives.get(before.id);
    const event = this.#events.get(eventIdOf(fact) ?? '');
    const last = life === undefined ? undefined : lastReport(life);
    const entry = entryOf(fact, { seq, at, before, event, last });
    if (entry === undefined) return NOTHING;
    this.#put(before.id, withEntry(life ?? lifeFromItself(before), entry));
    return () => this.#put(before.id, life);
  }

  #reported(event: EventRecord, about: readonly string[], recorded: RecordedFact): Undo {
    const before = about.flatMap((id) => this.#lives.get(id) ?? []);
    for (const life of before)
      this.#put(life.id, withEntry(life, reportedEntry(event, recorded, lastReport(life))));
    return () => {
      for (const life of before) this.#put(life.id, life);
    };
  }

  forget(id: string): Undo {
    const before = this.#lives.get(id);
    this.#put(id, undefined);
    return () => this.#put(id, before);
  }

  /**
   * Cuts histories when there are too many entries: those of ended mitigations first, and of these the oldest. When the
   * minimum of each nearly fills the bound, only the number of mitigations bounds them. Nothing but the histories and
   * the order of `ids`, which is that of creation, decides what is cut, so that a replay cuts the same.
   */
  cut(ids: Iterable<string>, live: ReadonlySet<string>): Undo {
    if (this.#size <= LIVES_SIZE || this.#surplus < CUT_AHEAD) return NOTHING;
    const cut: Life[] = [];
    const ofLive: Life[] = [];
    const shorten = (life: Life): void => {
      if (this.#size <= LIVES_SIZE - CUT_AHEAD || surplusOf(life) === 0) return;
      cut.push(life);
      this.#put(life.id, shortestLife(life));
    };
    for (const id of ids) {
      const life = this.#lives.get(id);
      if (life === undefined) continue;
      if (live.has(id)) ofLive.push(life);
      else shorten(life);
    }
    ofLive.forEach(shorten);
    return () => {
      for (const life of cut) this.#put(life.id, life);
    };
  }

  #put(id: string, life: Life | undefined): void {
    const before = this.#lives.get(id);
    if (before !== undefined) this.#count(before, -1);
    if (life === undefined) this.#lives.delete(id);
    else {
      this.#lives.set(id, life);
      this.#count(life, 1);
    }
  }

  #count(life: Life, sign: 1 | -1): void {
    this.#size += sign * sizeOf(life);
    this.#surplus += sign * surplusOf(life);
  }
}

// Bounds one mitigation's history: keeps the newest entries of each kind, and the first decision.

/** Decisions kept of one mitigation; the first always is. */
export const KEPT_TURNS = 16;
/** Reports kept of one mitigation: of a live one, and of one that has ended. */
export const KEPT_REPORTS = 16;
export const KEPT_REPORTS_ENDED = 4;
/** Renewals kept of one mitigation; they are all alike. */
export const KEPT_RENEWALS = 2;

/** Turns in the shortest history: the first decision and the last two. */
const LEAST_TURNS = 3;

/** Counts the entries that the shortest history lacks. */
function surplusOf({ turns, reports, renewals }: Life): number {
  return Math.max(0, turns.length - LEAST_TURNS) + reports.length + renewals.length;
}

/** Counts a history's entries. */
export function sizeOf({ turns, reports, renewals }: Life): number {
  return turns.length + reports.length + renewals.length;
}

/** Adds one entry to a history and keeps its bounds. */
export function withEntry(life: Life, entry: LifeEntry): Life {
  switch (listOf(entry)) {
    case 'turns': {
      const turns = [...life.turns, entry];
      const hasEnded = entry.kind === 'withdrawn' || entry.kind === 'expired';
      return bounded({ ...life, turns }, KEPT_TURNS, hasEnded ? KEPT_REPORTS_ENDED : KEPT_REPORTS);
    }
    case 'reports':
      return withReport(life, entry);
    case 'renewals':
      return bounded({ ...life, renewals: [...life.renewals, entry] }, KEPT_TURNS, KEPT_REPORTS);
  }
}

/** Adds a report as cheaply as possible, because every report does this: one in, one out. */
function withReport(life: Life, entry: LifeEntry): Life {
  const { id, turns, reports: before, renewals, leftOut, unknownUntil } = life;
  const isFull = before.length >= KEPT_REPORTS;
  const reports = isFull ? before.slice(1) : before.slice();
  reports.push(entry);
  const after: { -readonly [Key in keyof Life]: Life[Key] } = { id, turns, reports, renewals };
  const [oldest] = before;
  const gone = isFull && oldest !== undefined ? omittedWith(leftOut, [oldest], ONE_REPORT) : leftOut;
  if (gone !== undefined) after.leftOut = gone;
  if (unknownUntil !== undefined) after.unknownUntil = unknownUntil;
  return after;
}

const ONE_REPORT = { turns: 0, reports: 1, renewals: 0 };

/** Returns the minimum of a history. */
export function shortestLife(life: Life): Life {
  return bounded(life, LEAST_TURNS, 0, 0);
}

/** Selects the list for an entry. Extensions and releases that leave other holds are as frequent as reports. */
function listOf({ kind, expiresAt }: LifeEntry): 'turns' | 'reports' | 'renewals' {
  switch (kind) {
    case 'reported':
    case 'extended':
      return 'reports';
    case 'released':
      return expiresAt === undefined ? 'reports' : 'turns';
    case 'renewed':
    case 'shortened':
      return 'renewals';
    default:
      return 'turns';
  }
}

/** Applies the bounds; the first decision always stays. */
function bounded(life: Life, mostTurns: number, mostReports: number, mostRenewals = KEPT_RENEWALS): Life {
  const { turns, reports, renewals } = life;
  const over = {
    turns: Math.max(0, turns.length - mostTurns),
    reports: Math.max(0, reports.length - mostReports),
    renewals: Math.max(0, renewals.length - mostRenewals),
  };
  if (over.turns + over.reports + over.renewals === 0) return life;
  const gone = [
    ...turns.slice(1, 1 + over.turns),
    ...reports.slice(0, over.reports),
    ...renewals.slice(0, over.renewals),
  ];
  return {
    ...life,
    turns: over.turns === 0 ? turns : [...turns.slice(0, 1), ...turns.slice(1 + over.turns)],
    reports: reports.slice(over.reports),
    renewals: renewals.slice(over.renewals),
    leftOut: omittedWith(life.leftOut, gone, over),
  };
}

function omittedWith(
  before: OmittedEntries | undefined,
  gone: readonly LifeEntry[],
  over: Pick<OmittedEntries, 'turns' | 'reports' | 'renewals'>,
): OmittedEntries {
  let { from, to, maxBps, maxPps } = before ?? {
    from: Number.POSITIVE_INFINITY,
    to: Number.NEGATIVE_INFINITY,
    maxBps: null,
    maxPps: null,
  };
  for (const { at, report } of gone) {
    from = Math.min(from, at);
    to = Math.max(to, at);
    maxBps = highest(maxBps, report?.bps);
    maxPps = highest(maxPps, report?.pps);
  }
  return {
    turns: (before?.turns ?? 0) + over.turns,
    reports: (before?.reports ?? 0) + over.reports,
    renewals: (before?.renewals ?? 0) + over.renewals,
    from,
    to,
    maxBps,
    maxPps,
  };
}

function highest(one: number | null, other: number | null | undefined): number | null {
  if (other === null || other === undefined) return one;
  return one === null ? other : Math.max(one, other);
}
