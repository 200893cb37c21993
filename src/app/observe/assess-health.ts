/**
 * Assesses the daemon's health: healthy, degraded or not enforcing, with the reasons and their start times. It is the
 * only assessment; the API, the CLI, the dashboard and a metric show it. Computed on request, not pushed.
 */
import type { Announcer } from '../../control/announcer.ts';
import type { EngineView, Recording, Shortfall, TimerHost } from '../../control/types.ts';
import type { ExchangeView } from '../../exchange/types.ts';
import { secondsWords } from '../../net/text.ts';
import { errorText } from '../../net/text.ts';
import type { AuditCondition } from '../../store/audit/audit.ts';
import type { ScrubberRequests } from '../../cloud/scrubber-requests.ts';
import type { Assessment, HealthCode, HealthReason } from '../../view/health.ts';
import { exchangeLines } from './exchange-lines.ts';
import type { SourceStatus } from '../../view/inventory-source-view.ts';
import {
  auditLines,
  type HealthLine,
  type JournalMedium,
  quotaLines,
  recordingLines,
  requestLines,
  scrubberLines,
  sourceLines,
} from './health-lines.ts';

export interface HealthSources {
  readonly announcer: Announcer;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly isMock: boolean;
  /** Returns how far `clock` is currently ahead of the system's clock (ms); negative if it is behind. */
  readonly clockAhead: () => number;
  readonly engine: () => EngineView;
  /** The state of journal writes. */
  readonly recording: () => Recording;
  readonly audit: () => AuditCondition;
  /** What to check when the journal hangs. Default: the disk. */
  readonly medium?: JournalMedium | undefined;
  /** Why the journal's database cannot be written now, also when nothing is being written. */
  readonly trouble?: () => { readonly text: string; readonly since: number } | undefined;
  /** Mitigations that are not enforced, by neighbor and reason. */
  readonly shortfalls: () => readonly Shortfall[];
  /** The exchange with other POPs; undefined: there is none. */
  readonly exchange?: () => ExchangeView | undefined;
  /** Requests to cloud scrubbers; absent: there are none. */
  readonly requests?: () => Pick<ScrubberRequests, 'statuses' | 'ledgerTrouble'>;
  /** Another system's inventory; absent: there is none. */
  readonly source?: () => SourceStatus | undefined;
}

/** Maximum number of lines about rules that are missing on neighbors; one per neighbor and reason. */
const MAX_SHORTFALLS = 10;

const JOURNAL_FAILS = 'the journal cannot be written, events are refused';

/** Interval at which health is assessed even without a request (ms). */
const ASSESS_EVERY_MS = 5_000;

/** Clock difference from which a reason is reported (ms). */
const CLOCK_TOLERANCE_MS = 60_000;

/** Names of the session states (RFC 4271 §8.2.2). */
const STATE_NAMES = {
  idle: 'Idle',
  connect: 'Connect',
  active: 'Active',
  opensent: 'OpenSent',
  openconfirm: 'OpenConfirm',
  established: 'Established',
} as const;

const NOT_ENFORCING: ReadonlySet<HealthCode> = new Set<HealthCode>(['mock', 'dry_run', 'paused']);

export class Health {
  readonly #sources: HealthSources;
  #store: string | undefined;
  #snapshot: string | undefined;
  /** Time at which each reason was first found, by code and key. */
  #since: ReadonlyMap<string, number> = new Map();

  constructor(sources: HealthSources) {
    this.#sources = sources;
  }

  /** Records that the store works again. */
  storeWorks(): void {
    this.#store = undefined;
  }

  /** Records that the store could not write: events are answered 503 until it can. */
  storeFails(error: unknown): void {
    this.#store = `${JOURNAL_FAILS}: ${errorText(error)}`;
  }

  /** Records that a snapshot could not be written: the journal is complete, but the next start takes longer. */
  snapshotFails(error: unknown): void {
    this.#snapshot = `the last snapshot could not be written; the journal is complete: ${errorText(error)}`;
  }

  /** Assesses health regularly, so that reasons have the right start time. Returns a function that stops it. */
  watch({ after }: Pick<TimerHost, 'after'>): () => void {
    let cancel = (): void => undefined;
    const again = (): void => {
      this.assess();
      cancel = after(ASSESS_EVERY_MS, again);
    };
    again();
    return () => cancel();
  }

  /** Assesses the current health. */
  assess(): Assessment {
    const now = this.#sources.clock();
    const since = new Map<string, number>();
    const reasons = this.#findings().map(({ code, key, text, since: known }): HealthReason => {
      const id = `${code} ${key}`;
      const first = known ?? this.#since.get(id) ?? now;
      since.set(id, first);
      return { code, text, since: first };
    });
    this.#since = since;
    const enforcing = !reasons.some(({ code }) => NOT_ENFORCING.has(code));
    return { status: !enforcing ? 'not_enforcing' : reasons.length > 0 ? 'degraded' : 'ok', reasons };
  }

  #findings(): readonly HealthLine[] {
    const engine = this.#sources.engine();
    return [
      ...this.#mode(engine),
      ...this.#journal(),
      ...this.#recording(),
      ...(this.#snapshot === undefined ? [] : [{ code: 'snapshot', key: '', text: this.#snapshot } as const]),
      ...clockFindings(this.#sources.clockAhead()),
      ...this.#sessions(),
      ...shortfallFindings(this.#sources.shortfalls()),
      ...scrubberLines(engine.state, engine.policy),
      ...this.#requests(),
      ...sourceLines(this.#sources.source?.()),
      ...quotaLines(engine.state, engine.policy).map(
        ({ key, text }): HealthLine => ({ code: 'quota', key, text }),
      ),
      ...this.#exchange(),
    ];
  }

  #recording(): readonly HealthLine[] {
    const { clock, recording, audit } = this.#sources;
    return [...recordingLines(recording(), clock(), this.#sources.medium), ...auditLines(audit(), clock())];
  }

  /** The database's own words, which also know of another owner, come before those of the last write. */
  #journal(): readonly HealthLine[] {
    const trouble = this.#sources.trouble?.();
    if (trouble !== undefined) {
      const text = `${JOURNAL_FAILS}: ${trouble.text}`;
      return [{ code: 'journal', key: '', text, since: trouble.since }];
    }
    return this.#store === undefined ? [] : [{ code: 'journal', key: '', text: this.#store }];
  }

  #exchange(): readonly HealthLine[] {
    const exchange = this.#sources.exchange?.();
    return exchange === undefined ? [] : exchangeLines(exchange, this.#sources.clock());
  }

  #requests(): readonly HealthLine[] {
    const requests = this.#sources.requests?.();
    return requests === undefined ? [] : requestLines(requests.statuses(), requests.ledgerTrouble);
  }

  #mode(engine: EngineView): readonly HealthLine[] {
    const findings: HealthLine[] = [];
    if (this.#sources.isMock) {
      const text = 'bgp.mode is mock: no rule is sent to any router';
      findings.push({ code: 'mock', key: '', text });
    }
    if (engine.policy.mode === 'dry-run') {
      const text = 'mode is dry-run: decisions are recorded, but nothing is announced';
      findings.push({ code: 'dry_run', key: '', text });
    }
    const { paused } = engine.state;
    if (paused !== undefined) {
      const { actor, reason, at } = paused;
      const text = `paused by ${actor.name}: ${reason}; nothing new is announced`;
      findings.push({ code: 'paused', key: '', text, since: at });
    }
    return findings;
  }

  #sessions(): readonly HealthLine[] {
    const peers = this.#sources.announcer.peers();
    if (peers.length === 0) {
      const text = 'no neighbor is configured (bgp.neighbors): no rule is sent to any router';
      return [{ code: 'no_neighbors', key: '', text }];
    }
    const disabled = this.#sources.engine().state.disabledPeers;
    return peers.flatMap(({ name, state, enabled, lastError, hint }): readonly HealthLine[] => {
      if (enabled && state === 'established') return [];
      if (enabled) {
        const why = hint ?? lastError;
        const text = `${name}: session down (${STATE_NAMES[state]})${why === undefined ? '' : `: ${why}`}`;
        return [{ code: 'session_down', key: name, text }];
      }
      const by = disabled?.get(name);
      if (by === undefined) {
        return [{ code: 'session_disabled', key: name, text: `${name} is disabled in the configuration` }];
      }
      const text = `${name} is disabled by ${by.actor.name}: ${by.reason}`;
      return [{ code: 'session_disabled', key: name, text, since: by.at }];
    });
  }
}

/**
 * Reports that the clock was set while the daemon ran, or set back while it was down; prefixd's own time, which TTLs
 * follow, continues.
 */
function clockFindings(aheadMs: number): readonly HealthLine[] {
  if (Math.abs(aheadMs) < CLOCK_TOLERANCE_MS) return [];
  const distance = secondsWords(Math.round(Math.abs(aheadMs) / 1000));
  const where = aheadMs > 0 ? 'behind' : 'ahead of';
  const text = `the system's clock is ${distance} ${where} prefixd's, which TTLs and displayed times follow; correct it, then restart prefixd when no mitigation is active`;
  return [{ code: 'clock', key: '', text }];
}

function shortfallFindings(shortfalls: readonly Shortfall[]): readonly HealthLine[] {
  const findings = shortfalls.slice(0, MAX_SHORTFALLS).map(({ neighbor, state, why, count }): HealthLine => {
    const mitigations = count === 1 ? '1 active mitigation' : `${count} active mitigations`;
    const lack = state === 'over_budget' ? 'has no room for' : 'cannot enforce';
    const text = `${neighbor} ${lack} ${mitigations}: ${why}`;
    return { code: state, key: `${neighbor} ${why}`, text };
  });
  const more = shortfalls.length - findings.length;
  if (more === 0) return findings;
  const text = `and ${more} more neighbors or reasons; prefixd mitigations get shows those of one mitigation`;
  return [...findings, { code: 'unsupported', key: '', text }];
}
