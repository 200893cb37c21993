/** One prefix at one scrubber: what it is asked for, how far the request is, and how people see it. */
import { knownPrefix, type Prefix } from '../net/prefix.ts';
import type { ProtectionState, ProtectionStatus } from '../view/protection-view.ts';
import type { LedgerEntry } from './ledger.ts';
import type { PlaceholderValues } from './request-template.ts';
import { type ProtectedPrefix, protectionKey } from './wanted-prefixes.ts';

/**
 * A protection from its first start to its confirmed stop. Its values stay those of the mitigation that began it, so that
 * the stop names what the start named.
 *
 *                    accepted                 unwanted            accepted
 *     start pending ─────────▶ start accepted ────────▶ stop pending ─────▶ (forgotten)
 *          │  ▲ ╰─────────────── unwanted, attempted ──────▲  │
 *          │  ╰───────────────────── wanted again ────────────╯
 *          ╰─ unwanted, never attempted ▶ (forgotten)
 */
export interface Protection extends ProtectedPrefix {
  readonly key: string;
  readonly range: Prefix;
  readonly values: PlaceholderValues;
  request: 'start' | 'stop';
  /** The start was accepted, and no stop was attempted since. */
  confirmed: boolean;
  /** A start was attempted, so the scrubber may protect. */
  attempted: boolean;
  /** Failed attempts at the current request. */
  attempts: number;
  /** The attempts are used up, or it was refused. */
  failed: boolean;
  /** An attempt is under way. */
  sending: boolean;
  /** Begin of the current state (ms). */
  since: number;
  stoppingSince: number | undefined;
  lastError: string | undefined;
  /** Time of the next attempt (ms), and the function that cancels it. */
  dueAt: number | undefined;
  cancel: () => void;
}

/** Makes a protection that nobody was asked for yet. */
export function newProtection(where: ProtectedPrefix, values: PlaceholderValues, now: number): Protection {
  return {
    ...where,
    key: protectionKey(where),
    range: knownPrefix(where.prefix),
    values,
    request: 'start',
    confirmed: false,
    attempted: false,
    attempts: 0,
    failed: false,
    sending: false,
    since: now,
    stoppingSince: undefined,
    lastError: undefined,
    dueAt: undefined,
    cancel: () => undefined,
  };
}

/** Makes the protection that the ledger of the last run remembers. */
export function rememberedProtection(
  { scrubber, prefix, values, confirmed, stoppingSince }: LedgerEntry,
  now: number,
): Protection {
  return {
    ...newProtection({ scrubber, prefix }, values, now),
    // A stop may have been sent, whose answer is not known.
    confirmed: confirmed && stoppingSince === undefined,
    attempted: true,
    request: stoppingSince === undefined ? 'start' : 'stop',
    stoppingSince,
  };
}

/** Returns what the ledger must know; undefined if the scrubber was not asked. */
export function ledgerEntry(one: Protection): LedgerEntry | undefined {
  const { scrubber, prefix, values, confirmed, stoppingSince } = one;
  if (!one.attempted) return undefined;
  return { scrubber, prefix, values, confirmed, ...(stoppingSince === undefined ? {} : { stoppingSince }) };
}

/** Makes the other request the current one. A stop that is asked for again keeps the time since when. */
export function turnTo(one: Protection, request: Protection['request'], now: number): void {
  one.request = request;
  one.attempts = 0;
  one.failed = false;
  one.lastError = undefined;
  one.since = now;
  one.stoppingSince = request === 'stop' ? (one.stoppingSince ?? now) : undefined;
}

function stateOf({ request, confirmed, failed }: Protection): ProtectionState {
  if (failed) return 'failed';
  if (request === 'stop') return 'stopping';
  return confirmed ? 'confirmed' : 'requested';
}

export function protectionStatus(one: Protection): ProtectionStatus {
  const { scrubber, prefix, request, since, attempts, lastError, dueAt } = one;
  return {
    scrubber,
    prefix,
    mitigationId: one.values.mitigation_id,
    state: stateOf(one),
    request,
    since,
    attempts,
    ...(lastError === undefined ? {} : { lastError }),
    ...(dueAt === undefined ? {} : { nextAttemptAt: dueAt }),
  };
}

// Reports.

/**
 * What has become of a request. `error`: it is tried again; `refused`: the scrubber would answer the same again, so it
 * is tried again at long intervals; `cancelled`: it was over before it was sent; `given_up`: a stop that nobody accepted.
 */
export const REQUEST_RESULTS = ['accepted', 'error', 'refused', 'cancelled', 'given_up'] as const;

export type RequestResult = (typeof REQUEST_RESULTS)[number];

export interface RequestReport {
  /** Absent: only the trouble has changed. */
  readonly result?: RequestResult;
  /** The request that it is about. */
  readonly request: Protection['request'];
  readonly status: ProtectionStatus;
  /** `begins`: the request counts as failed from now on; `ends`: no longer. */
  readonly trouble?: 'begins' | 'ends';
}
