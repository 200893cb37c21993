/**
 * A mitigation's history: its decision, the reports about it, its changes, and its end. Bounded: the newest entries of
 * each kind and the first decision are kept, and the rest is counted. Texts from outside are cut, and in memory of
 * their own.
 */
import { copyText, cutText } from '../../net/text.ts';
import type { MitigationFact } from './evolve.ts';
import type { RecordedFact } from '../facts.ts';
import { isImported, popActor } from '../intent.ts';
import { SYSTEM } from '../decide/lifecycle.ts';
import type { MitigationAction } from '../action.ts';
import type { Actor, EventRecord, EventStatus, Mitigation, RefusalReason } from '../types.ts';

/** Characters kept of a name, and of a line of reasons. */
const MAX_NAME = 128;
const MAX_LINE = 500;
/** Lines kept of one decision's reasons. */
const MAX_LINES = 32;

export type LifeEventKind =
  | 'created'
  | 'rejected'
  /** Another POP's mitigation began here. */
  | 'imported'
  /** A report was about it and changed nothing. */
  | 'reported'
  | 'extended'
  /** The daemon renewed it for its holds. */
  | 'renewed'
  /** The daemon cut its time to the maximum TTL: the clock was set back, or a new policy allows less. */
  | 'shortened'
  | 'widened'
  | 'escalated'
  | 'released'
  | 'moved'
  | 'ending'
  | 'withdrawn'
  | 'expired';

/** A report in a history: its values, and its answer. */
export interface KeptReport {
  readonly eventId: string;
  readonly source: string;
  readonly action: 'ban' | 'unban';
  readonly victim: string;
  readonly vector: string;
  /** bits/s, packets/s, 0..1; null when not reported. */
  readonly bps: number | null;
  readonly pps: number | null;
  readonly confidence: number | null;
  readonly status: EventStatus;
  readonly refusal: RefusalReason | null;
}

/** One entry. Its values are those of that time; absent ones did not change. */
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
  /** The new owner, if it moved to another customer or service. */
  readonly owner?: { readonly customerId: string | null; readonly serviceId: string | null };
  /** The kind of end. */
  readonly to?: 'withdrawn' | 'expired';
}

/** Counts of the entries that are not kept. */
export interface OmittedEntries {
  readonly turns: number;
  readonly reports: number;
  readonly renewals: number;
  /** Times of the first and the last of them (ms). */
  readonly from: number;
  readonly to: number;
  /** The highest values in reports among them; null when none had one. */
  readonly maxBps: number | null;
  readonly maxPps: number | null;
}

/** Immutable: the next entry makes a new one. */
export interface Life {
  readonly id: string;
  readonly turns: readonly LifeEntry[];
  readonly reports: readonly LifeEntry[];
  readonly renewals: readonly LifeEntry[];
  readonly leftOut?: OmittedEntries;
  /** Nothing is known between its beginning and this time (ms): an older version recorded it without history. */
  readonly unknownUntil?: number;
}

/** Returns the history that begins with a decision. */
export function bornLife(mitigation: Mitigation, { seq, at }: RecordedFact, event?: EventRecord): Life {
  // A rule for one host of a prefix has the prefix's first report, which did not cause it.
  const isOwn = event !== undefined && event.receivedAt === mitigation.createdAt;
  return {
    id: mitigation.id,
    turns: [{ ...firstEntry(mitigation, seq, at), ...(isOwn ? { report: keptReport(event) } : {}) }],
    reports: [],
    renewals: [],
  };
}

/** Returns the history that a mitigation itself implies, when no other is kept. */
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
    kind: status === 'rejected' ? 'rejected' : isImported(mitigation) ? 'imported' : 'created',
    actor: keptActor(createdBy),
    reason: line(reason),
    why: lines(why),
    expiresAt,
    action,
    step,
  };
}

/** The inputs that place a fact in a history. */
export interface LifeContext {
  readonly seq: number;
  readonly at: number;
  readonly before: Mitigation;
  /** The report that caused it. */
  readonly event: EventRecord | undefined;
  /** As lastReport. */
  readonly last: KeptReport | undefined;
}

/** Filled key by key: spreading optional keys costs several times as much, for every event of an attack. */
type EntryDraft = { -readonly [Key in keyof LifeEntry]: LifeEntry[Key] };

/** Returns the entry that a fact adds to a mitigation's history; undefined for facts that are not shown. */
export function entryOf(
  fact: MitigationFact,
  { seq, at, before, event, last }: LifeContext,
): LifeEntry | undefined {
  switch (fact.type) {
    case 'mitigation.extended':
    case 'mitigation.widened':
    case 'mitigation.escalated': {
      const { why, expiresAt, action, step, ports, origin } = fact.change;
      const later = (expiresAt ?? before.expiresAt) - before.expiresAt;
      const kind = kindOfChange(fact.type, event !== undefined || (origin !== undefined && later > 0), later);
      if (kind === undefined) return undefined;
      const by = origin === undefined ? SYSTEM : popActor(origin.pop);
      const entry: EntryDraft = { seq, at, kind, actor: event === undefined ? by : keptActor(event.actor) };
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

/**
 * Returns the kind of a change. `reported`: a report or another POP asked for it. `later`: the difference between the
 * new and the old end (ms).
 */
function kindOfChange(
  type: `mitigation.${'extended' | 'widened' | 'escalated'}`,
  reported: boolean,
  later: number,
): LifeEventKind | undefined {
  if (type === 'mitigation.widened') return 'widened';
  if (type === 'mitigation.escalated') return 'escalated';
  if (reported) return 'extended';
  if (later === 0) return undefined;
  return later < 0 ? 'shortened' : 'renewed';
}

/** Returns the entry of a report that was about a mitigation and changed nothing. */
export function reportedEntry(event: EventRecord, { seq, at }: RecordedFact, last?: KeptReport): LifeEntry {
  return { seq, at, kind: 'reported', actor: keptActor(event.actor), report: keptReport(event, last) };
}

/** Returns the id of the event that caused a fact about a mitigation. */
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

/** Returns the report that a history kept last, so that the next one can share its texts. */
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

/** Drops the address and the request, which are in the audit log. The names are those of tokens and of operators. */
function keptActor({ kind, name: called, via, issuer, subject }: Actor): Actor {
  return {
    kind,
    name: cutText(called, MAX_NAME),
    ...(via === undefined ? {} : { via: cutText(via, MAX_NAME) }),
    ...(issuer === undefined ? {} : { issuer: cutText(issuer, MAX_NAME) }),
    ...(subject === undefined ? {} : { subject: cutText(subject, MAX_NAME) }),
  };
}

/** Returns a name in memory of its own; reports that repeat it share one text. */
function name(text: string, last?: string): string {
  return text === last ? last : copyText(cutText(text, MAX_NAME));
}

function line(text: string): string {
  return cutText(text, MAX_LINE);
}

/** Returns reasons within their bounds. Most need no change, and the mitigation shares the same list. */
function lines(texts: readonly string[]): readonly string[] {
  if (texts.length <= MAX_LINES && texts.every((text) => text.length <= MAX_LINE)) return texts;
  const kept = texts.slice(0, MAX_LINES).map(line);
  return texts.length > MAX_LINES ? [...kept, `... and ${texts.length - MAX_LINES} more`] : kept;
}
