import { describe } from 'node:test';
import { PostgresJournal } from '../../src/store/postgres/postgres-journal.ts';
import { missingPostgres } from '../support/postgres-server.ts';
import { storeContract } from './contract.ts';
import { sharedPostgres } from './postgres-support.ts';

describe('the journal in PostgreSQL', { skip: missingPostgres() }, () => {
  const postgres = sharedPostgres();
  storeContract('a journal in PostgreSQL', async () => {
    const name = postgres.newName();
    return () => new PostgresJournal({ url: postgres.server().url(), name });
  });
});
