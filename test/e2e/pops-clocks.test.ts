/** Two whole daemons whose system clocks are ten minutes apart: a rule ends everywhere with its TTL, and not by a clock. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { until } from '../support/children.ts';
import { PopLab } from '../support/pop-lab.ts';
import { missingPostgres } from '../support/postgres-server.ts';
import { undo } from '../support/undo.ts';

const LIBRARY = readdirSync('/usr/lib')
  .map((folder) => join('/usr/lib', folder, 'faketime/libfaketimeMT.so.1'))
  .find(existsSync);
const skip =
  missingPostgres() ||
  (LIBRARY === undefined ? 'faketime is not installed (Debian package faketime)' : false);

const TTL_SECONDS = 5;
const TEN_MINUTES_MS = 10 * 60 * 1000;

for (const offset of ['+600', '-600']) {
  describe(`a POP whose clock is off by ${offset} s`, { skip }, () => {
    it('ends a rule when its TTL is over, although its owner is cut off', async (t) => {
      const clock = {
        LD_PRELOAD: LIBRARY ?? '',
        FAKETIME: offset,
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
      };
      const lab = await PopLab.start(['ber', 'fra'], undefined, { fra: clock });
      undo(t, () => lab.end());
      const [ber, fra] = [lab.pop('ber'), lab.pop('fra')];
      const { status, body } = await ber.prefixd.call('POST', '/v1/mitigations', {
        victim_ip: '203.0.113.20',
        protocol: 'udp',
        action_type: 'discard',
        ttl_seconds: TTL_SECONDS,
        pops: ['all'],
        operator_id: 'kim',
        reason: 'test',
      });
      assert.equal(status, 201, JSON.stringify(body));
      const since = performance.now();
      await until('fra has the rule', () => fra.rules().length === 1);
      const { body: there } = await fra.prefixd.call('GET', `/v1/mitigations/${body.mitigation_id}`);
      const apart = Date.parse(String(there.created_at)) - Date.parse(String(body.created_at));
      assert.ok(Math.abs(Math.abs(apart) - TEN_MINUTES_MS) < 60_000, `the clocks are ${apart} ms apart`);
      ber.proxy.mode = 'silent';
      await until('fra has no rule', () => fra.rules().length === 0);
      const lasted = (performance.now() - since) / 1000;
      // A clock would make it end at once, or ten minutes later.
      assert.ok(lasted > TTL_SECONDS - 2 && lasted < TTL_SECONDS + 15, `it lasted ${lasted} s`);
      t.diagnostic(`the rule lasted ${lasted.toFixed(2)} s with a TTL of ${TTL_SECONDS} s`);
    });
  });
}
