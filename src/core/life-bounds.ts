/** How much is kept of a mitigation's life: of each kind of entry the newest, of its decisions the first as well. */
import type { LeftOut, Life, LifeEntry } from './life.ts';

/** Decisions kept of one mitigation; the first is never left out. */
export const KEPT_TURNS = 16;
/** Reports kept of one mitigation: of one that lives, and of one that has ended. */
export const KEPT_REPORTS = 16;
export const KEPT_REPORTS_ENDED = 4;
/** Renewals by the daemon itself; they are all alike. */
export const KEPT_RENEWALS = 2;

/** How many entries it keeps. */
export function sizeOf({ turns, reports, renewals }: Life): number {
  return turns.length + reports.length + renewals.length;
}

/** The life with one more entry, and within its bounds. */
export function grown(life: Life, entry: LifeEntry): Life {
  switch (shelfOf(entry)) {
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

/** What comes with every report is done as cheaply as it can be: one in, one out. */
function withReport(life: Life, entry: LifeEntry): Life {
  const { id, turns, reports: before, renewals, leftOut, unknownUntil } = life;
  const isFull = before.length >= KEPT_REPORTS;
  const reports = isFull ? before.slice(1) : before.slice();
  reports.push(entry);
  const after: { -readonly [Key in keyof Life]: Life[Key] } = { id, turns, reports, renewals };
  const [oldest] = before;
  const gone = isFull && oldest !== undefined ? leftOutWith(leftOut, [oldest], ONE_REPORT) : leftOut;
  if (gone !== undefined) after.leftOut = gone;
  if (unknownUntil !== undefined) after.unknownUntil = unknownUntil;
  return after;
}

const ONE_REPORT = { turns: 0, reports: 1, renewals: 0 };

/** The least that is kept: how it began, and its last two turns. */
export function briefest(life: Life): Life {
  return bounded(life, 3, 0, 0);
}

/** Extending and a release that others outlive are as frequent as reports; what else happens is a turn. */
function shelfOf({ kind, expiresAt }: LifeEntry): 'turns' | 'reports' | 'renewals' {
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

/** The first turn is kept whatever happens. */
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
    leftOut: leftOutWith(life.leftOut, gone, over),
  };
}

function leftOutWith(
  before: LeftOut | undefined,
  gone: readonly LifeEntry[],
  over: Pick<LeftOut, 'turns' | 'reports' | 'renewals'>,
): LeftOut {
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
