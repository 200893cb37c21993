/** The statements on `request` and `ack`. */
import type { IntentVersion } from '../core/types.ts';
import { numberOf, type PostgresConnection, type PostgresRow, textOf } from '../postgres/connection.ts';
import { ageOf, CHANNEL, SCHEMA } from './exchange-tables.ts';
import { encodeRequest } from './intent-codec.ts';
import type { Confirmation, PopRequest, PopTargets } from './types.ts';

/** A request of another POP that this one has not answered. */
export interface WaitingRequest {
  readonly id: IntentVersion;
  readonly body: string;
}

/** A request as it is kept. */
interface KeptRequest extends WaitingRequest {
  readonly targets: PopTargets;
  readonly ageMs: number;
}

interface AckRow {
  readonly id: IntentVersion;
  readonly by: string;
  readonly state: Exclude<Confirmation['state'], 'unconfirmed'>;
  readonly detail: string;
}

/** Most requests that are done in one turn. */
const MOST_WAITING = 100;
const MOST_BODY = 65_536;
const MOST_DETAIL = 500;

export class RequestRows {
  readonly #connection: PostgresConnection;
  readonly #pop: string;

  constructor(connection: PostgresConnection, pop: string) {
    this.#connection = connection;
    this.#pop = pop;
  }

  /**
   * Writes a request, once. `lifetimeMs` undefined: it does not expire. A removal from the safelist takes away the
   * requests that added the entry, so that POPs that come later do not add it. Returns the names of the other POPs.
   */
  async write(
    id: IntentVersion,
    targets: PopTargets,
    request: PopRequest,
    lifetimeMs: number | undefined,
  ): Promise<readonly string[]> {
    if (request.type === 'safelist-remove' && targets === 'all') {
      await this.#connection.query(
        `DELETE FROM ${SCHEMA}.request AS r USING json_to_recordset($1::json) AS t(pop text, epoch bigint, n bigint)
          WHERE (r.pop, r.epoch, r.n) = (t.pop, t.epoch, t.n)`,
        [JSON.stringify(request.tags)],
      );
    }
    const { rows } = await this.#connection.query(
      `WITH written AS (
         INSERT INTO ${SCHEMA}.request (pop, epoch, n, targets, body, expires_at)
         VALUES ($1, $2, $3, $4, $5,
                 coalesce(clock_timestamp() + $6::float8 * interval '1 ms', 'infinity'))
         ON CONFLICT DO NOTHING
       )
       SELECT coalesce(json_agg(name), '[]')::text AS names, pg_notify('${CHANNEL}', 'request ' || $1::text)
         FROM ${SCHEMA}.pop WHERE name <> $1`,
      [id.pop, id.epoch, id.n, targetsText(targets), encodeRequest(request), lifetimeMs ?? null],
    );
    const names: unknown = JSON.parse(textOf(rows[0], 'names'));
    return Array.isArray(names) ? names.map(String) : [];
  }

  /** Reads this POP's own requests, oldest first; at most the newest `most`. */
  async ownRequests(most: number): Promise<readonly KeptRequest[]> {
    const { rows } = await this.#connection.query(
      `SELECT * FROM (
         SELECT pop, epoch, n, targets, left(body, ${MOST_BODY}) AS body, at, ${ageOf('r')}::float8 AS age
           FROM ${SCHEMA}.request AS r
          WHERE pop = $1 AND expires_at > clock_timestamp() ORDER BY at DESC LIMIT ${most}
       ) AS newest ORDER BY at`,
      [this.#pop],
    );
    return rows.map((row) => ({
      ...waitingOf(row),
      targets: targetsOf(textOf(row, 'targets')),
      ageMs: Number(row.age),
    }));
  }

  /** Reads requests of others that this POP has not answered, in order. */
  async waiting(): Promise<readonly WaitingRequest[]> {
    const { rows } = await this.#connection.query(
      `SELECT r.pop, r.epoch, r.n, left(r.body, ${MOST_BODY}) AS body
         FROM ${SCHEMA}.request AS r
        WHERE r.pop <> $1 AND (r.targets = '*' OR position(' ' || $1 || ' ' IN r.targets) > 0)
          AND r.expires_at > clock_timestamp()
          AND NOT EXISTS (SELECT 1 FROM ${SCHEMA}.ack AS a
                           WHERE (a.pop, a.epoch, a.n, a.by) = (r.pop, r.epoch, r.n, $1))
        ORDER BY r.at, r.pop, r.n LIMIT ${MOST_WAITING}`,
      [this.#pop],
    );
    return rows.map(waitingOf);
  }

  /** Answers a request of another POP. */
  async acknowledge({ pop, epoch, n }: IntentVersion, state: AckRow['state'], detail: string): Promise<void> {
    await this.#connection.query(
      `WITH answered AS (
         INSERT INTO ${SCHEMA}.ack (pop, epoch, n, by, state, detail)
         SELECT pop, epoch, n, $4, $5, $6 FROM ${SCHEMA}.request WHERE (pop, epoch, n) = ($1, $2::bigint, $3::bigint)
         ON CONFLICT DO NOTHING
       )
       SELECT pg_notify('${CHANNEL}', 'ack ' || $1::text)`,
      [pop, epoch, n, this.#pop, state, detail.slice(0, MOST_DETAIL)],
    );
  }

  /** Reads the answers to these requests. */
  async readAcks(ids: readonly IntentVersion[]): Promise<readonly AckRow[]> {
    const { rows } = await this.#connection.query(
      `SELECT a.* FROM ${SCHEMA}.ack AS a
         JOIN json_to_recordset($1::json) AS t(pop text, epoch bigint, n bigint)
           ON (a.pop, a.epoch, a.n) = (t.pop, t.epoch, t.n)`,
      [JSON.stringify(ids)],
    );
    return rows.map((row) => ({
      id: versionOf(row),
      by: textOf(row, 'by'),
      state: textOf(row, 'state') === 'done' ? 'done' : 'refused',
      detail: textOf(row, 'detail').slice(0, MOST_DETAIL),
    }));
  }
}

function versionOf(row: PostgresRow): IntentVersion {
  return { pop: textOf(row, 'pop'), epoch: numberOf(row, 'epoch'), n: numberOf(row, 'n') };
}

function waitingOf(row: PostgresRow): WaitingRequest {
  return { id: versionOf(row), body: textOf(row, 'body') };
}

/** All POPs as `*`, named ones between blanks: names have none. */
function targetsText(targets: PopTargets): string {
  return targets === 'all' ? '*' : ` ${targets.join(' ')} `;
}

function targetsOf(text: string): PopTargets {
  return text === '*' ? 'all' : text.split(' ').filter((name) => name !== '');
}
