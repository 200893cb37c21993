/**
 * Defines the tables of journals in PostgreSQL. Several journals, told apart by their names, share them.
 *
 * A fact's body is a line of the journal's files without its line feed, so that a copy between the two is exact. It is
 * text, because jsonb refuses what a fact may hold (\u0000) and changes what it keeps. `base` is the number of the last
 * fact that retention has removed: the facts base + 1 to max(seq) are there without a gap.
 */
import type { SchemaSteps } from '../../postgres/migrations.ts';

export const JOURNAL_TABLES: SchemaSteps = {
  schema: 'prefixd',
  migrations: [
    {
      number: 1,
      title: 'journals, facts, snapshots and audit logs',
      sql: `
        CREATE TABLE prefixd.journal (
          id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          name text NOT NULL UNIQUE,
          epoch bigint NOT NULL DEFAULT 0,
          link bigint NOT NULL DEFAULT 0,
          writer text NOT NULL DEFAULT '',
          owner text NOT NULL DEFAULT '',
          opened_at timestamptz NOT NULL DEFAULT now(),
          base bigint NOT NULL DEFAULT 0
        );
        COMMENT ON COLUMN prefixd.journal.epoch IS 'raised by each daemon that opens the journal; older ones cannot write any more';
        COMMENT ON COLUMN prefixd.journal.link IS 'raised by each connection of that daemon; statements of older ones have no effect';
        CREATE TABLE prefixd.fact (
          journal integer NOT NULL,
          seq bigint NOT NULL,
          epoch bigint NOT NULL,
          body text NOT NULL,
          PRIMARY KEY (journal, seq)
        );
        CREATE TABLE prefixd.snapshot (
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          journal integer NOT NULL,
          seq bigint NOT NULL,
          state text NOT NULL CHECK (state IN ('writing', 'complete', 'milestone')),
          taken_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX snapshot_by_journal ON prefixd.snapshot (journal, id);
        COMMENT ON COLUMN prefixd.snapshot.state IS 'milestone: its parts are removed, and it dates the facts before it';
        CREATE TABLE prefixd.snapshot_part (
          snapshot bigint NOT NULL REFERENCES prefixd.snapshot ON DELETE CASCADE,
          number integer NOT NULL,
          body text NOT NULL,
          PRIMARY KEY (snapshot, number)
        );
        CREATE TABLE prefixd.audit (
          journal integer NOT NULL,
          number bigint GENERATED ALWAYS AS IDENTITY,
          seq bigint,
          body text NOT NULL,
          PRIMARY KEY (journal, number),
          UNIQUE (journal, seq)
        );
        CREATE INDEX audit_actions ON prefixd.audit (journal, number) WHERE seq IS NULL;
        COMMENT ON COLUMN prefixd.audit.seq IS 'the fact that the entry is made from; null for an action that is no fact';
      `,
    },
  ],
};
