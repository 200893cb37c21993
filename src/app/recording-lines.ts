/** What is the matter with writing down, in lines for the assessment of the whole. */
import type { Recording } from '../control/types.ts';
import type { AuditCondition } from '../store/audit.ts';
import { errorText } from '../net/text.ts';
import { countWords, secondsWords } from '../net/text.ts';
import type { HealthCode } from '../view/health.ts';

/** A reason of the assessment before it is known since when. `key` tells it from others of its code. */
export interface Finding {
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
export function recordingLines(recording: Recording, now: number): readonly Finding[] {
  const { phase, writingSince, snapshottingSince, unrecorded, unrecordedSince } = recording;
  const lines: Finding[] = [];
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
export function auditLines({ failure, writingSince }: AuditCondition, now: number): readonly Finding[] {
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
