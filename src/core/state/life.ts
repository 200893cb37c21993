/**
 * A mitigation's life as it is remembered: decided, each report that touched it, extended, escalated, ended by whom and
 * why. Bounded: of each kind of entry the newest are kept, the decision it began with always, and the rest is counted.
 * Texts from outside are cut, and in memory of their own.
 */
import { copyText, cutText } from '../../net/text.ts';
import type { MitigationFact } from './evolve.ts';
import type { RecordedFact } from '../facts.ts';
import { SYSTEM } from '../decide/lifecycle.ts';
import type {
  Actor,
  EventRecord,
  EventStatus,
  Mitigation,
  MitigationAction,
  RefusalReason,
} from '../types.ts';

/** Characters kept of a name, and of a line of words. */
const MAX_NAME = 128;
const MAX_LINE = 500;
/** Lines kept of one decision's reasons. */
const MAX_LINES = 32;

export type LifeEventKind =
  | 'created'
  | 'rejected'
  /** A report was about it and changed nothing. */
  | 'reported'
  | 'extended'
  /** The daemon extended it on behalf of those that hold it. */
  | 'renewed'
  /** The daemon cut its time to the longest TTL: the clock was set back, or a new policy allows less. */
  | 'shortened'
  | 'widened'
  | 'escalated'
  | 'released'
  | 'moved'
  | 'ending'
  | 'withdrawn'
  | 'expired';

/** A report as a life keeps it: what it said, and what it was answered. */
export interface KeptReport {
  readonly eventId: string;
  readonly source: string;
  readonly action: 'ban' | 'unban';
  readonly victim: string;
  readonly vector: string;
  /** Bits a second, packets a second, 0..1; null when not said. */
  readonly bps: number | null;
  readonly pps: number | null;
  readonly confidence: number | null;
  readonly status: EventStatus;
  readonly refusal: RefusalReason | null;
}

/** One thing that happened. Values are as they were then; absent ones did not change. */
export interface LifeEntry {
  /** Number and time (ms) of its fact. */
  readonly seq: number;
  readonly at: number;
  readonly kind: LifeEventKind;
  readonly actor: Actor;
  /** The report that led to it. */
  readonly report?: KeptReport;
  readonly reason?: string;
  readonly why?: readonly string[];
  readonly expiresAt?: number;
  readonly action?: MitigationAction;
  readonly step?: number;
  readonly ports?: readonly number[];
  /** Of one that moved to another customer or service. */
  readonly owner?: { readonly customerId: string | null; readonly serviceId: string | null };
  /** How it ends. */
  readonly to?: 'withdrawn' | 'expired';
}

/** What is not kept, in numbers. */
export interface LeftOut {
  readonly turns: number;
  readonly reports: number;
  readonly renewals: number;
  /** When the first and the last of them happened (ms). */
  readonly from: number;
  readonly to: number;
  /** The highest that reports among them said; null when none did. */
  readonly maxBps: number | null;
  readonly maxPps: number | null;
}

/** Never changed: what happens next makes another one. */
export interface Life {
  readonly id: string;
  readonly turns: readonly LifeEntry[];
  readonly reports: readonly LifeEntry[];
  readonly renewals: readonly LifeEntry[];
  readonly leftOut?: LeftOut;
  /** Nothing between its beginning and this time (ms) is known: it was recorded by a version that kept no lives. */
  readonly unknownUntil?: number;
}

/** The life that begins with a decision. */
export function bornLife(mitigation: Mitigation, { seq, at }: RecordedFact, event?: EventRecord): Life {
  // A rule for one host of a prefix keeps the prefix's first report, which did not lead to it.
  const isOwn = event !== undefined && event.receivedAt === mitigation.createdAt;
  return {
    id: mitigation.id,
    turns: [{ ...firstEntry(mitigation, seq, at), ...(isOwn ? { report: keptReport(event) } : {}) }],
    reports: [],
    renewals: [],
  };
}

/** As much as a mitigation itself tells of its life, where nothing else was kept. */
export function lifeFromItself(mitigation: Mitigation): Life {
  const { id, createdAt, updatedAt, endedAt, ending, status } = mitigation;
  const turns = [firstEntry(mitigation, 0, createdAt)];
  if (status === 'rejected') return { id, turns, reports: [], renewals: [] };
  if (ending !== null) turns.push(endingEntry(ending, 0, ending.at));
  if (endedAt !== null && (status === 'withdrawn' || status === 'expired')) {
    turns.push({ seq: 0, at: endedAt, kind: status, actor: SYSTEM });
  }
  const unknownUntil = ending?.at ?? updatedAt;
  const isKnown = unknownUntil <= createdAt;
  return { id, turns, reports: [], renewals: [], ...(isKnown ? {} : { unknownUntil }) };
}

function firstEntry(mitigation: Mitigation, seq: number, at: number): LifeEntry {
  const { status, createdBy, reason, why, expiresAt, action, step } = mitigation;
  return {
    seq,
    at,
    kind: status === 'rejected' ? 'rejected' : 'created',
    actor: keptActor(createdBy),
    reason: line(reason),
    why: lines(why),
    expiresAt,
    action,
    step,
  };
}

/** Where a fact about a mitigation belongs. */
export interface LifeContext {
  readonly seq: number;
  readonly at: number;
  readonly before: Mitigation;
  /** The report that led to it. */
  readonly event: EventRecord | undefined;
  /** As lastReport. */
  readonly last: KeptReport | undefined;
}

/** Filled key by key: spreading what may be there costs several times as much for every event of an attack. */
type Draft = { -readonly [Key in keyof LifeEntry]: LifeEntry[Key] };

/** What a fact adds to a mitigation's life; null for what is of no interest to anybody. */
export function entryOf(
  fact: MitigationFact,
  { seq, at, before, event, last }: LifeContext,
): LifeEntry | null {
  switch (fact.type) {
    case 'mitigation.extended':
    case 'mitigation.widened':
    case 'mitigation.escalated': {
      const { why, expiresAt, action, step, ports } = fact.change;
      const kind = kindOfChange(fact.type, event, (expiresAt ?? before.expiresAt) - before.expiresAt);
      if (kind === null) return null;
      const entry: Draft = { seq, at, kind, actor: event === undefined ? SYSTEM : keptActor(event.actor) };
      if (event !== undefined) entry.report = keptReport(event, last);
      if (why !== undefined) entry.why = lines(why);
      if (expiresAt !== undefined) entry.expiresAt = expiresAt;
      if (action !== undefined) entry.action = action;
      if (step !== undefined) entry.step = step;
      if (ports !== undefined) entry.ports = ports;
      return entry;
    }
    case 'mitigation.released': {
      const { expiresAt, release } = fact;
      return {
        seq,
        at,
        kind: 'released',
        actor: keptActor(release.actor),
        ...reportPart(event, last),
        reason: line(release.reason),
        ...(expiresAt === undefined ? {} : { expiresAt }),
      };
    }
    case 'mitigation.moved': {
      const { customerId, serviceId, actor } = fact;
      return { seq, at, kind: 'moved', actor: keptActor(actor), owner: { customerId, serviceId } };
    }
    case 'mitigation.ending':
      return { ...endingEntry(fact.ending, seq, at), ...reportPart(event, last) };
    case 'mitigation.withdrawn':
      return { seq, at, kind: 'withdrawn', actor: SYSTEM };
    case 'mitigation.expired':
      return { seq, at, kind: 'expired', actor: SYSTEM };
  }
}

function reportPart(event: EventRecord | undefined, last: KeptReport | undefined): Pick<LifeEntry, 'report'> {
  return event === undefined ? {} : { report: keptReport(event, last) };
}

/** `later`: by how much it expires later than before (ms). */
function kindOfChange(
  type: `mitigation.${'extended' | 'widened' | 'escalated'}`,
  event: EventRecord | undefined,
  later: number,
): LifeEventKind | null {
  if (type === 'mitigation.widened') return 'widened';
  if (type === 'mitigation.escalated') return 'escalated';
  if (event !== undefined) return 'extended';
  if (later === 0) return null;
  return later < 0 ? 'shortened' : 'renewed';
}

/** A report that was about a mitigation and changed nothing. */
export function reportedEntry(event: EventRecord, { seq, at }: RecordedFact, last?: KeptReport): LifeEntry {
  return { seq, at, kind: 'reported', actor: keptActor(event.actor), report: keptReport(event, last) };
}

/** The event that a fact about a mitigation says it follows from. */
export function eventIdOf(fact: MitigationFact): string | undefined {
  switch (fact.type) {
    case 'mitigation.extended':
    case 'mitigation.widened':
    case 'mitigation.escalated':
      return fact.change.lastEventId;
    case 'mitigation.released':
      return fact.release.eventId;
    case 'mitigation.ending':
      return fact.ending.eventId;
    default:
      return undefined;
  }
}

function endingEntry(ending: NonNullable<Mitigation['ending']>, seq: number, at: number): LifeEntry {
  const { actor, reason, to } = ending;
  return { seq, at, kind: 'ending', actor: keptActor(actor), reason: line(reason), to };
}

/** The report that a life kept last: its texts are shared with the next one's. */
export function lastReport({ reports, turns }: Life): KeptReport | undefined {
  return reports.at(-1)?.report ?? turns.at(-1)?.report ?? turns[0]?.report;
}

function keptReport({ id, detection, status, refusal }: EventRecord, last?: KeptReport): KeptReport {
  const { source, action, victim, vector, bps, pps, confidence } = detection;
  return {
    eventId: id,
    source: name(source, last?.source),
    action,
    victim: name(victim, last?.victim),
    vector: name(vector, last?.vector),
    bps,
    pps,
    confidence,
    status,
    refusal,
  };
}

/** Without the address and the request, which the audit log has. Its names are those of tokens and of operators. */
function keptActor({ kind, name: called, via }: Actor): Actor {
  const short = cutText(called, MAX_NAME);
  return via === undefined ? { kind, name: short } : { kind, name: short, via: cutText(via, MAX_NAME) };
}

/** A name in memory of its own: one text is shared by as many reports as repeat it. */
function name(text: string, last?: string): string {
  return text === last ? last : copyText(cutText(text, MAX_NAME));
}

function line(text: string): string {
  return cutText(text, MAX_LINE);
}

/** Most are as they should be, and the mitigation has the same list. */
function lines(texts: readonly string[]): readonly string[] {
  if (texts.length <= MAX_LINES && texts.every((text) => text.length <= MAX_LINE)) return texts;
  const kept = texts.slice(0, MAX_LINES).map(line);
  return texts.length > MAX_LINES ? [...kept, `... and ${texts.length - MAX_LINES} more`] : kept;
}
