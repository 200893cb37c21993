/** Signals to the daemon's process. */
import assert from 'node:assert/strict';
import { kill } from 'node:process';
import { after, before, describe, it } from 'node:test';
import { Prefixd } from '../support/prefixd.ts';

const SETTINGS = `bgp: { mode: mock, local_asn: 65010, router_id: "192.0.2.10", neighbors: [] }
guardrails: { require_inventory: false }
`;
const PLAYBOOKS = `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 5000000, ttl_seconds: 120 }]
`;

describe('the daemon', () => {
  let prefixd: Prefixd;
  before(async () => {
    prefixd = await Prefixd.start(SETTINGS, { 'playbooks.yaml': PLAYBOOKS });
  });
  after(() => prefixd.end());

  it('opens no inspector at SIGUSR1, and goes on', async () => {
    for (let i = 0; i < 3; i++) {
      kill(prefixd.pid, 'SIGUSR1');
      assert.equal((await prefixd.call('GET', '/v1/health')).status, 200);
    }
    assert.doesNotMatch(prefixd.log(), /Debugger listening/);
  });
});
