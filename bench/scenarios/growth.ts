/** 5: what an event, its kick and a full reconciliation cost with ever more mitigations standing. */
import { type Core, startCore } from '../prefixd/core.ts';
import { type Ratio, type Row, row, type Scenario } from '../report.ts';
import { median } from '../stats.ts';

interface Measured {
  readonly standing: number;
  readonly eventUs: readonly number[];
  readonly kickUs: readonly number[];
  readonly fullMs: readonly number[];
}

/** Victims for single events, away from those that stand. */
const SINGLE = 8_000_000;

export const growth: Scenario = {
  name: 'growth',
  title: 'Growth: one event, one kick and one full reconciliation, by active mitigations (journal in memory)',
  async run({ quick, progress }) {
    const sizes = quick ? [10, 100] : [100, 1000, 10_000, 100_000];
    const core = await startCore(1);
    const all: Measured[] = [];
    try {
      await core.ask({ type: 'events', from: SINGLE * 1.5, count: quick ? 10 : 1000 }, 'measured');
      let loaded = 0;
      for (const [i, standing] of sizes.entries()) {
        progress(`${standing} mitigations`);
        const { reached } = await core.sink.expect(standing - loaded);
        await core.ask({ type: 'load', from: loaded, count: standing - loaded }, 'loaded');
        await reached;
        loaded = standing;
        all.push(await measure(core, standing, SINGLE + i * 10_000, quick));
      }
    } finally {
      await core.end();
    }
    const rows: Row[] = all.flatMap(({ standing, eventUs, kickUs, fullMs }) => [
      row('one event, submit to answer', `${standing} active`, 'µs', eventUs),
      row('its kick', `${standing} active`, 'µs', kickUs),
      row('full reconciliation', `${standing} active`, 'ms', fullMs),
    ]);
    rows.sort((a, b) => KINDS.indexOf(a.what) - KINDS.indexOf(b.what));
    return { rows, ratios: ratios(all), missing: [] };
  },
};

const KINDS = ['one event, submit to answer', 'its kick', 'full reconciliation'];

async function measure(core: Core, standing: number, from: number, quick: boolean): Promise<Measured> {
  const count = quick ? 10 : 500;
  const { eventUs, kickUs } = await core.ask({ type: 'events', from, count }, 'measured');
  const fullMs: number[] = [];
  for (let round = 0; round < (quick ? 2 : 7); round++) {
    fullMs.push((await core.ask({ type: 'full' }, 'reconciled')).ms);
  }
  return { standing, eventUs, kickUs, fullMs };
}

/** The largest against the smallest; the reconciliation a mitigation, between the two largest. */
function ratios(all: readonly Measured[]): readonly Ratio[] {
  const [first] = all;
  const last = all.at(-1);
  const before = all.at(-2);
  if (first === undefined || last === undefined || before === undefined) return [];
  const sizes = `${last.standing} / ${first.standing} active`;
  const perMitigation = (one: Measured): number => median(one.fullMs) / one.standing;
  return [
    { what: `event: ${sizes}`, value: median(last.eventUs) / median(first.eventUs), atMost: 1.5 },
    { what: `kick: ${sizes}`, value: median(last.kickUs) / median(first.kickUs), atMost: 1.5 },
    {
      what: `reconciliation a mitigation: ${last.standing} / ${before.standing} active`,
      value: perMitigation(last) / perMitigation(before),
      atMost: 1.5,
    },
  ];
}
