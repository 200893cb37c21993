/**
 * Measures the way of a mitigation between two whole daemons: from POP A's 202 to the UPDATE at POP B's router, and from
 * a report to the UPDATE at A's own router, with the database up and with its packets dropped:
 * `node --import tsx scripts/pops-latency.ts [REPORTS]`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../test/support/children.ts';
import { PopLab } from '../test/support/pop-lab.ts';

const count = Number(process.argv[2] ?? 200);
/** Time between two reports (ms). */
const PAUSE_MS = 20;

const seen = new Map<string, number>();
const lab = await PopLab.start(['ber', 'fra'], (pop, rule) => {
  const victim = /dst (\S+)\/32/.exec(rule)?.[1] ?? '';
  seen.set(`${pop} ${victim}`, performance.now());
});

interface Sample {
  readonly victim: string;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** Reports attacks on these victims at `ber`, one after another. */
async function report(victims: readonly string[]): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const victim of victims) {
    const sentAt = performance.now();
    const { status } = await lab.pop('ber').prefixd.call('POST', '/v1/events', {
      source: 'bench',
      victim_ip: victim,
      vector: 'udp_flood',
      confidence: 0.9,
    });
    if (status !== 202) throw new Error(`${victim} was answered ${status}`);
    samples.push({ victim, sentAt, answeredAt: performance.now() });
    await sleep(PAUSE_MS);
  }
  return samples;
}

function shown(name: string, milliseconds: readonly number[]): void {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(2);
  console.log(
    `${name}: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms, ${sorted.length} samples`,
  );
}

const toUpdate = (pop: string, from: (sample: Sample) => number, samples: readonly Sample[]) =>
  samples.map((sample) => (seen.get(`${pop} ${sample.victim}`) ?? Number.NaN) - from(sample));

/** Victims of the customer's /24, each used once in a round. */
const victims = (round: number) =>
  Array.from({ length: Math.min(count, 250) }, (_, i) => `203.0.113.${(i + round) % 251}`);

try {
  const rounds = Math.max(1, Math.round(count / 250));
  const [across, up, down]: number[][] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    for (const mode of ['pass', 'silent'] as const) {
      for (const { proxy } of lab.pops) proxy.mode = mode;
      if (mode === 'silent') {
        await until('ber notices', async () => {
          const { body } = await lab.pop('ber').prefixd.call('GET', '/v1/pops');
          return Object(body.exchange).state !== 'connected';
        });
      } else for (const pop of lab.pops) await lab.ready(pop);
      seen.clear();
      const samples = await report(victims(round));
      await until('every router has every rule', () => {
        const all = mode === 'pass' ? ['ber', 'fra'] : ['ber'];
        return all.every((pop) => samples.every(({ victim }) => seen.has(`${pop} ${victim}`)));
      });
      if (mode === 'pass') {
        across?.push(...toUpdate('fra', ({ answeredAt }) => answeredAt, samples));
        up?.push(...toUpdate('ber', ({ sentAt }) => sentAt, samples));
      } else down?.push(...toUpdate('ber', ({ sentAt }) => sentAt, samples));
      for (const { proxy } of lab.pops) proxy.mode = 'pass';
      for (const pop of lab.pops) await lab.ready(pop);
      for (const { prefixd } of lab.pops) {
        await prefixd.call('POST', '/v1/control/withdraw-all', {
          operator_id: 'bench',
          reason: 'next round',
        });
      }
      await until('the routers are empty', () => lab.pops.every((pop) => pop.rules().length === 0));
    }
  }
  shown("from POP A's 202 to POP B's UPDATE", across ?? []);
  shown('from a report to the UPDATE at its POP, database up', up ?? []);
  shown('from a report to the UPDATE at its POP, database silent', down ?? []);
} finally {
  await lab.end();
}
