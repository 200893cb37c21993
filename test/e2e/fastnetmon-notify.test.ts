/**
 * FastNetMon's calls through the bundled script to a real daemon: in parallel, while it is down, and beyond the rate
 * limit.
 */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packaged } from '../packaging/files.ts';
import { output, until } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';
import { Prefixd } from '../support/prefixd.ts';

const skip = missingProgram('curl', 'curl');
const SCRIPT = packaged('fastnetmon/prefixd-notify.sh');

const SETTINGS = `
pop: test1
bgp: { mode: mock, local_asn: 65010, router_id: "192.0.2.10", neighbors: [{ name: edge1, address: "192.0.2.1", peer_asn: 65001 }] }
quotas: { max_active_per_customer: 1000, max_active_per_pop: 1000, max_active_global: 1000, max_new_per_minute: 1000 }
`;
const INVENTORY = `
customers:
  - customer_id: acme
    name: ACME
    prefixes: ["203.0.113.0/24", "198.51.100.0/24"]
    policy_profile: normal
`;
const PLAYBOOKS = `
playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 8000000, ttl_seconds: 600 }]
`;

const BANS = 300;
const LIMIT = ['  rate_limit: { events_per_second: 100, burst: 50 }'];

/** Returns an address for each ban, from both of the customer's networks. */
const VICTIMS = Array.from({ length: BANS }, (_, i) =>
  i < 250 ? `203.0.113.${i + 1}` : `198.51.100.${i - 249}`,
);

describe("FastNetMon's calls through the shipped script", { skip }, () => {
  let prefixd: Prefixd;
  let environment: Readonly<Record<string, string>>;
  let details: string;

  before(async () => {
    prefixd = await Prefixd.start(
      SETTINGS,
      { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS },
      LIMIT,
    );
    details = join(prefixd.folder, 'details');
    await writeFile(details, 'Attack type: udp_flood\nAttack direction: incoming\nAttack protocol: udp\n');
    environment = {
      ...prefixd.clientEnvironment,
      PREFIXD_NOTIFY_CONF: '/nonexistent',
      PREFIXD_NOTIFY_SPOOL: join(prefixd.folder, 'spool'),
      PREFIXD_NOTIFY_WAIT: '30',
      PREFIXD_NOTIFY_RETRY: '0',
    };
  });
  after(() => prefixd?.end());

  /** Runs a script of calls; `notify` in it is the bundled script with the details on its standard input. */
  const run = (script: string, changes: Readonly<Record<string, string>> = {}): Promise<string> => {
    const settings = Object.entries({ ...environment, ...changes }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const notify = `notify() { sh '${SCRIPT}' "$@" <'${details}' 2>&1; }`;
    const env = ['-i', `PATH=${process.env.PATH}`, ...settings];
    return output('env', [...env, 'sh', '-c', `${notify}\n${script}`], 120_000);
  };
  const active = async (): Promise<readonly { readonly victim_ip: string }[]> => {
    const { body } = await prefixd.call('GET', '/v1/mitigations?status=active&limit=1000');
    assert.ok(Array.isArray(body.mitigations));
    return body.mitigations;
  };
  const kept = async (): Promise<readonly string[]> => {
    const names = await readdir(join(prefixd.folder, 'spool'));
    return names.filter((name) => /^\d/.test(name));
  };

  it('300 bans at once, more than the daemon takes at once, are 300 mitigations', async () => {
    const calls = VICTIMS.map((victim) => `notify ${victim} incoming 118040 ban &`);
    await run([...calls, 'wait'].join('\n'));
    // The last process that holds the lock waits for the others' messages; none remains when all have finished.
    assert.deepEqual(await kept(), []);
    const victims = (await active()).map(({ victim_ip }) => victim_ip);
    assert.deepEqual([...victims].sort(), [...VICTIMS].sort());
    const { body } = await prefixd.call('GET', '/v1/events?source=fastnetmon&limit=1000');
    assert.ok(Array.isArray(body.events));
    assert.equal(body.events.length, BANS, 'each was reported once');
  });

  it('what came while the daemon was away arrives in order with the next call', async () => {
    await prefixd.kill('SIGTERM');
    const [first, second] = ['198.51.100.201', '198.51.100.202'];
    const said = await run(
      [
        `notify ${first} incoming 1 ban`,
        `notify ${first} incoming 1 unban`,
        `notify ${second} incoming 1 unban`,
        `notify ${second} incoming 1 ban`,
      ].join('\n'),
      { PREFIXD_NOTIFY_WAIT: '0' },
    );
    assert.match(said, /cannot be reached/);
    assert.equal((await kept()).length, 4);
    await prefixd.run();
    await run('notify 198.51.100.203 incoming 1 ban');
    assert.deepEqual(await kept(), []);
    const victims = await until('the rules are there', async () => {
      const found = (await active()).map(({ victim_ip }) => victim_ip);
      return found.includes('198.51.100.203') && found;
    });
    assert.ok(!victims.includes(first), 'banned, then unbanned');
    assert.ok(victims.includes(second), 'unbanned, then banned');
  });
});
