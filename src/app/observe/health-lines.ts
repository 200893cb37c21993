/** Makes health lines: quotas that are used up, failed requests to scrubbers, and problems of the journal and the audit log. */
import type { Recording } from '../../control/types.ts';
import { failureWords } from '../../core/policy/guardrails.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { NO_TARGETS } from '../../core/policy/scrubbers.ts';
import type { StateView } from '../../core/state/state.ts';
import { countWords, errorText, secondsWords } from '../../net/text.ts';
import type { AuditCondition } from '../../store/audit/audit.ts';
import type { HealthCode } from '../../view/health.ts';
import type { SourceStatus } from '../../view/inventory-source-view.ts';
import type { ProtectionStatus } from '../../view/protection-view.ts';

/** Maximum number of customers that are named; the others are counted. */
const NAMED = 5;

/** A quota that is used up: the next mitigation under it is refused. */
export interface QuotaLine {
  /** `global`, `pop`, `customer acme`, or `customers` for those that are not named. */
  readonly key: string;
  readonly text: string;
}

/** Returns a line for each quota that is used up; customers beyond NAMED share one. Empty if every quota has room. */
export function quotaLines(
  state: Pick<StateView, 'activeTotal' | 'activeOfPop' | 'activeByCustomer'>,
  { quotas, pop, mode }: Pick<Policy, 'quotas' | 'pop' | 'mode'>,
): readonly QuotaLine[] {
  const dryRun = mode === 'dry-run';
  const lines: QuotaLine[] = [];
  const total = state.activeTotal(dryRun);
  if (total >= quotas.maxActiveGlobal) {
    const text = `the global quota is used up: ${total} of ${quotas.maxActiveGlobal} (quotas.max_active_global)`;
    lines.push({ key: 'global', text });
  }
  const ofPop = state.activeOfPop(pop, dryRun);
  if (ofPop >= quotas.maxActivePerPop) {
    const text = `POP ${pop}'s quota is used up: ${ofPop} of ${quotas.maxActivePerPop} (quotas.max_active_per_pop)`;
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

/** Returns a line for each scrubber that fails its health probe. */
export function scrubberLines(
  { downScrubbers }: Pick<StateView, 'downScrubbers'>,
  { targets = NO_TARGETS }: Pick<Policy, 'targets'>,
): readonly HealthLine[] {
  const probed = [...downScrubbers].filter(([name]) => targets.scrubbers.get(name)?.probe !== undefined);
  return probed.map(([name, failure]) => ({
    code: 'scrubber_down',
    key: name,
    text: failureWords(name, failure),
    since: failure.at,
  }));
}

// Problems of the journal and the audit log.

/** A health reason without its start time. `key` distinguishes it from others with the same code. */
export interface HealthLine {
  readonly code: HealthCode;
  readonly key: string;
  readonly text: string;
  /** Start time (ms since the epoch). Default: when it was first found. */
  readonly since?: number;
}

/** Explains a journal that hangs, for the log and for health. */
export const JOURNAL_HANGS =
  'a write to the journal hangs: events are refused; rules still expire and can be withdrawn';

/** Time after which a snapshot that is still being written is reported (ms). */
const SNAPSHOT_MS = 300_000;
/** Time after which a pending write to the audit log is reported (ms). */
const AUDIT_MS = 10_000;

/** What holds the journal, and the key of the configuration that names it. */
export interface JournalMedium {
  readonly noun: string;
  readonly key: string;
}

const DISK: JournalMedium = { noun: 'disk', key: 'storage.path' };

/** Returns lines for journal writes that hang, and for commands that are in effect but not recorded. */
export function recordingLines(
  recording: Recording,
  now: number,
  { noun, key }: JournalMedium = DISK,
): readonly HealthLine[] {
  const { phase, writingSince, snapshottingSince, unrecorded, unrecordedSince } = recording;
  const lines: HealthLine[] = [];
  if (phase === 'stalled' && writingSince !== undefined) {
    const text = `${JOURNAL_HANGS}; check the ${noun} of ${key}`;
    lines.push({ code: 'journal_stalled', key: '', text, since: writingSince });
  }
  if (unrecorded > 0 && unrecordedSince !== undefined) {
    const what = countWords(unrecorded, "operator's action is", "operators' actions are");
    const text = `${what} in effect but not recorded yet: repair the ${noun} before you restart prefixd, or repeat them afterwards`;
    lines.push({ code: 'unrecorded', key: '', text, since: unrecordedSince });
  }
  if (snapshottingSince !== undefined && now - snapshottingSince >= SNAPSHOT_MS) {
    const text = `writing a snapshot has taken more than ${secondsWords(SNAPSHOT_MS / 1000)}; the journal is complete; check the ${noun} of ${key}`;
    lines.push({ code: 'snapshot', key: 'slow', text, since: snapshottingSince });
  }
  return lines;
}

/** Returns lines for an audit log that cannot be written; decisions do not wait for it. */
export function auditLines({ failure, writingSince }: AuditCondition, now: number): readonly HealthLine[] {
  const after = 'its entries wait, and the oldest are dropped beyond 10,000';
  if (failure !== undefined) {
    return [
      {
        code: 'audit',
        key: 'failing',
        text: `the audit log cannot be written, ${after}: ${errorText(failure)}`,
      },
    ];
  }
  if (writingSince === undefined || now - writingSince < AUDIT_MS) return [];
  const text = `a write to the audit log hangs; ${after}; check the disk of observability.audit_log_path`;
  return [{ code: 'audit', key: 'stalled', text, since: writingSince }];
}

// Requests to cloud scrubbers.

/** Returns a line for each request that has failed; beyond NAMED they share one. And for what remembers requests. */
export function requestLines(
  statuses: readonly ProtectionStatus[],
  { reading, writing }: { readonly reading?: string; readonly writing?: string },
): readonly HealthLine[] {
  const failed = statuses.filter(({ state }) => state === 'failed');
  const code = 'scrubber_request';
  const lines: HealthLine[] = failed.slice(0, NAMED).map((one) => {
    const { scrubber, prefix, request, attempts, lastError = 'no reason', since } = one;
    const what =
      request === 'start'
        ? `${scrubber} has not confirmed that it protects ${prefix}`
        : `${scrubber} may still protect ${prefix}, which nobody needs any more`;
    const text = `${what}: ${lastError} (${countWords(attempts, 'attempt')}); trying again`;
    return { code, key: `${request} ${scrubber} ${prefix}`, text, since };
  });
  if (failed.length > NAMED) {
    const text = `and ${countWords(failed.length - NAMED, 'more failed request')} to scrubbers; prefixd scrubbers shows them`;
    lines.push({ code, key: 'more', text });
  }
  if (writing !== undefined) {
    const text = `scrubber-requests.json cannot be written, so a restart may forget what scrubbers protect: ${writing}`;
    lines.push({ code, key: 'writing', text });
  }
  if (reading !== undefined) {
    const text = `scrubber-requests.json could not be read at the start (${reading}) and is now scrubber-requests.json.damaged: check at your scrubbers which prefixes they protect, then restart prefixd`;
    lines.push({ code, key: 'reading', text });
  }
  return lines;
}

/** Returns lines for an inventory that cannot be read, or waits for an operator. */
export function sourceLines(status: SourceStatus | undefined): readonly HealthLine[] {
  if (status === undefined) return [];
  const { from, copy, failure, waiting } = status;
  const lines: HealthLine[] = [];
  if (copy === undefined && waiting === undefined) {
    const why = failure === undefined ? 'it is being read' : failure.text;
    const text = `no inventory of ${from} yet: reports about its customers are refused: ${why}`;
    lines.push({ code: 'inventory', key: 'none', text });
  } else if (failure !== undefined) {
    const text = `the inventory of ${from} cannot be read (${failure.code}); the copy stays in use: ${failure.text}`;
    lines.push({ code: 'inventory', key: 'failure', text, since: failure.since });
  }
  if (waiting !== undefined) {
    const text = `a new inventory of ${from} is not used: ${waiting.reason}; look at prefixd inventory diff, then prefixd inventory accept`;
    lines.push({ code: 'inventory', key: 'waiting', text, since: waiting.since });
  }
  return lines;
}
