import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder, INVENTORY, PLAYBOOKS, SHORTEST } from '../app/config/folder.ts';
import { cli } from './harness.ts';

const EVENTS = [
  { timestamp: '2026-01-01T00:00:00Z', source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' },
  { timestamp: '2026-01-01T00:01:00Z', source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' },
  { timestamp: '2026-01-01T00:02:00Z', source: 'fnm', victim_ip: '192.0.2.1', vector: 'udp_flood' },
]
  .map((event) => JSON.stringify(event))
  .join('\n');

const CONFIG = { 'prefixd.yaml': SHORTEST, 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS };

test('decisions are told event by event, and a summary ends them', async (t) => {
  const path = await folder(t, { ...CONFIG, 'events.jsonl': EVENTS });
  const { code, stdout } = await cli(['simulate', join(path, 'events.jsonl'), '--config', path]);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^2026-01-01T00:00:00\.000Z ban 203\.0\.113\.10 udp_flood -> accepted match dst .* then rate-limit 5mbps$/m,
  );
  assert.match(stdout, /00:01:00\.000Z .* -> extended/);
  assert.match(stdout, /00:02:00\.000Z .* -> rejected \(protected\)$|-> rejected \(not_in_inventory\)$/m);
  assert.match(stdout, /^events +3: accepted 1, extended 1, rejected 1$/m);
  assert.match(stdout, /^rules +1, at most 1 at once, 1 at the end$/m);
});

test('other playbooks give other decisions, and secrets are not needed', async (t) => {
  const secret = `${SHORTEST}      md5_password_env: NOT_SET_HERE\n`;
  const path = await folder(t, {
    ...CONFIG,
    'prefixd.yaml': secret,
    'playbooks.yaml':
      'playbooks:\n  - name: udp\n    match: { vector: udp_flood }\n    steps: [{ action: discard, ttl_seconds: 120 }]\n',
  });
  const { code, stdout } = await cli(['simulate', '-', '--config', path, '-f', 'json'], { stdin: EVENTS });
  assert.equal(code, 0);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.match(lines[0].rule, /then discard$/);
  assert.equal(lines.length, 4);
  assert.deepEqual(lines[3].summary.customers, { acme: 1 });
});

test('without a folder what is built in decides', async () => {
  const { code, stdout } = await cli(['simulate', '-', '--why'], { stdin: EVENTS });
  assert.equal(code, 0);
  assert.match(stdout, /-> accepted/);
  assert.match(stdout, /^ {2}- .*customer acme/m);
});

test('a line that is no event is named', async () => {
  const bad = await cli(['simulate', '-'], { stdin: `${EVENTS}\n{"source":"fnm"}\n` });
  assert.equal(bad.code, 5);
  assert.match(bad.stderr, /-:4: .*victim_ip/);
  assert.match((await cli(['simulate', '-'], { stdin: 'x\n' })).stderr, /-:1: this line is not JSON/);
  assert.equal((await cli(['simulate', '/nonexistent'])).code, 5);
});
