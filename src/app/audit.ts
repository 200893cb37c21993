/** What the daemon asks of an audit log. */
import type { RecordedFact } from '../core/facts.ts';
import type { OperatorAction } from '../http/dependencies.ts';

export interface Audit {
  record(facts: readonly RecordedFact[]): void;
  recordAction(action: OperatorAction): void;
  /** Newest first. */
  newest(limit: number): Promise<readonly unknown[]>;
  close(): Promise<void>;
}

/** An audit that keeps the newest entries in memory alone, until the log on disk is connected. */
export function memoryAudit(): Audit {
  const entries: unknown[] = [];
  const keep = (entry: unknown): void => {
    entries.unshift(entry);
    entries.length = Math.min(entries.length, 1000);
  };
  return {
    record: (facts) => facts.forEach(keep),
    recordAction: keep,
    newest: (limit) => Promise.resolve(entries.slice(0, limit)),
    close: () => Promise.resolve(),
  };
}
