/**
 * The tables that the daemons of all POPs share, in a schema of their own. Each POP is the only writer of its rows in
 * `pop`, `intent` and `live`; of `request` the POP that asks, of `ack` the POP that answers.
 */
import type { SchemaSteps } from '../postgres/migrations.ts';

/** The channel of NOTIFY. Payloads are hints only: `intent POP`, `request` and `ack`. */
export const CHANNEL = 'prefixd_exchange';

/** Holds every table of the exchange. */
export const SCHEMA = 'prefixd_exchange';

export const EXCHANGE_SCHEMA: SchemaSteps = {
  schema: SCHEMA,
  advice: ' --exchange',
  // Others wait meanwhile, and a POP may be cut off in the middle.
  stepMs: 5_000,
  migrations: [
    {
      number: 1,
      title: 'POPs, their intents, requests and acknowledgements',
      sql: `
        CREATE TABLE ${SCHEMA}.pop (
          name text PRIMARY KEY,
          epoch bigint NOT NULL,
          n bigint NOT NULL,
          instance text NOT NULL,
          process integer NOT NULL,
          version text NOT NULL,
          policy_hash text NOT NULL,
          sessions_up integer NOT NULL,
          sessions_total integer NOT NULL,
          active integer NOT NULL,
          at timestamptz NOT NULL
        ) WITH (fillfactor = 50);
        CREATE TABLE ${SCHEMA}.intent (
          pop text NOT NULL,
          epoch bigint NOT NULL,
          n bigint NOT NULL,
          id text NOT NULL,
          body text NOT NULL,
          remaining_ms bigint NOT NULL,
          at timestamptz NOT NULL DEFAULT clock_timestamp(),
          PRIMARY KEY (pop, epoch, n)
        );
        CREATE INDEX intent_at ON ${SCHEMA}.intent (at);
        CREATE TABLE ${SCHEMA}.live (
          pop text NOT NULL,
          id text NOT NULL,
          epoch bigint NOT NULL,
          n bigint NOT NULL,
          body text NOT NULL,
          remaining_ms bigint NOT NULL,
          at timestamptz NOT NULL,
          PRIMARY KEY (pop, id)
        );
        CREATE TABLE ${SCHEMA}.request (
          pop text NOT NULL,
          epoch bigint NOT NULL,
          n bigint NOT NULL,
          targets text NOT NULL,
          body text NOT NULL,
          at timestamptz NOT NULL DEFAULT clock_timestamp(),
          expires_at timestamptz NOT NULL,
          PRIMARY KEY (pop, epoch, n)
        );
        CREATE TABLE ${SCHEMA}.ack (
          pop text NOT NULL,
          epoch bigint NOT NULL,
          n bigint NOT NULL,
          by text NOT NULL,
          state text NOT NULL,
          detail text NOT NULL,
          at timestamptz NOT NULL DEFAULT clock_timestamp(),
          PRIMARY KEY (pop, epoch, n, by),
          FOREIGN KEY (pop, epoch, n) REFERENCES ${SCHEMA}.request ON DELETE CASCADE
        );
        COMMENT ON TABLE ${SCHEMA}.pop IS 'Heartbeats of the daemons; the clock is the database''s';
        COMMENT ON TABLE ${SCHEMA}.intent IS 'Versions of the mitigations that each POP decided, numbered without gaps in an epoch';
        COMMENT ON TABLE ${SCHEMA}.live IS 'The last version of each mitigation until its TTL is over, for readers that come late';
        COMMENT ON TABLE ${SCHEMA}.request IS 'What an operator at one POP asks others to do';
        COMMENT ON TABLE ${SCHEMA}.ack IS 'The answers to requests';`,
    },
  ],
};

/** A row's age by the database's clock (ms). A clock that was set back makes no row younger than new. */
export function ageOf(table: string): string {
  return `greatest(0, extract(epoch FROM clock_timestamp() - ${table}.at) * 1000)`;
}

// Times of rows that nobody needs any more.

/** An intent is kept this long for readers that are behind; later ones read \`live\`. */
const KEEP_INTENTS = "interval '1 hour'";
/** A POP that was not heard of for this long is forgotten. */
const KEEP_POPS = "interval '7 days'";

/**
 * Deletes what nobody needs. The parameter is this POP: its own rows go early, those of POPs that are gone after a day.
 */
export const PRUNE = `
  WITH intents AS (
    DELETE FROM ${SCHEMA}.intent AS i
     WHERE at < clock_timestamp() - CASE WHEN i.pop = $1 THEN ${KEEP_INTENTS} ELSE interval '1 day' END
  ), lives AS (
    DELETE FROM ${SCHEMA}.live AS l
     WHERE at + remaining_ms * interval '1 ms'
           < clock_timestamp() - CASE WHEN l.pop = $1 THEN interval '1 minute' ELSE interval '1 day' END
  ), requests AS (
    DELETE FROM ${SCHEMA}.request WHERE expires_at < clock_timestamp()
  )
  DELETE FROM ${SCHEMA}.pop WHERE name <> $1 AND at < clock_timestamp() - ${KEEP_POPS}`;
