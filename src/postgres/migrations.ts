/** Creates and updates the tables of one schema by numbered steps, each applied once and in order. */
import { countWords } from '../net/text.ts';
import { numberOf, type PostgresConnection } from './connection.ts';
import { PostgresError } from './postgres-error.ts';

/** A step from version `number - 1` to version `number`. */
export interface SchemaStep {
  readonly number: number;
  /** What it does, in a few words. */
  readonly title: string;
  /** Statements; table names are qualified with the schema. */
  readonly sql: string;
}

export interface SchemaSteps {
  /** A name that needs no quotes. */
  readonly schema: string;
  /** Ascending from 1 without gaps. */
  readonly migrations: readonly SchemaStep[];
  /** Time limit for one step (ms) instead of the usual one. */
  readonly stepMs?: number;
  /** More words of the command that updates the tables. */
  readonly advice?: string;
}

/** Time limit for one step (ms); it may rewrite a large table. */
const STEP_MS = 600_000;

/** Returns the version of the schema in this database; 0 if it has no tables of it. */
export async function schemaVersion(connection: PostgresConnection, schema: string): Promise<number> {
  const { rows } = await connection.query('SELECT to_regclass($1) IS NOT NULL AS there', [
    `${schema}.migration`,
  ]);
  if (rows[0]?.there !== true) return 0;
  const found = await connection.query(`SELECT coalesce(max(number), 0) AS version FROM ${schema}.migration`);
  return numberOf(found.rows[0], 'version');
}

/**
 * Brings an empty schema to the newest version, as a daemon does when it starts. Rejects with PostgresError if the schema
 * has an older version, which a person updates, or a newer one.
 */
export async function requireSchema(connection: PostgresConnection, plan: SchemaSteps): Promise<void> {
  const version = await schemaVersion(connection, plan.schema);
  const newest = plan.migrations.length;
  if (version === 0) await migrate(connection, plan);
  else if (version > newest) throw tooNew(connection, plan, version);
  else if (version < newest) {
    throw new PostgresError(
      'unsuitable',
      `the schema ${plan.schema} in PostgreSQL at ${connection.place} has version ${version} and this prefixd needs ${newest}; run prefixd db migrate${plan.advice ?? ''}`,
    );
  }
}

/** Applies the steps that are missing, each in a transaction of its own. Returns them; empty if there were none. */
export async function migrate(
  connection: PostgresConnection,
  plan: SchemaSteps,
): Promise<readonly SchemaStep[]> {
  await prepare(connection, plan.schema);
  const applied: SchemaStep[] = [];
  for (const step of plan.migrations) {
    if (await apply(connection, plan, step)) applied.push(step);
  }
  return applied;
}

async function prepare(connection: PostgresConnection, schema: string): Promise<void> {
  const { rows } = await connection.query('SELECT to_regnamespace($1) IS NOT NULL AS there', [schema]);
  // CREATE SCHEMA IF NOT EXISTS would need the privilege to create one, even if it exists.
  if (rows[0]?.there !== true) await unlessThere(connection.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`));
  await unlessThere(
    connection.query(
      `CREATE TABLE IF NOT EXISTS ${schema}.migration (
         number integer PRIMARY KEY,
         title text NOT NULL,
         applied_at timestamptz NOT NULL DEFAULT now()
       )`,
    ),
  );
}

/**
 * SQLSTATE of a schema, a table, a table's row type, and a row of the catalog that exist already: the server says whichever
 * it notices first.
 */
const ALREADY_THERE: ReadonlySet<string> = new Set(['42P06', '42P07', '42710', '23505']);

/** Ignores that another session has just created the same thing, which IF NOT EXISTS does not do. */
async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!(error instanceof PostgresError) || !ALREADY_THERE.has(error.code ?? '')) throw error;
  }
}

/** Applies a step unless the schema has it. The table's lock keeps two programs from applying it at once. */
async function apply(connection: PostgresConnection, plan: SchemaSteps, step: SchemaStep): Promise<boolean> {
  const { schema, migrations } = plan;
  return connection.inTransaction(async () => {
    await connection.query(`LOCK TABLE ${schema}.migration IN EXCLUSIVE MODE`);
    const { rows } = await connection.query(
      `SELECT coalesce(max(number), 0) AS version FROM ${schema}.migration`,
    );
    const version = numberOf(rows[0], 'version');
    if (version > migrations.length) throw tooNew(connection, plan, version);
    if (version >= step.number) return false;
    await connection.query(step.sql, [], { deadlineMs: plan.stepMs ?? STEP_MS });
    await connection.query(`INSERT INTO ${schema}.migration (number, title) VALUES ($1, $2)`, [
      step.number,
      step.title,
    ]);
    return true;
  });
}

function tooNew(connection: PostgresConnection, plan: SchemaSteps, version: number): PostgresError {
  const known = countWords(plan.migrations.length, 'version');
  return new PostgresError(
    'unsuitable',
    `the schema ${plan.schema} in PostgreSQL at ${connection.place} has version ${version} and this prefixd knows ${known}; update prefixd`,
  );
}
