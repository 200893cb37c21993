/** A PostgreSQL server for the tests of one file, with a journal of its own for each test. */
import { after, before, type TestContext } from 'node:test';
import { PostgresJournal, type PostgresJournalOptions } from '../../src/store/postgres/postgres-journal.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { undo } from '../support/undo.ts';

export interface SharedPostgres {
  server(): PostgresServer;
  newName(): string;
}

/** Starts the server before the suite's tests and removes it after them. */
export function sharedPostgres(settings: readonly string[] = []): SharedPostgres {
  let running: PostgresServer | undefined;
  let journals = 0;
  before(async () => {
    running = await startPostgres(settings);
  });
  after(() => running?.remove());
  return {
    server: () => {
      if (running === undefined) throw new Error('PostgreSQL has not been started');
      return running;
    },
    newName: () => `j${++journals}`,
  };
}

/** Deadlines that end what hangs soon, on a machine that is busy. */
export const SHORT = {
  connectMs: 2_000,
  statementMs: 2_000,
  resolveMs: 20_000,
  heartbeatMs: 60_000,
  lockMs: 10_000,
  pauseMs: [20, 200],
} as const;

/** Makes a journal that is closed after the test. */
export function journalOf(t: TestContext, options: PostgresJournalOptions): PostgresJournal {
  const journal = new PostgresJournal({ ...options, deadlines: { ...SHORT, ...options.deadlines } });
  undo(t, () => journal.close());
  return journal;
}
