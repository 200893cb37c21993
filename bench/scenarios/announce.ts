/** 1: a table of rules, from the command to the last NLRI at the peer; each round in a fresh process. */
import { peakMemoryMb } from '../children.ts';
import { CONTENDERS } from '../drivers/contenders.ts';
import { type Contender, installed } from '../drivers/driver.ts';
import { type Row, ratioOf, row, type Scenario } from '../report.ts';
import { elapsedMs } from '../sink-client.ts';

interface Round {
  readonly ms: number;
  readonly updates: number;
  readonly peakMb: number;
}

export const announce: Scenario = {
  name: 'announce',
  title: 'Announce: a table of rules, from the command to the last NLRI at the peer',
  async run({ quick, progress }) {
    const rules = quick ? 500 : 50_000;
    const { present, missing } = installed(CONTENDERS);
    const rounds = new Map<string, Round[]>(present.map(({ name }) => [name, []]));
    for (let round = 0; round < (quick ? 1 : 5); round++) {
      for (const contender of present) {
        // ExaBGP takes its ten seconds; three rounds show what it does.
        if (contender.name === 'exabgp' && round >= 3) continue;
        progress(`round ${round + 1}, ${contender.name}`);
        rounds.get(contender.name)?.push(await announceOnce(contender, rules));
      }
    }
    const rows: Row[] = [];
    const what = `${rules} rules`;
    for (const [name, measured] of rounds) {
      rows.push(
        row(
          what,
          name,
          'ms',
          measured.map(({ ms }) => ms),
        ),
      );
      rows.push(
        row(
          'UPDATEs',
          name,
          'UPDATEs',
          measured.map(({ updates }) => updates),
        ),
      );
      rows.push(
        row(
          'peak memory',
          name,
          'MB',
          measured.map(({ peakMb }) => peakMb),
        ),
      );
    }
    rows.sort((a, b) => order(a) - order(b));
    return {
      rows,
      ratios: [
        ...ratioOf(rows, what, 'prefixd', 'floor'),
        ...ratioOf(rows, what, 'prefixd', 'bird', { atMost: 1 }),
        ...ratioOf(rows, what, 'prefixd', 'gobgp'),
        ...ratioOf(rows, what, 'prefixd', 'exabgp'),
        ...ratioOf(rows, 'UPDATEs', 'prefixd', 'bird', { atMost: 1 }),
      ],
      missing,
    };
  },
};

function order({ unit }: Row): number {
  return unit === 'ms' ? 0 : unit === 'UPDATEs' ? 1 : 2;
}

async function announceOnce(contender: Contender, rules: number): Promise<Round> {
  const { driver, sink } = await contender.start();
  try {
    const command = await driver.ready(0, rules);
    const { reached } = await sink.expect(rules);
    const from = process.hrtime.bigint();
    command();
    const { at, updates } = await reached;
    return { ms: elapsedMs(from, at), updates, peakMb: peakMemoryMb(driver.pid) };
  } finally {
    await driver.end();
    await sink.end();
  }
}
