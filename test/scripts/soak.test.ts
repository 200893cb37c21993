import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomNumbers } from '../../scripts/fuzzing.ts';
import { differences, heldTable } from '../../scripts/soak/expected.ts';
import { soak } from '../../scripts/soak/soak.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import type { LabRule } from '../../src/lab/rule-table.ts';
import { MemoryStore } from '../../src/store/memory.ts';

const rule = (nlriHex: string, actionsHex: string, stale = false): LabRule => ({
  family: FAMILIES['ipv4-flowspec'],
  nlriHex,
  actionsHex,
  text: '',
  from: '192.0.2.10',
  stale,
});

describe('the soak', () => {
  it('comes through five seconds with every table as it should be', async () => {
    const report = await soak({ seconds: 5, random: randomNumbers(7), store: new MemoryStore() });
    assert.ok(report.quietPoints >= 1);
    assert.ok(report.rulesCompared > 0, 'no rule stood at any quiet point');
    assert.ok(report.unicastCompared > 0, 'no unicast route stood at any quiet point');
    assert.ok(report.steps >= 20);
  });

  it('tells a rule that is missing, one too many, another action and one that is stale', () => {
    const should = new Map([
      ['1/133/aa', '01'],
      ['1/133/bb', '01'],
      ['1/133/cc', '01'],
    ]);
    const is = heldTable([rule('bb', '02'), rule('cc', '01', true), rule('dd', '01')]);
    assert.deepEqual(differences('edge', should, is), [
      'edge: 1/133/aa should be 01, is absent',
      'edge: 1/133/bb should be 01, is 02',
      'edge: 1/133/cc should be 01, is stale 01',
      'edge: 1/133/dd should be absent, is 01',
    ]);
  });
});
