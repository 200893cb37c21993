import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { neighborChanges, neighborWords } from '../../src/cli/diff.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Daemon } from '../../src/app/daemon.ts';
import { startDaemon } from '../../src/app/daemon.ts';
import { folder, INVENTORY, PLAYBOOKS, sound } from '../config/folder.ts';
import { neverOverloaded } from '../support/overload.ts';
import { cli } from './harness.ts';

const SETTINGS = `http: { listen: "127.0.0.1:0" }
bgp:
  mode: mock
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors:
    - { name: edge1, address: "192.0.2.1", peer_asn: 65001 }
    - { name: edge2, address: "192.0.2.2", peer_asn: 65001 }
`;

/** A daemon with two mitigations, and a folder to change. */
async function running(t: TestContext) {
  let daemon: Daemon | undefined;
  // Before the folder is made, so that the daemon is gone before its folder is.
  t.after(() => daemon?.stop());
  const path = await folder(t, {
    'prefixd.yaml': SETTINGS,
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
  });
  const config = sound(await loadConfig(path, {}));
  daemon = await startDaemon({
    config,
    logger: pino({ level: 'silent' }),
    load: () => loadConfig(path, {}),
    watchOverload: neverOverloaded,
  });
  const api = `http://127.0.0.1:${daemon.http.port}`;
  for (const victim of ['203.0.113.77', '203.0.113.78']) {
    const { statusCode } = await request(`${api}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ source: 'test', victim_ip: victim, vector: 'udp_flood', top_dst_ports: [4444] }),
    });
    assert.equal(statusCode, 202);
  }
  const change = async (name: string, by: (text: string) => string) =>
    writeFile(join(path, name), by(await readFile(join(path, name), 'utf8')));
  return {
    daemon,
    write: (by: (text: string) => string) => change('prefixd.yaml', by),
    writeInventory: (text: string) => change('inventory.yaml', () => text),
    writePlaybooks: (by: (text: string) => string) => change('playbooks.yaml', by),
    diff: async () => {
      const { code, stdout, stderr } = await cli([
        '-f',
        'json',
        'check',
        '--config',
        path,
        '--diff',
        '--api',
        api,
      ]);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout).diff;
    },
    text: async () => (await cli(['check', '--config', path, '--diff', '--api', api])).stdout,
  };
}

test('an unchanged folder would change nothing', async (t) => {
  const { text } = await running(t);
  assert.equal(
    await text(),
    'A reload would change nothing.\nNone of the 2 active mitigations would be withdrawn.\n',
  );
});

test('what check --diff says would be withdrawn is what the reload withdraws', async (t) => {
  const { daemon, write, diff, text } = await running(t);
  await write((settings) => `${settings}safelist: { prefixes: ["203.0.113.78/32"] }\n`);
  const { withdrawn, settings, live } = await diff();
  assert.equal(live, 2);
  assert.deepEqual(settings, ['safelist']);
  assert.equal(withdrawn.length, 1);
  assert.equal(withdrawn[0].victim_ip, '203.0.113.78');
  assert.match(withdrawn[0].why, /safelisted prefix/);
  assert.match(await text(), /^A reload would withdraw these mitigations \(1 of 2\):$/m);

  await daemon.reload({ kind: 'operator', name: 'noc' });
  const ended = [...daemon.engine.state.mitigations.values()].filter(
    ({ ending, endedAt }) => ending !== null || endedAt !== null,
  );
  assert.deepEqual(
    ended.map(({ id }) => id),
    [withdrawn[0].mitigation_id],
  );
});

test('a protected prefix withdraws, and so does a protected port', async (t) => {
  const { write, diff } = await running(t);
  await write(
    (text) => `${text}guardrails: { protected: { prefixes: ["203.0.113.77/32"], ports: [179, 4444] } }\n`,
  );
  const { withdrawn } = await diff();
  assert.deepEqual(
    withdrawn.map((one: { victim_ip: string; why: string }) => [one.victim_ip, one.why]),
    [
      ['203.0.113.78', 'the rule names protected port 4444'],
      ['203.0.113.77', '203.0.113.77/32 overlaps protected prefix 203.0.113.77/32'],
    ],
  );
});

test('neighbors that come, go or change are told, and what only a start can change', async (t) => {
  const { write, diff, text } = await running(t);
  await write((settings) =>
    settings
      .replace('name: edge2, address: "192.0.2.2"', 'name: edge3, address: "192.0.2.3"')
      .replace('peer_asn: 65001 }', 'peer_asn: 65001, hold_time_seconds: 30 }')
      .replace('local_asn: 65010', 'local_asn: 65011'),
  );
  const { neighbors, restart, withdrawn } = await diff();
  assert.deepEqual(
    neighbors.map(({ name, change, keys }: Record<string, unknown>) => [name, change, keys]),
    [
      ['edge1', 'changed', ['hold_time_seconds']],
      ['edge2', 'removed', []],
      ['edge3', 'added', []],
    ],
  );
  assert.deepEqual(restart, ['bgp.local_asn']);
  assert.deepEqual(withdrawn, []);
  const shown = await text();
  assert.match(shown, /^neighbor edge2: removed; its session will be closed and 2 rules withdrawn$/m);
  assert.match(shown, /^bgp\.local_asn: changed, takes effect at the next start$/m);
});

test('a dry run withdraws what is announced, and is said to', async (t) => {
  const { daemon, write, diff, text } = await running(t);
  await write((settings) => `${settings}mode: dry-run\n`);
  const { withdrawn, asks } = await diff();
  assert.equal(withdrawn.length, 2);
  assert.match(withdrawn[0].why, /mode: dry-run/);
  assert.equal(asks, true);
  assert.match(await text(), /^prefixd reload asks for confirmation before it withdraws so many/m);
  assert.equal((await daemon.reload({ kind: 'operator', name: 'noc' })).ok, false, 'it does ask');
  await daemon.reload({ kind: 'operator', name: 'noc' }, true);
  assert.ok([...daemon.engine.state.mitigations.values()].every(({ ending, endedAt }) => ending ?? endedAt));
});

test('what of the inventory comes, goes or moves is said, and what that means for active mitigations', async (t) => {
  const { daemon, writeInventory, diff, text } = await running(t);
  await writeInventory(`customers:
  - customer_id: acme
    policy_profile: strict
    prefixes: ["203.0.113.0/26"]
  - customer_id: bob
    prefixes: ["203.0.113.64/26", "2001:db8::/32"]
    services:
      - service_id: game
        assets: [{ ip: "203.0.113.77" }]
        allowed_ports: { udp: ["4440-4449", 53] }
`);
  const { inventory, withdrawn, changed } = await diff();
  assert.deepEqual(inventory, {
    customers: [
      { customer_id: 'acme', change: 'changed', keys: ['policy_profile'] },
      { customer_id: 'bob', change: 'added', keys: [] },
    ],
    prefixes: [
      { entry: '203.0.113.0/24', from: 'acme', to: null },
      { entry: '203.0.113.0/26', from: null, to: 'acme' },
      { entry: '203.0.113.64/26', from: null, to: 'bob' },
      { entry: '2001:db8::/32', from: null, to: 'bob' },
    ],
    assets: [{ entry: '203.0.113.77', from: null, to: 'bob/game' }],
    allowed_ports: [
      { customer_id: 'bob', service_id: 'game', protocol: 'udp', added: ['53', '4440-4449'], removed: [] },
    ],
  });
  assert.deepEqual(withdrawn, []);
  assert.deepEqual(
    changed.map((one: { victim_ip: string; why: string }) => [one.victim_ip, one.why]),
    [
      ['203.0.113.78', 'moves from acme to bob'],
      ['203.0.113.77', 'moves from acme to bob; its rule polices port 4444, which the inventory now allows'],
    ],
  );
  const shown = await text();
  assert.match(shown, /^A reload would change these mitigations and keep them active \(2 of 2\):$/m);
  assert.match(shown, /^prefix 203\.0\.113\.64\/26: added to bob$/m);
  assert.match(shown, /^asset 203\.0\.113\.77: added to bob\/game$/m);
  assert.match(shown, /^allowed udp ports of bob\/game: 53, 4440-4449 added$/m);
  assert.match(shown, /^customer acme: policy_profile changed$/m);

  await daemon.reload({ kind: 'operator', name: 'noc' });
  assert.deepEqual(
    [...daemon.engine.state.mitigations.values()].map(({ customerId }) => customerId),
    ['bob', 'bob'],
    'the reload does what was said',
  );
});

test('a victim who leaves the inventory, and a prefix that moves, are said', async (t) => {
  const { writeInventory, diff } = await running(t);
  await writeInventory('customers:\n  - { customer_id: acme, prefixes: ["203.0.113.77/32"] }\n');
  const { changed } = await diff();
  assert.deepEqual(
    changed.map((one: { victim_ip: string; why: string }) => [one.victim_ip, one.why]),
    [
      [
        '203.0.113.78',
        'no longer belongs to a customer (was acme); its rule stays until it expires; new reports are refused (guardrails.require_inventory)',
      ],
    ],
  );
  await writeInventory('customers:\n  - { customer_id: bob, prefixes: ["203.0.113.0/24"] }\n');
  assert.deepEqual((await diff()).inventory.prefixes, [{ entry: '203.0.113.0/24', from: 'acme', to: 'bob' }]);
});

test('playbooks that come, go or change are said', async (t) => {
  const { writePlaybooks, diff } = await running(t);
  await writePlaybooks(
    (playbooks) =>
      `${playbooks.replace('5000000', '6000000')}  - { name: more, match: { vector: syn_flood }, steps: [{ action: discard }] }\n`,
  );
  assert.deepEqual((await diff()).playbooks, [
    { name: 'udp', change: 'changed' },
    { name: 'more', change: 'added' },
  ]);
});

test('a reload names what waits for a restart as check --diff does, and goes on doing so', async (t) => {
  const { daemon, write, diff } = await running(t);
  await write((settings) =>
    settings
      .replace('http: { listen: "127.0.0.1:0" }', 'http: { listen: "127.0.0.1:1" }')
      .replace('local_asn: 65010', 'local_asn: 65011')
      .concat('timers: { reconciliation_interval_seconds: 60, min_ttl_seconds: 20 }\n'),
  );
  const before = await diff();
  const waiting = ['http.listen', 'timers.reconciliation_interval_seconds', 'bgp.local_asn'];
  assert.deepEqual(before.restart, waiting);
  assert.deepEqual(before.settings, ['timers']);
  const outcome = await daemon.reload({ kind: 'operator', name: 'noc' });
  assert.ok(outcome.ok);
  assert.deepEqual(
    outcome.warnings?.map((warning) => warning.split(' ')[0]),
    waiting,
  );
  const after = await diff();
  assert.deepEqual(after.restart, waiting, 'it still waits');
  assert.deepEqual(after.settings, [], 'the rest is in force');
});

test('a rule narrowed by its source is judged by what it matches, not by how it is written', async (t) => {
  const { daemon, write, writePlaybooks, diff } = await running(t);
  await write((text) => `${text}guardrails: { allow_src_prefix_match: true }\n`);
  await writePlaybooks(
    (text) =>
      `${text}  - { name: narrow, match: { vector: dns_amplification }, steps: [{ action: discard, match: { src_prefix: "198.51.100.0/24" } }] }\n`,
  );
  await daemon.reload({ kind: 'operator', name: 'noc' });
  const { statusCode } = await request(`http://127.0.0.1:${daemon.http.port}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ source: 'test', victim_ip: '203.0.113.79', vector: 'dns_amplification' }),
  });
  assert.equal(statusCode, 202);
  await write((text) =>
    text.replace(
      'guardrails: {',
      'guardrails: { protected: { prefixes: ["198.51.100.7/32"], ports: [53, 179] },',
    ),
  );
  const { withdrawn } = await diff();
  assert.deepEqual(
    withdrawn.map(({ victim_ip }: { victim_ip: string }) => victim_ip),
    ['203.0.113.79'],
  );
  assert.match(withdrawn[0].why, /source 198\.51\.100\.0\/24 overlaps/);
});

test('without a daemon it cannot be compared, and a bad folder is refused first', async (t) => {
  const path = await folder(t, {
    'prefixd.yaml': SETTINGS,
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
  });
  const nobody = await cli(['check', '--config', path, '--diff', '--api', 'http://127.0.0.1:1']);
  assert.equal(nobody.code, 2);
  await writeFile(join(path, 'prefixd.yaml'), `${SETTINGS}mode: nonsense\n`);
  const bad = await cli(['check', '--config', path, '--diff', '--api', 'http://127.0.0.1:1']);
  assert.equal(bad.code, 5);
});

test('a neighbor with graceful restart keeps its rules over a reset, unless it is another router then', () => {
  const edge1 = {
    ...{
      name: 'edge1',
      address: '192.0.2.1',
      port: 179,
      peer_asn: 65001,
      hold_time_seconds: 90,
      enabled: true,
    },
    graceful_restart: { restart_time_seconds: 120 },
  };
  const words = (changes: object, agreed = true): string => {
    const peers = [{ name: 'edge1', rules_sent: 3, negotiated: { graceful_restart: agreed } }];
    const [change] = neighborChanges([edge1], [{ ...edge1, ...changes }], peers);
    assert.ok(change !== undefined, 'it is a change');
    return neighborWords(change);
  };
  const kept = /^(.*) changed; its session will be reset; the router keeps its 3 rules meanwhile/;
  assert.match(words({ hold_time_seconds: 30 }), kept);
  assert.match(words({ graceful_restart: { restart_time_seconds: 60 } }), kept);
  const lost = /changed; its session will be reset; 3 rules will be re-announced$/;
  assert.match(words({ hold_time_seconds: 30 }, false), lost);
  for (const other of [
    { peer_asn: 65002 },
    { address: '192.0.2.9' },
    { graceful_restart: undefined },
    { enabled: false },
  ]) {
    assert.match(words(other), lost);
  }
});

test('a session is reset for the routes of a kind only if that needs another family', () => {
  const edge1 = { name: 'edge1', families: ['ipv4-flowspec'], announce: ['flowspec'], max_unicast: 50 };
  const words = (before: object, after: object): string => {
    const [change] = neighborChanges([before], [after], [{ name: 'edge1', rules_sent: 3 }]);
    assert.ok(change !== undefined, 'it is a change');
    return neighborWords(change);
  };
  const diverted = { ...edge1, announce: ['flowspec', 'divert'] };
  assert.match(words(edge1, diverted), /^announce, families changed; its session will be reset;/);
  const stays = /^announce changed; of its 3 rules, those that change will be re-announced$/;
  assert.match(words(diverted, { ...edge1, announce: ['flowspec', 'divert', 'blackhole'] }), stays);
  const { announce: _, ...older } = edge1;
  assert.match(words(older, edge1), stays, 'a daemon of an earlier version has no announce');
  assert.match(words(edge1, { ...edge1, max_unicast: 9 }), /^max_unicast changed; of its 3 rules/);
});
