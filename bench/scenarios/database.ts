/** 9: the journal in PostgreSQL beside the one in a folder, on the same disk: one append, and the daemon's events. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordedFact } from '../../src/core/facts.ts';
import { Journal } from '../../src/store/journal/journal.ts';
import { PostgresJournal } from '../../src/store/postgres/postgres-journal.ts';
import type { Store } from '../../src/store/store.ts';
import type { Running } from '../../test/support/children.ts';
import { ownAddress } from '../../test/support/loopback.ts';
import { missingPostgres, type PostgresServer, startPostgres } from '../../test/support/postgres-server.ts';
import { ASN } from '../drivers/driver.ts';
import { eventRequest } from '../load/events.ts';
import { hammer } from '../load/hammer.ts';
import { type ConfigFolder, makeConfigFolder } from '../prefixd/config-folder.ts';
import { build, listening, startPrefixd } from '../prefixd/daemon.ts';
import { type Ratio, ratioOf, type Row, row, type Scenario } from '../report.ts';
import { Sink } from '../sink-client.ts';
import { percentile } from '../stats.ts';

const CONNECTIONS = 50;
const KNOWN = 1000;
/** Characters in a fact's text: some 700 octets with what is around it. */
const TEXT = 'x'.repeat(560);

const knownRequests = Array.from({ length: KNOWN }, (_, n) => eventRequest(n));

export const database: Scenario = {
  name: 'database',
  title: 'The journal in PostgreSQL beside the one in a folder',
  async run({ quick, progress }) {
    const reason = missingPostgres();
    if (reason !== false) return { rows: [], ratios: [], missing: [reason] };
    const server = await startPostgres(['shared_buffers = 128MB']);
    try {
      progress('appends');
      const { rows, ratios } = await appends(server, quick ? 50 : 3_000);
      const events = await throughputs(server, quick, progress);
      return { rows: [...rows, ...events.rows], ratios: [...ratios, ...events.ratios], missing: [] };
    } finally {
      await server.remove();
    }
  },
};

interface Measured {
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratio[];
}

function factOf(seq: number): RecordedFact {
  return {
    pop: 'bench',
    seq,
    at: 1_800_000_000_000 + seq,
    fact: { type: 'control.paused', actor: { kind: 'operator', name: 'bench' }, reason: TEXT },
  };
}

/** Single appends, in turns, so that both meet the same moods of the disk. */
async function appends(server: PostgresServer, count: number): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-journal-'));
  const stores: readonly { readonly who: string; readonly store: Store; readonly times: number[] }[] = [
    { who: 'folder', store: new Journal({ folder }), times: [] },
    { who: 'postgres', store: new PostgresJournal({ url: server.url(), name: 'append' }), times: [] },
  ];
  try {
    for (const { store } of stores) for await (const _ of (await store.open()).facts);
    for (let seq = 1; seq <= count + 200; seq++) {
      for (const { store, times } of stores) {
        const from = performance.now();
        await store.append([factOf(seq)]);
        // The first ones warm up.
        if (seq > 200) times.push(performance.now() - from);
      }
    }
  } finally {
    for (const { store } of stores) await store.close();
    await rm(folder, { recursive: true, force: true });
  }
  const what = 'one append: p50';
  const rows = stores.flatMap(({ who, times }) => [
    row(what, who, 'ms', times),
    row('one append: p99', who, 'ms', [percentile(times, 0.99)]),
  ]);
  return { rows, ratios: ratioOf(rows, what, 'postgres', 'folder', { atMost: 3 }) };
}

/** A daemon on one of the two. */
interface Contender {
  readonly who: string;
  readonly folder: ConfigFolder;
  readonly running: Running;
  readonly sink: Sink;
}

async function throughputs(
  server: PostgresServer,
  quick: boolean,
  progress: (text: string) => void,
): Promise<Measured> {
  const roundMs = quick ? 150 : 2500;
  const rounds = quick ? 1 : 5;
  await build();
  const contenders: Contender[] = [];
  const rows: Row[] = [];
  const ratios: Ratio[] = [];
  let fresh = 100_000;
  let known = 0;
  const kinds = [
    {
      what: `events for known victims over ${CONNECTIONS} connections`,
      supply: () => knownRequests[known++ % KNOWN] ?? Buffer.alloc(0),
    },
    {
      what: `events for new victims over ${CONNECTIONS} connections`,
      supply: () => eventRequest(fresh++),
    },
  ];
  try {
    contenders.push(await contender('folder', undefined));
    contenders.push(await contender('postgres', server));
    for (const { what, supply } of kinds) {
      const rates = new Map<string, number[]>();
      for (let round = -1; round < rounds; round++) {
        for (const { who, folder } of contenders) {
          progress(`${what}, round ${round + 1}, ${who}`);
          const { requests, seconds } = await hammer(folder.http, CONNECTIONS, roundMs, 202, supply);
          // The first round warms up.
          if (round >= 0) rates.set(who, [...(rates.get(who) ?? []), requests / seconds]);
        }
      }
      for (const [who, values] of rates) rows.push(row(what, who, '/s', values));
      ratios.push(...ratioOf(rows, what, 'postgres', 'folder', { atLeast: 0.6 }));
    }
  } finally {
    for (const { running, sink, folder } of contenders) {
      await running.stop('SIGKILL');
      await sink.end();
      await folder.remove();
    }
  }
  return { rows, ratios };
}

async function contender(who: string, server: PostgresServer | undefined): Promise<Contender> {
  const sink = await Sink.start({ host: ownAddress(), asn: ASN.sink });
  const storage = server === undefined ? undefined : { driver: 'postgres', url_env: 'BENCH_DATABASE' };
  const folder = await makeConfigFolder(sink, storage);
  const established = sink.established();
  const running = startPrefixd(folder, server === undefined ? {} : { BENCH_DATABASE: server.url() });
  await listening(running, folder);
  await established;
  return { who, folder, running, sink };
}
