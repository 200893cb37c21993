import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { loadConfig } from '../../src/app/config/load.ts';
import type { Daemon } from '../../src/app/daemon.ts';
import { startDaemon } from '../../src/app/daemon.ts';
import { folder, INVENTORY, PLAYBOOKS, sound } from '../app/config/folder.ts';
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
  const file = join(path, 'prefixd.yaml');
  return {
    daemon,
    write: async (change: (text: string) => string) => writeFile(file, change(await readFile(file, 'utf8'))),
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
    'A reload would change nothing in prefixd.yaml.\nNo mitigation of 2 would be withdrawn.\n',
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
  assert.match(withdrawn[0].why, /on the safelist/);
  assert.match(await text(), /^Mitigations that a reload would withdraw \(1 of 2\):$/m);

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
      ['203.0.113.77', 'destination 203.0.113.77/32 touches 203.0.113.77/32, which is protected'],
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
  assert.match(shown, /^neighbor edge2: removed, its session ends and 2 rules go with it$/m);
  assert.match(shown, /^bgp\.local_asn: changes at the next start only$/m);
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
