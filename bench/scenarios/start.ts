/** 6: from kill -9 to the first rule at the peer again, from the start of the process to listening, and memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ownAddress } from '../../test/support/loopback.ts';
import { residentMb } from '../children.ts';
import { ASN } from '../drivers/driver.ts';
import { load } from '../load/events.ts';
import { type ConfigFolder, makeConfigFolder } from '../prefixd/config-folder.ts';
import { build, listening, startPrefixd } from '../prefixd/daemon.ts';
import { type Row, row, type Scenario } from '../report.ts';
import { elapsedMs, Sink } from '../sink-client.ts';

/** Facts that one event about a new victim leaves behind: that it came, and the mitigation. */
const FACTS_AN_EVENT = 2;
/** The daemon writes a snapshot at 100,000 facts; just before, recovery has the most to read. */
const BELOW_SNAPSHOT = 99_800;
/** Before memory is read, so that what was only passing through is gone. */
const REST_MS = 1500;

interface Start {
  readonly listeningMs: number;
  readonly firstRuleMs: number;
  readonly lastRuleMs: number;
}

export const start: Scenario = {
  name: 'start',
  title: 'Start: kill -9 to rules at the peer again, process start to listening, memory',
  async run({ quick, progress }) {
    const facts = quick ? 200 : BELOW_SNAPSHOT;
    const rounds = quick ? 1 : 5;
    await build();
    const sink = await Sink.start({ host: ownAddress(), asn: ASN.sink });
    const rows: Row[] = [];
    try {
      progress('empty journal');
      const empty = await starts(sink, 0, rounds);
      rows.push(
        row(
          'process start to listening',
          'empty journal',
          'ms',
          empty.map(({ listeningMs }) => listeningMs),
        ),
      );
      progress(`${facts} facts`);
      const full = await starts(sink, facts / FACTS_AN_EVENT, rounds);
      const who = `${facts} facts`;
      rows.push(
        row(
          'process start to listening',
          who,
          'ms',
          full.map(({ listeningMs }) => listeningMs),
        ),
        row(
          'kill -9 to the first rule at the peer',
          who,
          'ms',
          full.map(({ firstRuleMs }) => firstRuleMs),
        ),
        row(
          'kill -9 to the last rule at the peer',
          who,
          'ms',
          full.map(({ lastRuleMs }) => lastRuleMs),
        ),
      );
      for (const mitigations of quick ? [0, 100] : [0, 10_000, 100_000]) {
        progress(`memory with ${mitigations} mitigations`);
        rows.push(
          row('resident memory', `${mitigations} mitigations`, 'MB', [await memoryWith(sink, mitigations)]),
        );
      }
    } finally {
      await sink.end();
    }
    return { rows, ratios: [], missing: [] };
  },
};

/** A daemon that is killed and started again, over and over, on one journal. */
async function starts(sink: Sink, mitigations: number, rounds: number): Promise<readonly Start[]> {
  const folder = await makeConfigFolder(sink);
  let running = startPrefixd(folder);
  const measured: Start[] = [];
  try {
    await listening(running, folder);
    await fill(sink, folder, mitigations);
    for (let round = 0; round < rounds; round++) {
      const again = await sink.expect(mitigations);
      const established = sink.established();
      const killed = process.hrtime.bigint();
      await running.stop('SIGKILL');
      const started = process.hrtime.bigint();
      running = startPrefixd(folder);
      const listeningMs = elapsedMs(started, await listening(running, folder));
      await established;
      const { firstAt, at } = mitigations === 0 ? { firstAt: killed, at: killed } : await again.reached;
      measured.push({
        listeningMs,
        firstRuleMs: elapsedMs(killed, firstAt),
        lastRuleMs: elapsedMs(killed, at),
      });
    }
    return measured;
  } finally {
    await running.stop('SIGKILL');
    await folder.remove();
  }
}

/** Gives a daemon that runs so many mitigations; resolves when all are at the peer. */
async function fill(sink: Sink, folder: ConfigFolder, mitigations: number): Promise<void> {
  if (mitigations === 0) return;
  const { reached } = await sink.expect(mitigations);
  await load(folder.http, 0, mitigations);
  await reached;
}

async function memoryWith(sink: Sink, mitigations: number): Promise<number> {
  const folder = await makeConfigFolder(sink);
  const established = sink.established();
  const running = startPrefixd(folder);
  try {
    await listening(running, folder);
    await established;
    await fill(sink, folder, mitigations);
    await sleep(REST_MS);
    return residentMb(running.pid);
  } finally {
    await running.stop('SIGKILL');
    await folder.remove();
  }
}
