/** 8: the same rules to 1, 8 and 64 neighbors: decided and encoded once, packed for each session. */
import { cpuMs } from '../children.ts';
import { startCore } from '../prefixd/core.ts';
import { type Ratio, type Row, row, type Scenario } from '../report.ts';
import { elapsedMs } from '../sink-client.ts';
import { median } from '../stats.ts';

export const fanout: Scenario = {
  name: 'fanout',
  title: 'Fan-out: rules decided, encoded and announced to ever more neighbors (journal in memory)',
  async run({ quick, progress }) {
    const rules = quick ? 200 : 10_000;
    const counts = quick ? [1, 4] : [1, 8, 64];
    const rounds = quick ? 1 : 3;
    const rows: Row[] = [];
    const perNeighbor: number[] = [];
    for (const sessions of counts) {
      const ms: number[] = [];
      const cpu: number[] = [];
      for (let round = 0; round < rounds; round++) {
        progress(`${sessions} neighbors, round ${round + 1}`);
        const measured = await once(sessions, rules);
        ms.push(measured.ms);
        cpu.push(measured.cpuMs / sessions);
      }
      const who = `${sessions} neighbor${sessions === 1 ? '' : 's'}`;
      rows.push(row(`${rules} rules, submit to the last NLRI`, who, 'ms', ms));
      rows.push(row('processor time a neighbor', who, 'ms', cpu));
      perNeighbor.push(median(cpu));
    }
    rows.sort((a, b) => Number(a.what.startsWith('processor')) - Number(b.what.startsWith('processor')));
    const ratios: Ratio[] = perNeighbor.slice(1).map((cost, i) => ({
      what: `processor time a neighbor: ${counts[i + 1]} / ${counts[i]} neighbors`,
      value: cost / (perNeighbor[i] ?? 1),
      atMost: 1,
    }));
    return { rows, ratios, missing: [] };
  },
};

async function once(
  sessions: number,
  rules: number,
): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const core = await startCore(sessions);
  try {
    const { reached } = await core.sink.expect(rules * sessions);
    const before = cpuMs(core.child.pid);
    const from = process.hrtime.bigint();
    core.child.tell({ type: 'load', from: 0, count: rules });
    const { at } = await reached;
    return { ms: elapsedMs(from, at), cpuMs: cpuMs(core.child.pid) - before };
  } finally {
    await core.end();
  }
}
