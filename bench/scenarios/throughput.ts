/** 4: durable events a second over 50 connections, beside a bare handler that writes as much; and batches. */
import { join } from 'node:path';
import { ownAddress } from '../../test/support/loopback.ts';
import { type Child, startChild } from '../children.ts';
import { ASN } from '../drivers/driver.ts';
import type { BareOptions, BareReport } from '../load/bare-process.ts';
import { batchRequest, eventRequest } from '../load/events.ts';
import { hammer } from '../load/hammer.ts';
import { writtenDown } from '../load/written-down.ts';
import { type ConfigFolder, makeConfigFolder } from '../prefixd/config-folder.ts';
import { build, listening, startPrefixd } from '../prefixd/daemon.ts';
import { appendedOctets } from '../prefixd/disk.ts';
import { type Ratio, type Row, row, type Scenario } from '../report.ts';
import { Sink } from '../sink-client.ts';
import { median } from '../stats.ts';

const CONNECTIONS = 50;
const BATCH = 500;
/** Victims that events keep coming for. */
const KNOWN = 1000;

/** Made before the clock runs: the load must not need the processor that it measures. */
const knownRequests = Array.from({ length: KNOWN }, (_, n) => eventRequest(n));
const knownBatches = [batchRequest(0, BATCH), batchRequest(BATCH, BATCH)];

/** An endless supply of requests. */
type Supply = () => Buffer;

function cycle(requests: readonly Buffer[]): Supply {
  let at = 0;
  return () => requests[at++ % requests.length] ?? Buffer.alloc(0);
}

export const throughput: Scenario = {
  name: 'throughput',
  title: `Events: durable single POSTs a second over ${CONNECTIONS} connections, and batches`,
  async run({ quick, progress }) {
    const roundMs = quick ? 150 : 2500;
    const rounds = quick ? 1 : 5;
    await build();
    const sink = await Sink.start({ host: ownAddress(), asn: ASN.sink });
    const folder = await makeConfigFolder(sink);
    const established = sink.established();
    const running = startPrefixd(folder);
    const bares: Child<BareReport, never>[] = [];
    let fresh = 100_000;
    const kinds: readonly { readonly name: string; readonly supply: Supply }[] = [
      { name: 'events for known victims (extend)', supply: cycle(knownRequests) },
      { name: 'events for new victims (create and announce)', supply: () => eventRequest(fresh++) },
    ];
    const rows: Row[] = [];
    const ratios: Ratio[] = [];
    try {
      await listening(running, folder);
      await established;
      const single = async (target: ConfigFolder['http'], supply: Supply): Promise<number> => {
        const { requests, seconds } = await hammer(target, CONNECTIONS, roundMs, 202, supply);
        return requests / seconds;
      };
      const rates = { known: 0 };
      for (const { name, supply } of kinds) {
        // The first round warms up, the second tells how many octets the journal gets for an event.
        await single(folder.http, supply);
        const before = appendedOctets(folder);
        const { requests } = await hammer(folder.http, CONNECTIONS, roundMs, 202, supply);
        const octets = Math.round((appendedOctets(folder) - before) / requests);
        const bare = startChild<BareReport, never>(
          join(import.meta.dirname, '..', 'load', 'bare-process.ts'),
          {
            host: ownAddress(),
            file: join(folder.path, `bare${bares.length}`),
            octets,
          } satisfies BareOptions,
        );
        bares.push(bare);
        const { host, port } = await bare.next('listening');
        const bareTarget = { host, port };
        const bareSupply = cycle(knownRequests);
        await single(bareTarget, bareSupply);
        const ours: number[] = [];
        const bares2: number[] = [];
        for (let round = 0; round < rounds; round++) {
          progress(`${name}, round ${round + 1}`);
          ours.push(await single(folder.http, supply));
          bares2.push(await single(bareTarget, bareSupply));
        }
        rows.push(
          row(name, 'prefixd', '/s', ours),
          row(`the same ${octets} octets`, 'bare Fastify', '/s', bares2),
        );
        ratios.push({
          what: `${name}: prefixd / bare Fastify`,
          value: median(ours) / median(bares2),
          atLeast: 0.7,
        });
        if (rates.known === 0) rates.known = median(ours);
      }
      const batches: number[] = [];
      const supply = cycle(knownBatches);
      for (let round = -1; round < rounds; round++) {
        progress(`batches, round ${round + 1}`);
        const { requests, seconds } = await hammer(folder.http, 2, roundMs, 207, supply);
        if (round >= 0) batches.push((requests * BATCH) / seconds);
      }
      const words = writtenDown(folder, rounds);
      rows.push(
        row(`events in batches of ${BATCH}`, 'prefixd', '/s', batches),
        row('their facts, only put into words', 'floor', '/s', words),
      );
      ratios.push(
        { what: 'batch / single, known victims', value: median(batches) / rates.known, atLeast: 10 },
        { what: 'only put into words / single, known victims', value: median(words) / rates.known },
      );
    } finally {
      for (const bare of bares) await bare.end();
      await running.stop('SIGKILL');
      await sink.end();
      await folder.remove();
    }
    return { rows, ratios, missing: [] };
  },
};
