import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { server } from '../alert/support.ts';
import { folder, INVENTORY, PLAYBOOKS, SHORTEST } from '../config/folder.ts';
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

test('a cloud scrubber is asked for nothing, and its secret is not needed', async (t) => {
  const cloud = await server(t, (response) => response.end());
  const requests = `requests: { auth: { bearer_env: NOT_SET_HERE }, start: { url: "${cloud.url}/{prefix}" }, stop: { url: "${cloud.url}/{prefix}" } }`;
  const path = await folder(t, {
    ...CONFIG,
    'prefixd.yaml': `${SHORTEST}      announce: [divert]\n      families: [ipv4-unicast]\nscrubbers: [{ name: cloud, divert: { next_hop_v4: 192.0.2.51 }, ${requests} }]\n`,
    'playbooks.yaml':
      'playbooks:\n  - name: udp\n    match: { vector: udp_flood }\n    steps: [{ action: divert, to: cloud, ttl_seconds: 120 }]\n',
  });
  const { code, stdout, stderr } = await cli(['simulate', '-', '--config', path], { stdin: EVENTS });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /-> accepted route 203\.0\.113\.10\/32 next-hop 192\.0\.2\.51/);
  assert.deepEqual(cloud.received, []);
});

test('without a folder what is built in decides', async () => {
  const { code, stdout } = await cli(['simulate', '-', '--why'], { stdin: EVENTS });
  assert.equal(code, 0);
  assert.match(stdout, /-> accepted/);
  assert.match(stdout, /^ {2}- .*customer acme/m);
});

const UNDATED = JSON.stringify({
  source: 'fnm',
  victim_ip: '203.0.113.10',
  vector: 'udp_flood',
  confidence: 0.95,
});

/** The decisions of a simulation as JSON, its summary left out. */
async function decisions(argv: readonly string[], stdin: string) {
  const { code, stdout, stderr } = await cli(['simulate', '-', '-f', 'json', ...argv], { stdin });
  assert.equal(code, 0, stderr);
  return stdout
    .trimEnd()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test('events without a timestamp happen by their place in the file, not in 1970', async (t) => {
  const path = await folder(t, CONFIG);
  const stdin = [UNDATED, EVENTS.split('\n')[1], UNDATED, UNDATED].join('\n');
  const times = (await decisions(['--config', path], stdin)).map(({ at }) => at);
  assert.deepEqual(times, [
    '2026-01-01T00:00:59.000Z',
    '2026-01-01T00:01:00.000Z',
    '2026-01-01T00:01:01.000Z',
    '2026-01-01T00:01:02.000Z',
  ]);
  const before = Date.now();
  const [now] = await decisions(['--config', path], UNDATED);
  assert.ok(Date.parse(now.at) >= before && Date.parse(now.at) <= Date.now());
});

test('events without a timestamp escalate and expire: --spacing says how far apart they are', async () => {
  const start = ['--start', '2026-01-01T00:00:00Z'];
  const reports = Array(6).fill(UNDATED).join('\n');
  const attack = await decisions([...start, '--spacing', '60'], reports);
  assert.equal(attack[5].at, '2026-01-01T00:05:00.000Z');
  assert.ok(attack.some(({ status }) => status === 'escalated'));
  const apart = await decisions([...start, '--spacing', '7200'], `${UNDATED}\n${UNDATED}\n`);
  assert.deepEqual(
    apart.map(({ status }) => status),
    ['accepted', 'accepted'],
  );
});

test('a start or a spacing that is none is refused, and so is a start behind the first timestamp', async () => {
  for (const [argv, error] of [
    [['--start', 'noon'], /--start: invalid time "noon"/],
    [['--spacing', '-1'], /--spacing: invalid value "-1"/],
    [['--start', '2026-02-01T00:00:00Z'], /--start is later than the file's first timestamp/],
  ] as const) {
    const { code, stderr } = await cli(['simulate', '-', ...argv], { stdin: `${UNDATED}\n${EVENTS}` });
    assert.equal(code, 5);
    assert.match(stderr, error);
  }
});

test('a line that is no event is named', async () => {
  const bad = await cli(['simulate', '-'], { stdin: `${EVENTS}\n{"source":"fnm"}\n` });
  assert.equal(bad.code, 5);
  assert.match(bad.stderr, /-:4: .*victim_ip/);
  assert.match((await cli(['simulate', '-'], { stdin: 'x\n' })).stderr, /-:1: this line is not JSON/);
  assert.equal((await cli(['simulate', '/nonexistent'])).code, 5);
});
