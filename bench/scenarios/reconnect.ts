/** 2: the same table again after the peer has reset the connection, from Established to the last NLRI. */
import { CONTENDERS } from '../drivers/contenders.ts';
import { type Contender, installed } from '../drivers/driver.ts';
import { type Row, ratioOf, row, type Scenario } from '../report.ts';
import { elapsedMs, type Sink } from '../sink-client.ts';

/** Drops a process is put through; a peer that flaps is kept waiting ever longer, which is not what is measured. */
const DROPS = 3;

/** They take some ten seconds each time to come back. */
const SLOW: ReadonlySet<string> = new Set(['gobgp', 'exabgp']);

export const reconnect: Scenario = {
  name: 'reconnect',
  title: 'Reconnect: the same table again, from Established to the last NLRI at the peer',
  async run({ quick, progress }) {
    const rules = quick ? 500 : 50_000;
    const { present, missing } = installed(CONTENDERS);
    const what = `${rules} rules again`;
    const rows: Row[] = [];
    for (const contender of present) {
      progress(contender.name);
      const times: number[] = [];
      for (let start = 0; start < (quick || SLOW.has(contender.name) ? 1 : 3); start++) {
        times.push(...(await reconnects(contender, rules, quick ? 1 : DROPS)));
      }
      rows.push(row(what, contender.name, 'ms', times));
    }
    return {
      rows,
      ratios: [
        ...ratioOf(rows, what, 'prefixd', 'floor', { atMost: 6 }),
        // Bird is kept awake by commands, which is its best.
        ...ratioOf(rows, what, 'prefixd', 'bird', { atMost: 0.5 }),
        ...ratioOf(rows, what, 'prefixd', 'gobgp'),
        ...ratioOf(rows, what, 'prefixd', 'exabgp'),
      ],
      missing,
    };
  },
};

async function reconnects(contender: Contender, rules: number, rounds: number): Promise<readonly number[]> {
  const { driver, sink } = await contender.start();
  const sleepAgain = driver.keepAwake?.();
  try {
    const command = await driver.ready(0, rules);
    const { reached } = await sink.expect(rules);
    command();
    await reached;
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await reconnectOnce(sink, rules));
    return times;
  } finally {
    sleepAgain?.();
    await driver.end();
    await sink.end();
  }
}

async function reconnectOnce(sink: Sink, rules: number): Promise<number> {
  const { reached } = await sink.expect(rules);
  const established = sink.established();
  sink.drop();
  const from = await established;
  return elapsedMs(from, (await reached).at);
}
