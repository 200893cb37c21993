/** The assault's judge must find what it looks for; the assault itself is `npm run assault`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { damages } from '../../scripts/assault/damage.ts';
import { judge } from '../../scripts/assault/judge.ts';
import { Ledger } from '../../scripts/assault/ledger.ts';
import { randomNumbers } from '../../scripts/fuzzing.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import type { LabRule } from '../../src/lab/rule-table.ts';

const RULE: LabRule = {
  family: FAMILIES['ipv6-flowspec'],
  nlriHex: '01',
  actionsHex: '',
  text: 'match dst 2001:db8::1/128',
  from: '192.0.2.10',
  stale: false,
};

/** A ledger of one event, one withdrawal and one safelist entry, and a daemon and a router that know all of them. */
function scene() {
  const ledger = new Ledger();
  ledger.accepted('e1', 'm1');
  ledger.accepted('e2', 'm2');
  ledger.asked.add('m2');
  ledger.withdrawn.add('m2');
  ledger.safelist.add('10.0.0.1/32');
  const known = {
    events: [{ event_id: 'e1' }, { event_id: 'e2' }],
    mitigations: [
      { mitigation_id: 'm1', status: 'active', rules: [{ nlri_hex: '01' }] },
      { mitigation_id: 'm2', status: 'withdrawn', rules: [] },
    ],
    safelist: [{ prefix: '10.0.0.1/32' }],
    rules: [RULE],
  };
  const prefixd = {
    log: () => '',
    call: async (_method: string, path: string) => {
      if (path === '/v1/safelist') return { status: 200, body: { ...known.safelist } };
      return {
        status: 200,
        body: { events: known.events, mitigations: known.mitigations, next_cursor: null },
      };
    },
  };
  return { known, verdict: () => judge(prefixd, { rules: () => known.rules }, ledger, 0) };
}

describe("the assault's judge", () => {
  it('is content when all is known', async () => {
    await scene().verdict();
  });

  it('finds a lost event, mitigation, withdrawal and safelist entry', async () => {
    const { known, verdict } = scene();
    known.events.pop();
    known.safelist.pop();
    known.mitigations = [{ mitigation_id: 'm2', status: 'active', rules: [] }];
    await assert.rejects(verdict(), (error: Error) => {
      assert.match(error.message, /mitigation m1 of the acknowledged event e1 is lost/);
      assert.match(error.message, /the withdrawal of m2 is lost/);
      assert.match(error.message, /the acknowledged event e2 is lost/);
      assert.match(error.message, /the safelist entry 10\.0\.0\.1\/32 is lost/);
      return true;
    });
  });

  it('finds a mitigation that ended by itself', async () => {
    const { known, verdict } = scene();
    known.mitigations = known.mitigations.map((one) => ({ ...one, status: 'withdrawn' }));
    await assert.rejects(verdict(), /m1 is withdrawn, and nobody asked for that/);
  });

  it('finds a rule that is missing, stale, or explained by nothing', async () => {
    const { known, verdict } = scene();
    known.rules = [];
    await assert.rejects(verdict(), /the rule of m1 is missing or stale/);
    known.rules = [{ ...RULE, stale: true }];
    await assert.rejects(verdict(), /the rule of m1 is missing or stale/);
    known.rules = [RULE, { ...RULE, nlriHex: '02', text: 'match dst 2001:db8::2/128' }];
    await assert.rejects(verdict(), /no mitigation explains "match dst 2001:db8::2\/128"/);
  });
});

describe('journals that are damaged', () => {
  it('are never silently wrong', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { cuts, flips } = await damages(randomNumbers(seed), 0);
      assert.equal(cuts + flips, 1);
    }
  });
});
