/** An operator reads a mitigation's history from a real daemon, before and after the daemon is killed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { cli } from '../cli/harness.ts';
import { until } from '../support/children.ts';
import { Prefixd } from '../support/prefixd.ts';

const SETTINGS = `
pop: test1
bgp: { mode: mock, local_asn: 65010, router_id: "192.0.2.10" }
escalation: { min_persistence_seconds: 0 }
`;

const INVENTORY = `
customers:
  - { customer_id: acme, prefixes: ["203.0.113.0/24"] }
`;

const PLAYBOOKS = `
playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps:
      - { action: police, rate_bps: 8000000, ttl_seconds: 600 }
      - { action: discard, ttl_seconds: 900, require_confidence_at_least: 0.7, require_persistence_seconds: 0 }
default_playbook:
  steps: [{ action: police, rate_bps: 10000000 }]
`;

describe('the life of a mitigation, on the command line', () => {
  let prefixd: Prefixd;

  const run = async (...argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli(argv, { env: prefixd.clientEnvironment });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const report = (...options: readonly string[]): Promise<string> =>
    run('events', 'send', '--victim', '203.0.113.10', '--vector', 'udp_flood', '--source', 'fnm', ...options);

  before(async () => {
    prefixd = await Prefixd.start(SETTINGS, { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS });
  });
  after(() => prefixd.end());

  it('tells how it began, was escalated and was withdrawn, by whom and why, also after a crash', async () => {
    const [, id = ''] = /^accepted (\S+)/.exec(await report('--bps', '4gbps', '--confidence', '0.5')) ?? [];
    await report('--bps', '3gbps', '--pps', '250000', '--confidence', '0.9');
    await prefixd.kill('SIGKILL');
    await prefixd.run();
    const living = await run('mitigations', 'get', id);
    assert.match(living, /^action +discard$/m);
    assert.match(living, /^expires +\S+Z \(in 1[45]m\d\ds\)$/m);

    await run('withdraw', id, '--reason', "customer's backup", '--operator', 'kim');
    const ended = await until('it has ended', async () => {
      const text = await run('mitigations', 'get', id);
      return /^status +withdrawn$/m.test(text) && text;
    });
    assert.match(ended, /^end +withdrawn by kim at \S+Z: customer's backup$/m);
    assert.doesNotMatch(ended, /^expires/m, 'the time of one that has ended says nothing');
    const [, history = ''] = ended.split('\nhistory\n');
    const entries = history.split('\n').filter((line) => /^\d{4}-/.test(line));
    const told = [
      /created: police at 8 Mbit\/s, until \S+Z; fnm reported udp_flood: 4 Gbit\/s, confidence 0\.5$/,
      /escalated to step 2: discard, until \S+Z; fnm reported udp_flood: 3 Gbit\/s, 250000 packets\/s, confidence 0\.9$/,
      /withdrawn by kim \(via admin\): customer's backup$/,
      /ended: the withdrawal was sent to every established session$/,
    ];
    assert.equal(entries.length, told.length, history);
    for (const [i, line] of told.entries()) assert.match(entries[i] ?? '', line);
    assert.match(history, /^ {2}- 203\.0\.113\.10 belongs to customer acme/m, 'the first reasons are there');
    assert.match(history, /^ {2}- escalated to step 2 \(discard\)/m);
  });
});
