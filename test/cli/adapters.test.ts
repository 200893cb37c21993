/** `prefixd adapters`: which events a webhook makes of a document, without a daemon. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folder, INVENTORY, PLAYBOOKS, SHORTEST } from '../config/folder.ts';
import { cli } from './harness.ts';

const SAMPLES = fileURLToPath(new URL('../../adapters/samples/', import.meta.url));

const WEBHOOKS = `detectors:
  ours: { hold: until_ttl, vector_map: { "Typ 7": syn_flood } }
  webhooks:
    ours:
      auth: { hmac: { header: X-Sum, secret_env: NOT_SET_HERE } }
      each: "$.alerts[*]"
      event_id: "$.id"
      victim_ip: { path: ["$.ip", "$.target"] }
      bps: { path: "$.kbits", unit: kbit/s }
      vector: "$.kind"
      action: { path: "$.state", map: { on: ban, off: unban }, otherwise: ignore }
    kentik: { victim_ip: "$.ours" }
`;

const CONFIG = {
  'prefixd.yaml': `${SHORTEST}${WEBHOOKS}`,
  'inventory.yaml': INVENTORY,
  'playbooks.yaml': PLAYBOOKS,
};

const DOCUMENT = JSON.stringify({
  alerts: [
    { id: 7, target: '203.0.113.10', kbits: 1500, kind: 'Typ 7', state: 'on' },
    { id: 8, ip: '203.0.113.11', kind: 'udp', state: 'seen' },
  ],
});

test('shows for each event what each path gave, and the event, without any secret', async (t) => {
  const path = await folder(t, CONFIG);
  const { code, stdout, stderr } = await cli(['adapters', 'test', 'ours', '-', '-c', path], {
    stdin: DOCUMENT,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^event 1 of 2, from \$\.alerts\[\*\]$/m);
  assert.match(stdout, /^ {2}source +ours +constant$/m);
  assert.match(stdout, /^ {2}event_id +7 +\$\.id: 7$/m);
  assert.match(stdout, /^ {2}victim_ip +203\.0\.113\.10 +\$\.target: 203\.0\.113\.10$/m);
  assert.match(stdout, /^ {2}bps +1500000 +\$\.kbits: 1500$/m);
  assert.match(stdout, /^ {2}action +ban +\$\.state: on$/m);
  assert.match(stdout, /^ {2}=> ban 203\.0\.113\.10 syn_flood from ours, alarm 7; hold: until_ttl$/m);
  assert.match(stdout, /^ {2}bps +- +no path gave a value$/m);
  assert.match(stdout, /^ {2}action +ignore +otherwise; \$\.state: seen$/m);
  assert.match(stdout, /^ {2}ignored: webhook ours ignores the action "seen": nothing is decided$/m);
});

test('names the problem of an event that cannot be read, and fails', async (t) => {
  const path = await folder(t, CONFIG);
  const stdin = DOCUMENT.replace('203.0.113.10', 'web-1');
  const { code, stdout, stderr } = await cli(['adapters', 'test', 'ours', '-', '-c', path], { stdin });
  assert.equal(code, 5);
  assert.match(stdout, /^ {2}invalid: victim_ip: must be an IPv4 or IPv6 address or prefix, not "web-1"$/m);
  assert.match(stderr, /1 event of 2 cannot be read/);
});

test('says that a document has no event', async (t) => {
  const path = await folder(t, CONFIG);
  const { code, stdout } = await cli(['adapters', 'test', 'ours', '-', '-c', path], { stdin: '{}' });
  assert.equal(code, 0);
  assert.match(stdout, /each \(\$\.alerts\[\*\]\) of webhook ours matches nothing in this document/);
});

test('prints the same as JSON', async (t) => {
  const path = await folder(t, CONFIG);
  const args = ['adapters', 'test', 'ours', '-', '-c', path, '-f', 'json'];
  const answer = JSON.parse((await cli(args, { stdin: DOCUMENT })).stdout);
  assert.equal(answer.webhook, 'ours');
  assert.equal(answer.events.length, 2);
  assert.deepEqual(answer.events[0].event, {
    source: 'ours',
    event_id: '7',
    action: 'ban',
    victim_ip: '203.0.113.10',
    vector: 'Typ 7',
    bps: 1500000,
  });
  assert.equal(answer.events[0].result.kind, 'event');
  assert.equal(answer.events[0].result.vector, 'syn_flood');
  assert.equal(answer.events[1].result.kind, 'ignored');
  const victim = answer.events[0].fields.find(({ field }: { field: string }) => field === 'victim_ip');
  assert.deepEqual(victim, {
    field: 'victim_ip',
    path: '$.target',
    given: ['203.0.113.10'],
    values: ['203.0.113.10'],
    by: 'path',
  });
});

test('reads JSON lines as a list', async () => {
  const lines = [
    '{"event_type":"stats"}',
    JSON.stringify({ event_type: 'alert', dest_ip: '203.0.113.10', alert: { signature: 'DDoS' } }),
  ];
  const { code, stdout } = await cli(['adapters', 'test', 'suricata', '-'], { stdin: lines.join('\n') });
  assert.equal(code, 0);
  assert.match(stdout, /^event 1 of 1/m);
});

test('tries a bundled recipe that is not configured, and a configured one before it', async (t) => {
  const sample = join(SAMPLES, 'kentik.json');
  const bundled = await cli(['adapters', 'test', 'kentik', sample]);
  assert.equal(bundled.code, 0);
  assert.match(bundled.stderr, /^note: kentik is not configured; using .*adapters\/kentik\.yaml$/m);
  assert.match(bundled.stdout, /=> ban 203\.0\.113\.10 ntp_amplification from kentik/);
  const path = await folder(t, CONFIG);
  const own = await cli(['adapters', 'test', 'kentik', sample, '-c', path]);
  assert.equal(own.code, 5);
  assert.match(own.stdout, /invalid: victim_ip: is missing/);
});

test('finds neither an unknown name, nor a file that is missing or no JSON', async (t) => {
  const unknown = await cli(['adapters', 'test', 'arbor', '-'], { stdin: '{}' });
  assert.equal(unknown.code, 4);
  assert.match(unknown.stderr, /there is no webhook or recipe "arbor"; known: akvorado, dots, .*kentik/);
  const missing = await cli(['adapters', 'test', 'kentik', '/nowhere.json']);
  assert.equal(missing.code, 5);
  assert.match(missing.stderr, /cannot read \/nowhere\.json/);
  const text = await cli(['adapters', 'test', 'kentik', '-'], { stdin: 'hello' });
  assert.equal(text.code, 5);
  assert.match(text.stderr, /neither JSON nor JSON lines/);
  const path = await folder(t, {
    ...CONFIG,
    'prefixd.yaml': `${SHORTEST}detectors: { webhooks: { ours: { victim_ip: "$[" } } }\n`,
  });
  const invalid = await cli(['adapters', 'test', 'ours', '-', '-c', path], { stdin: '{}' });
  assert.equal(invalid.code, 5);
  assert.match(invalid.stderr, /detectors\.webhooks\.ours\.victim_ip: this is not a JSONPath/);
});

test('refuses a document that nests without end, and shows no control characters', async () => {
  const nested = await cli(['adapters', 'test', 'kentik', '-'], {
    stdin: `${'['.repeat(5000)}${']'.repeat(5000)}`,
  });
  assert.equal(nested.code, 5);
  assert.match(nested.stderr, /nested deeper than 32 levels/);
  const stdin = JSON.stringify({ AlarmID: 'x\u001b[2J', Dimensions: { IP_dst: '203.0.113.10\u001b[0m' } });
  const { stdout } = await cli(['adapters', 'test', 'kentik', '-'], { stdin });
  assert.ok(!stdout.includes('\u001b'));
});

test('lists the configured webhooks and the bundled recipes', async (t) => {
  const path = await folder(t, CONFIG);
  const { code, stdout } = await cli(['adapters', 'list', '-c', path]);
  assert.equal(code, 0);
  assert.match(stdout, /^ours +\/v1\/signals\/webhook\/ours +hmac sha256 in x-sum +ours +\$\.alerts\[\*\]$/m);
  assert.match(stdout, /^kentik +\/v1\/signals\/webhook\/kentik +bearer +kentik +\$$/m);
  assert.match(stdout, /^flowtriq +.*adapters\/flowtriq\.yaml$/m);
  const answer = JSON.parse((await cli(['adapters', 'list', '-c', path, '-f', 'json'])).stdout);
  assert.deepEqual(answer.webhooks[0], {
    name: 'ours',
    path: '/v1/signals/webhook/ours',
    auth: 'hmac',
    source: 'ours',
    each: '$.alerts[*]',
  });
  assert.equal(answer.recipes.length, 7);
  assert.match((await cli(['adapters', 'list'])).stdout, /^No webhooks are configured\.$/m);
});
