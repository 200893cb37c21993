/** Which quotas are used up right now, in words: the next attack on these is refused a mitigation. */
import type { Recording } from '../../control/types.ts';
import type { Policy } from '../../core/policy/policy.ts';
import type { StateView } from '../../core/state/state.ts';
import { countWords, errorText, secondsWords } from '../../net/text.ts';
import type { AuditCondition } from '../../store/audit/audit.ts';
import type { HealthCode } from '../../view/health.ts';

/** Customers that are named; the others are counted. */
const NAMED = 5;

/** A quota that is used up. */
export interface QuotaLine {
  /** Which: `global`, `pop`, `customer acme`, or `customers` for those that are not named. */
  readonly key: string;
  /** For an operator. */
  readonly text: string;
}

/** A line for each quota that is used up; customers share one beyond NAMED. Empty when there is room everywhere. */
export function quotaLines(
  state: Pick<StateView, 'activeTotal' | 'activeOfPop' | 'activeByCustomer'>,
  { quotas, pop, mode }: Pick<Policy, 'quotas' | 'pop' | 'mode'>,
): readonly QuotaLine[] {
  const dryRun = mode === 'dry-run';
  const lines: QuotaLine[] = [];
  const total = state.activeTotal(dryRun);
  if (total >= quotas.maxActiveGlobal) {
    const text = `the quota of all mitigations is used up: ${total} of ${quotas.maxActiveGlobal} (quotas.max_active_global)`;
    lines.push({ key: 'global', text });
  }
  const ofPop = state.activeOfPop(pop, dryRun);
  if (ofPop >= quotas.maxActivePerPop) {
    const text = `the quota of POP ${pop} is used up: ${ofPop} of ${quotas.maxActivePerPop} (quotas.max_active_per_pop)`;
    lines.push({ key: 'pop', text });
  }
  const most = quotas.maxActivePerCustomer;
  const full = [...state.activeByCustomer(dryRun)].filter(([, count]) => count >= most);
  for (const [customer, count] of full.slice(0, NAMED)) {
    const text = `customer ${customer} is at its quota: ${count} of ${most} (quotas.max_active_per_customer)`;
    lines.push({ key: `customer ${customer}`, text });
  }
  if (full.length > NAMED) {
    const text = `and ${countWords(full.length - NAMED, 'more customer')} at their quota`;
    lines.push({ key: 'customers', text });
  }
  return lines;
}

// What is the matter with writing down, in lines for the assessment of the whole.

/** A reason of the assessment before it is known since when. `key` tells it from others of its code. */
export interface HealthLine {
  readonly code: HealthCode;
  readonly key: string;
  readonly text: string;
  /** Known from elsewhere (ms since the epoch); absent: when it was first found. */
  readonly since?: number;
}

/** What a journal that hangs means, for the log and for health. */
export const JOURNAL_HANGS =
  'the journal does not answer, a write to it hangs: events are refused; rules still expire and can be withdrawn';

/** A snapshot is written beside everything else and may take its time; for so long (ms). */
const SNAPSHOT_MS = 300_000;
/** An entry of the audit log that is not written after this has stalled (ms). */
const AUDIT_MS = 10_000;

/** What hangs, and what is in effect without being written down. */
export function recordingLines(recording: Recording, now: number): readonly HealthLine[] {
  const { phase, writingSince, snapshottingSince, unrecorded, unrecordedSince } = recording;
  const lines: HealthLine[] = [];
  if (phase === 'stalled' && writingSince !== null) {
    const text = `${JOURNAL_HANGS}; check the disk of storage.path`;
    lines.push({ code: 'journal_stalled', key: '', text, since: writingSince });
  }
  if (unrecorded > 0 && unrecordedSince !== null) {
    const what = countWords(unrecorded, "operator's action is", "operators' actions are");
    const text = `${what} in effect and not recorded yet: repair the disk before prefixd is restarted, or repeat them afterwards`;
    lines.push({ code: 'unrecorded', key: '', text, since: unrecordedSince });
  }
  if (snapshottingSince !== null && now - snapshottingSince >= SNAPSHOT_MS) {
    const text = `a snapshot has been under way for more than ${secondsWords(SNAPSHOT_MS / 1000)}; the journal is complete; check the disk of storage.path`;
    lines.push({ code: 'snapshot', key: 'slow', text, since: snapshottingSince });
  }
  return lines;
}

/** What keeps the audit log from being written: decisions do not wait for it. */
export function auditLines({ failure, writingSince }: AuditCondition, now: number): readonly HealthLine[] {
  const after = 'its entries wait, and the oldest are dropped beyond 10,000';
  if (failure !== null) {
    return [
      {
        code: 'audit',
        key: 'failing',
        text: `the audit log cannot be written, ${after}: ${errorText(failure)}`,
      },
    ];
  }
  if (writingSince === null || now - writingSince < AUDIT_MS) return [];
  const text = `the audit log does not answer, a write to it hangs; ${after}; check the disk of observability.audit_log_path`;
  return [{ code: 'audit', key: 'stalled', text, since: writingSince }];
}
