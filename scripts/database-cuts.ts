/**
 * `npm run database-cuts -- [CUTS] [--seed N]`: cuts the connection between a journal and its PostgreSQL that many times
 * (1,000) after a random number of octets: within statements, answers, handshakes and what a new connection settles. Some
 * cuts come between a commit and its answer, and after some the database stays away longer than an append waits. Again
 * and again the next daemon reads the journal: it must hold every acknowledged fact once, in order, and no refused one.
 * Exits 1 with the seed and the first fault. PostgreSQL must be installed: Debian package postgresql.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { RecordedFact } from '../src/core/facts.ts';
import { PostgresJournal } from '../src/store/postgres/postgres-journal.ts';
import { StoreError } from '../src/store/store.ts';
import { until } from '../test/support/children.ts';
import { PostgresProxy } from '../test/support/postgres-proxy.ts';
import { startPostgres } from '../test/support/postgres-server.ts';
import { randomNumbers } from './fuzzing.ts';
import { secondsAndSeed } from './seeded-run.ts';

const CUTS = 1_000;
/** An append and its answer have some 1,000 octets; a new connection has some 4,000 until it has settled. */
const LONGEST_STRETCH = 5_000;
/** The next daemon reads the journal after so many cuts. */
const READ_AFTER = 25;
const DEADLINES = {
  connectMs: 2_000,
  statementMs: 2_000,
  resolveMs: 300,
  heartbeatMs: 100,
  lockMs: 5_000,
  pauseMs: [5, 50],
} as const;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seed: { type: 'string' } } });
const { seconds: cuts, seed } = secondsAndSeed(positionals[0], values.seed, CUTS);
/** Returns a whole number from 0 to below the limit. */
const below = randomNumbers(seed);
console.log(`${cuts} cuts, seed ${seed}`);

const server = await startPostgres();
const proxy = await PostgresProxy.start(server.socket);
const acknowledged: RecordedFact[] = [];
const seen = { refused: 0, found: 0, repeated: 0, unanswered: 0, swallowed: 0, reads: 0, reconnects: 0 };
let tried = 0;

function nextFact(seq: number): RecordedFact {
  const actor = { kind: 'operator', name: 'ada' } as const;
  const reason = `try ${++tried} ${'x'.repeat(below(300))}`;
  return { seq, at: seq, fact: { type: 'control.paused', actor, reason } };
}

/** Appends one to five facts; they are acknowledged or refused together. */
async function append(journal: PostgresJournal): Promise<void> {
  const first = acknowledged.length + 1;
  const group = Array.from({ length: 1 + below(5) }, (_, i) => nextFact(first + i));
  try {
    await journal.append(group);
    acknowledged.push(...group);
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    seen.refused++;
    // As the engine does: the next attempt comes a moment later.
    await sleep(below(20));
  }
}

/** Cuts once, in one of the ways, while facts are appended. */
async function cutOnce(journal: PostgresJournal): Promise<void> {
  const kind = below(100);
  const before = journal.counts.reconnects;
  let isCut = false;
  if (kind < 20) {
    void proxy.swallowAnswer(/^INSERT/).then(() => {
      seen.swallowed++;
      isCut = true;
      if (kind < 10) away();
    });
  } else {
    proxy.cutAfter(1 + below(LONGEST_STRETCH), () => {
      isCut = true;
      if (kind < 40) away();
    });
    // The octets of a new connection are counted, too: its handshake, its claim, and what it settles.
    if (kind >= 60) proxy.reset();
  }
  while (!isCut) await append(journal);
  await until('the journal works again', () => {
    return journal.trouble === undefined && journal.counts.reconnects > before;
  });
}

/** The database refuses connections for up to twice the time that an append waits. */
function away(): void {
  proxy.mode = 'refuse';
  setTimeout(() => {
    proxy.mode = 'pass';
  }, below(600));
}

async function open(): Promise<PostgresJournal> {
  const journal = new PostgresJournal({ url: server.url(proxy.at), name: 'cut', deadlines: DEADLINES });
  const found: RecordedFact[] = [];
  for await (const facts of (await journal.open()).facts) found.push(...facts);
  assert.deepEqual(found, acknowledged, 'the journal holds what was acknowledged, and nothing else');
  seen.reads++;
  return journal;
}

try {
  let journal = await open();
  const from = performance.now();
  for (let cut = 1; cut <= cuts; cut++) {
    await cutOnce(journal);
    await append(journal);
    if (cut % READ_AFTER !== 0 && cut !== cuts) continue;
    // A third of the daemons are closed with facts in the air.
    const last = below(3) === 0 ? append(journal) : undefined;
    const { found, repeated, refused, reconnects } = journal.counts;
    seen.found += found;
    seen.repeated += repeated;
    seen.unanswered += refused;
    seen.reconnects += reconnects;
    await journal.close();
    await last;
    journal = await open();
  }
  await journal.close();
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  console.log(
    `${cuts} cuts in ${seconds} s, ${seen.swallowed} of them between commit and answer; ${seen.reconnects} new connections; ` +
      `commits without an answer: ${seen.found} found there, ${seen.repeated} repeated, ${seen.unanswered} refused`,
  );
  console.log(
    `${acknowledged.length} facts acknowledged, ${seen.refused} appends refused; read ${seen.reads} times: none lost, none refused in effect, none twice`,
  );
} catch (error) {
  console.error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
} finally {
  await proxy.close();
  await server.remove();
}
process.exit();
