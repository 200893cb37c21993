/** Makes the journal and the audit log that the configuration names. */
import type { Logger } from 'pino';
import type { LoadedConfig } from '../config/types.ts';
import type { AuditStorage } from '../store/audit/audit-storage.ts';
import { RotatedAudit } from '../store/audit/audit-storage.ts';
import { Journal } from '../store/journal/journal.ts';
import type { JournalCounts } from '../store/postgres/postgres-journal.ts';
import type { Store } from '../store/store.ts';
import type { JournalMedium } from './observe/health-lines.ts';

/** Why the journal cannot be written now, although nothing waits for it. */
export interface JournalTrouble {
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** A connection to a database that holds the journal. */
export interface JournalDatabase {
  /** Undefined while the journal can be written. */
  trouble(): JournalTrouble | undefined;
  readonly counts: JournalCounts;
}

export interface DaemonStorage {
  readonly store: Store;
  /** Names the journal in errors: its folder, or what it is in the database. */
  readonly place: string;
  /** What to look at when it hangs or fails; undefined: the disk. */
  readonly medium: JournalMedium | undefined;
  /** What a journal lacks that has lost its newest facts, and what to do. */
  readonly loss: string;
  /** A folder for the daemon's own marks; undefined if it has no disk. */
  readonly folder: string | undefined;
  readonly database: JournalDatabase | undefined;
  /** Opens the audit log; the journal must be open. Rejects with StoreError. */
  openAudit(): Promise<AuditStorage>;
}

export interface StorageParts {
  readonly clock: () => number;
  readonly logger: Logger;
  /** Called when a journal in a database can be written again after its connection was lost. */
  readonly onWorks: () => void;
}

/** Loads what the driver needs, and nothing else. */
export async function makeStorage(config: LoadedConfig, parts: StorageParts): Promise<DaemonStorage> {
  const { storage } = config;
  return storage.driver === 'jsonl'
    ? inFolder(config, storage.path, parts)
    : inDatabase(config, storage, parts);
}

function inFolder(
  { observability: { auditLogPath } }: LoadedConfig,
  folder: string,
  { clock }: StorageParts,
): DaemonStorage {
  const path = auditLogPath ?? `${folder}/audit.jsonl`;
  return {
    store: new Journal({ folder, clock }),
    place: folder,
    medium: undefined,
    loss: "the journal's newest journal-*.jsonl is missing or truncated; restore it",
    folder,
    database: undefined,
    openAudit: () => RotatedAudit.open({ path, clock }),
  };
}

async function inDatabase(
  { observability: { auditLogPath: path } }: LoadedConfig,
  { url, journal: name }: Extract<LoadedConfig['storage'], { driver: 'postgres' }>,
  { clock, logger, onWorks }: StorageParts,
): Promise<DaemonStorage> {
  const { JOURNAL_DEADLINES, PostgresJournal } = await import('../store/postgres/postgres-journal.ts');
  const { PostgresAudit } = await import('../store/postgres/postgres-audit.ts');
  const store = new PostgresJournal({
    url,
    name,
    clock,
    onNotice: (text) => logger.warn({}, text),
    onWorks: () => {
      logger.info({}, 'the journal can be written again');
      onWorks();
    },
  });
  return {
    store,
    place: `the journal "${name}"`,
    medium: { noun: 'database', key: 'storage.url_env' },
    loss: 'the database has lost its newest facts; restore it',
    folder: undefined,
    database: {
      trouble: () => store.trouble,
      get counts() {
        return store.counts;
      },
    },
    openAudit: async () => {
      if (path !== undefined) return RotatedAudit.open({ path, clock });
      const journal = store.claimed;
      return PostgresAudit.open({ url, journal, deadlines: JOURNAL_DEADLINES, clock });
    },
  };
}
