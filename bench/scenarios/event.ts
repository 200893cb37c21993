/** 3: one event, from the first octet of its POST until its rule is at the peer, beside one rule over GoBGP's gRPC. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from '../children.ts';
import { ASN, installed } from '../drivers/driver.ts';
import { gobgp } from '../drivers/gobgp.ts';
import type { BareOptions, BareReport } from '../load/bare-process.ts';
import { eventRequest, load, warmUp } from '../load/events.ts';
import { HttpConnection } from '../load/http-connection.ts';
import { type ConfigFolder, makeConfigFolder } from '../prefixd/config-folder.ts';
import { build, listening, startPrefixd } from '../prefixd/daemon.ts';
import { journalOctets } from '../prefixd/disk.ts';
import { type Ratio, type Row, row, type Scenario } from '../report.ts';
import { elapsedMs, Sink } from '../sink-client.ts';
import { percentile } from '../stats.ts';
import { ownAddress } from '../../test/support/loopback.ts';

/** Something that makes rule `n` go to its peer. */
interface Announcer {
  readonly name: string;
  /** False for a contender without a table: it is idle while others are loaded. */
  readonly holdsRules: boolean;
  readonly sink: Sink;
  /** Brings it to the speed of one that has worked for a while; nothing stands afterwards. */
  warmUp(): Promise<void>;
  /** It is another one's turn now. */
  rested(): void;
  /** Makes so many rules stand. */
  fill(from: number, count: number): Promise<void>;
  /** Announces one; resolves with the time it was asked to (ns). */
  one(n: number): Promise<bigint>;
  end(): Promise<void>;
}

/** Events, each taken back. */
const WARM_UP = 2000;
/** Time between two events: each finds the daemon at rest. */
const PAUSE_MS = 2;

export const event: Scenario = {
  name: 'event',
  title: 'One event: POST, judged, durable, until the NLRI is at the peer',
  async run({ quick, progress }) {
    const samples = quick ? 10 : 200;
    const turns = quick ? 1 : 5;
    const standing = quick ? 100 : 10_000;
    await build();
    const { present, missing } = installed([gobgp]);
    const announcers: Announcer[] = [];
    const rows: Row[] = [];
    const ratios: Ratio[] = [];
    const times = new Map<string, number[]>();
    let next = 0;
    try {
      const ours = await prefixd();
      announcers.push(ours);
      announcers.push(await floor(await ours.octetsOfOne(next++)));
      if (present.length > 0) announcers.push(await grpc());
      for (const announcer of quick ? [] : announcers) {
        progress(`${announcer.name} warms up`);
        await announcer.warmUp();
      }
      for (const loaded of [0, standing]) {
        const taking = announcers.filter(({ holdsRules }) => holdsRules || loaded === 0);
        for (const announcer of taking) if (loaded > 0) await announcer.fill(1_000_000, loaded);
        // They take turns, so that all meet the same moods of the machine.
        for (let turn = -1; turn < turns; turn++) {
          for (const { name, sink, one, rested } of taking) {
            progress(`${loaded} standing, turn ${turn + 1}, ${name}`);
            const key = `${name} ${loaded}`;
            const all = times.get(key) ?? [];
            times.set(key, all);
            for (let i = 0; i < samples; i++) {
              const { reached } = await sink.expect(1);
              const from = await one(next++);
              const ms = elapsedMs(from, (await reached).at);
              // The first turn warms up.
              if (turn >= 0) all.push(ms);
              await sleep(PAUSE_MS);
            }
            rested();
          }
        }
      }
    } finally {
      for (const announcer of announcers) await announcer.end();
    }
    const of = (name: string, loaded: number): readonly number[] => times.get(`${name} ${loaded}`) ?? [];
    for (const loaded of [0, standing]) {
      for (const { name, holdsRules } of announcers) {
        if (loaded > 0 && !holdsRules) continue;
        const what = loaded === 0 ? 'one rule' : `one rule, ${loaded} standing`;
        rows.push(row(`${what}: p50`, name, 'ms', of(name, loaded)));
        rows.push(row(`${what}: p99`, name, 'ms', [percentile(of(name, loaded), 0.99)]));
      }
    }
    const [ours, floors, gobgps] = [of('prefixd', 0), of('floor', 0), of('gobgp', 0)];
    ratios.push({ what: 'p50: prefixd / floor', value: percentile(ours, 0.5) / percentile(floors, 0.5) });
    if (gobgps.length > 0) {
      // The lower bound of any durable program with an HTTP API.
      ratios.push({ what: 'p50: floor / gobgp', value: percentile(floors, 0.5) / percentile(gobgps, 0.5) });
      for (const [share, atMost] of [
        [0.5, 1],
        [0.99, 2],
      ] as const) {
        const what = `p${share * 100}: prefixd / gobgp`;
        ratios.push({ what, value: percentile(ours, share) / percentile(gobgps, share), atMost });
      }
    }
    for (const share of [0.5, 0.99]) {
      const value = percentile(of('prefixd', standing), share) / percentile(ours, share);
      ratios.push({ what: `p${share * 100}: prefixd with ${standing} standing / none`, value, atMost: 1.5 });
    }
    return { rows, ratios, missing };
  },
};

/** Sends each event over one connection, which it opens when its turn begins. */
function overHttp(http: ConfigFolder['http']): Pick<Announcer, 'one' | 'rested'> {
  // The server parts from a connection that is idle for long, as it is while others are measured or rules are loaded.
  let connection: HttpConnection | null = null;
  return {
    rested() {
      connection?.close();
      connection = null;
    },
    async one(n) {
      const request = eventRequest(n);
      connection ??= await HttpConnection.open(http.host, http.port);
      const from = process.hrtime.bigint();
      const status = await connection.send(request);
      if (status !== 202) throw new Error(`an event was answered with ${status}`);
      return from;
    },
  };
}

/** `octetsOfOne` announces rule `n` and says how much the journal took for it. */
type Prefixd = Announcer & { octetsOfOne(n: number): Promise<number> };

async function prefixd(): Promise<Prefixd> {
  const sink = await Sink.start({ host: ownAddress(), asn: ASN.sink });
  const folder = await makeConfigFolder(sink);
  const established = sink.established();
  const running = startPrefixd(folder);
  await listening(running, folder);
  await established;
  const { one, rested } = overHttp(folder.http);
  return {
    name: 'prefixd',
    holdsRules: true,
    sink,
    async octetsOfOne(n) {
      const before = journalOctets(folder);
      await one(n);
      rested();
      return journalOctets(folder) - before;
    },
    async warmUp() {
      await warmUp(folder.http, 2_000_000, WARM_UP);
    },
    rested,
    async fill(from, count) {
      const { reached } = await sink.expect(count);
      await load(folder.http, from, count);
      await reached;
    },
    one,
    async end() {
      rested();
      await running.stop('SIGKILL');
      await sink.end();
      await folder.remove();
    },
  };
}

/** A handler that only makes as many octets durable, and then writes an UPDATE encoded beforehand. */
async function floor(octets: number): Promise<Announcer> {
  const sink = await Sink.start({ host: ownAddress(), asn: ASN.sink });
  const folder = await mkdtemp(join(tmpdir(), 'bench-floor-'));
  const established = sink.established();
  const options: BareOptions = {
    host: ownAddress(),
    file: join(folder, 'octets'),
    octets,
    sink: { host: sink.host, port: sink.port },
  };
  const child = startChild<BareReport, never>(join(import.meta.dirname, '../load/bare-process.ts'), options);
  const http = await child.next('listening');
  await established;
  const { one, rested } = overHttp(http);
  return {
    name: 'floor',
    holdsRules: false,
    sink,
    warmUp: () => warmUp(http, 0, WARM_UP),
    rested,
    fill: async () => undefined,
    one,
    async end() {
      rested();
      await child.end();
      await sink.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function grpc(): Promise<Announcer> {
  const { driver, sink } = await gobgp.start();
  return {
    name: 'gobgp',
    holdsRules: true,
    sink,
    // It is compiled beforehand; the first turn, which does not count, is enough.
    warmUp: async () => undefined,
    rested: () => undefined,
    async fill(from, count) {
      const command = await driver.ready(from, count);
      const { reached } = await sink.expect(count);
      command();
      await reached;
    },
    async one(n) {
      const command = await driver.ready(n, 1);
      const from = process.hrtime.bigint();
      command();
      return from;
    },
    async end() {
      await driver.end();
      await sink.end();
    },
  };
}
