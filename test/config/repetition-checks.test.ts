import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, SHORTEST, sound, warningsOf } from './folder.ts';

/** Two playbooks: one for every source with TTLs of 120 and 600 s, one for `probe2` with 60 s. */
const PLAYBOOKS = `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 5000000, ttl_seconds: 120 }, { action: discard, ttl_seconds: 600 }]
  - name: syn
    match: { vector: syn_flood, source: probe2 }
    steps: [{ action: discard, ttl_seconds: 60 }]
`;

async function warned(
  t: Parameters<typeof load>[0],
  detectors: string,
  more = '',
  files: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const result = await load(
    t,
    `${SHORTEST}detectors: { ${detectors} }\n${more}`,
    {},
    { 'playbooks.yaml': PLAYBOOKS, ...files },
  );
  sound(result);
  return warningsOf(result);
}

test('a TTL that ends before a detector repeats its report is named with the step', async (t) => {
  assert.deepEqual(await warned(t, 'probe: { repeat_seconds: 300 }'), [
    'prefixd.yaml:8:39 detectors.probe.repeat_seconds: the detector repeats a report every 300 s, but the TTL of step 1 of udp is 120 s: rules expire during the attack; let the detector repeat its report more often than every 120 s, or write a longer ttl_seconds',
  ]);
  assert.match(
    (await warned(t, 'probe2: { repeat_seconds: 300 }')).join(),
    /the TTL of step 1 of syn is 60 s, the shortest of 2 TTLs that are too short/,
  );
  assert.deepEqual(await warned(t, 'probe: { repeat_seconds: 119 }'), []);
  assert.deepEqual(await warned(t, 'probe: {}'), [], 'nothing is known of its repetition');
});

test('the TTL is that of the profiles in use, within the bounds', async (t) => {
  const relaxed =
    'customers: [{ customer_id: acme, prefixes: ["203.0.113.0/24"], policy_profile: relaxed }]\n';
  assert.match(
    (await warned(t, 'probe: { repeat_seconds: 100 }', '', { 'inventory.yaml': relaxed })).join(),
    /the TTL of step 1 of udp is 90 s/,
  );
  assert.deepEqual(await warned(t, 'probe: { repeat_seconds: 100 }'), []);
});

test('a detector that reports ends is held, so only the longest hold counts', async (t) => {
  assert.deepEqual(await warned(t, 'alertmanager: { repeat_seconds: 3600 }'), []);
  assert.match(
    (await warned(t, 'alertmanager: { repeat_seconds: 14400 }')).join(),
    /the detector repeats a report every 14400 s, but rules are renewed for only 7200 s after the last report \(timers\.max_hold_seconds\)/,
  );
  assert.deepEqual(await warned(t, 'fastnetmon: { confidence: 0.8 }'), []);
});

test('the rhythm of a known detector is known where only the TTL keeps its rules', async (t) => {
  assert.match(
    (await warned(t, 'fastnetmon: { hold: until_ttl }')).join(),
    /detectors\.fastnetmon\.hold: fastnetmon reports an attack once, but the TTL of step 1 of udp is 120 s, the shortest of 2 TTLs that are too short: .*; omit hold/,
  );
  assert.match(
    (await warned(t, 'alertmanager: { hold: until_ttl }')).join(),
    /alertmanager repeats a report every 14400 s by default/,
  );
  assert.deepEqual(await warned(t, 'fastnetmon: { hold: until_ttl, repeat_seconds: 30 }'), []);
});
