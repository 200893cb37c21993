/**
 * The real detector: FastNetMon Community (Debian: fastnetmon) is fed NetFlow v5, calls the shipped notify script, and the
 * rule is in a real router.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packaged } from '../packaging/files.ts';
import { findProgram, type Running, start, until } from '../support/children.ts';
import { type AnyDaemon, missing, missingProgram, startDaemon } from '../support/daemons.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { netflowV5 } from '../support/netflow.ts';
import { Prefixd } from '../support/prefixd.ts';
import { eq } from '../support/rule-json.ts';

const VICTIM = '203.0.113.10';
const skip = missingProgram('fastnetmon', 'fastnetmon') || missingProgram('curl', 'curl') || missing('bird');

const INVENTORY = `
customers:
  - customer_id: acme
    name: ACME
    prefixes: ["203.0.113.0/24"]
`;
const PLAYBOOKS = `
playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 8000000, ttl_seconds: 600 }]
`;

/** Everything that FastNetMon reads and writes lies in the folder; it reports no usage and listens on loopback only. */
function fastnetmonConf(folder: string, netflow: { readonly host: string; readonly port: number }): string {
  return [
    'disable_usage_report = on',
    'enable_ban = on',
    'enable_ban_ipv6 = off',
    'process_incoming_traffic = on',
    'process_outgoing_traffic = on',
    'ban_details_records_count = 20',
    'ban_time = 1900',
    'unban_only_if_attack_finished = on',
    `networks_list_path = ${join(folder, 'networks')}`,
    `white_list_path = ${join(folder, 'whitelist')}`,
    'enable_connection_tracking = on',
    'ban_for_pps = on',
    'ban_for_bandwidth = on',
    'threshold_pps = 20000',
    'threshold_mbps = 1000',
    'average_calculation_time = 2',
    'speed_calculation_delay = 1',
    'check_period = 1',
    'mirror_afpacket = off',
    'monitor_local_ip_addresses = off',
    'netflow = on',
    `netflow_host = ${netflow.host}`,
    `netflow_port = ${netflow.port}`,
    'netflow_sampling_ratio = 1',
    `notify_script_path = ${join(folder, 'notify')}`,
    'enable_api = off',
    'prometheus = off',
    `pid_path = ${join(folder, 'fastnetmon.pid')}`,
    `cli_stats_file_path = ${join(folder, 'fastnetmon.dat')}`,
    `cli_stats_ipv6_file_path = ${join(folder, 'fastnetmon6.dat')}`,
    '',
  ].join('\n');
}

describe('FastNetMon sees an attack and a rule stands in a router', { skip }, () => {
  const ours = ownAddress();
  let router: AnyDaemon;
  let prefixd: Prefixd;
  let detector: Running | undefined;
  let stopFlows = (): void => {};

  before(async () => {
    const address = ownAddress();
    router = await startDaemon('bird', {
      asn: 65002,
      routerId: '10.0.0.2',
      address,
      port: await freePort(address),
      peers: [{ address: ours, asn: 65010, families: ['ipv4-flowspec'] }],
    });
    const settings = [
      'pop: test1',
      'bgp:',
      '  local_asn: 65010',
      '  router_id: "192.0.2.10"',
      '  neighbors:',
      `    - { name: bird, address: "${address}", port: ${router.config.port}, local_address: "${ours}", peer_asn: 65002, families: [ipv4-flowspec] }`,
      '',
    ].join('\n');
    prefixd = await Prefixd.start(settings, { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS });
    await until('the session is established', () => router.established(ours));
  });
  after(async () => {
    stopFlows();
    await detector?.stop();
    await prefixd?.end();
    await router?.stop('SIGKILL');
  });

  it('from NetFlow to the rule, through the notify script', async () => {
    const { folder } = prefixd;
    const netflow = { host: ownAddress(), port: 0 };
    netflow.port = await freePort(netflow.host);
    await writeFile(join(folder, 'networks'), '203.0.113.0/24\n');
    await writeFile(join(folder, 'whitelist'), '');
    const settings = {
      ...prefixd.clientEnvironment,
      PREFIXD_NOTIFY_SPOOL: join(folder, 'spool'),
      PREFIXD_NOTIFY_CONF: '/nonexistent',
    };
    const environment = Object.entries(settings).map(([name, value]) => `${name}='${value}'`);
    const calls = join(folder, 'calls');
    await writeFile(
      join(folder, 'notify'),
      [
        '#!/bin/sh',
        `echo "$@" >>'${calls}'`,
        `exec env ${environment.join(' ')} '${packaged('fastnetmon/prefixd-notify.sh')}' "$@" >>'${calls}' 2>&1`,
        '',
      ].join('\n'),
    );
    await chmod(join(folder, 'notify'), 0o755);
    const conf = join(folder, 'fastnetmon.conf');
    await writeFile(conf, fastnetmonConf(folder, netflow));
    detector = start(findProgram('fastnetmon') ?? 'fastnetmon', [
      ...['--configuration_file', conf, '--log_to_console', '--disable_pid_logic'],
    ]);
    stopFlows = sendFlood(netflow);

    const explain = async (error: Error): Promise<never> => {
      const said = await readFile(calls, 'utf8').catch(() => 'the notify script was not called');
      throw new Error(
        [error.message, said, detector?.log().slice(-3000), prefixd.log().slice(-3000)].join('\n---\n'),
      );
    };
    const table = await until('the rule stands in bird', async () => {
      if (detector?.ended === true) throw new Error('fastnetmon ended');
      const rules = await router.rules('ipv4-flowspec');
      return rules.length > 0 && rules;
    }).catch(explain);
    assert.equal(table.length, 1);
    const [dst, protocol] = table[0]?.components ?? [];
    assert.deepEqual(dst, { type: 1, prefix: `${VICTIM}/32` });
    assert.deepEqual(protocol, { type: 3, ops: [eq(17)] });
    assert.equal(table[0]?.rate, 1_000_000, '8 Mbit/s in bytes a second');

    const { body } = await prefixd.call('GET', '/v1/mitigations');
    assert.ok(Array.isArray(body.mitigations) && body.mitigations.length === 1, JSON.stringify(body));
    const [mitigation] = body.mitigations;
    assert.equal(mitigation.victim_ip, VICTIM);
    assert.equal(mitigation.vector, 'udp_flood');
    assert.match(await readFile(calls, 'utf8'), /^203\.0\.113\.10 incoming \d+ ban$/m);
  });
});

/** 300,000 packets a second of UDP to the victim's port 53, from 200 sources, until the function it returns is called. */
function sendFlood(to: { readonly host: string; readonly port: number }): () => void {
  const socket = createSocket('udp4');
  const flows = 20;
  let sequence = 0;
  const began = performance.now();
  const timer = setInterval(() => {
    const records = Array.from({ length: flows }, (_, i) => ({
      src: `198.51.100.${1 + ((sequence + i) % 200)}`,
      dst: VICTIM,
      srcPort: 1024 + ((sequence + i) % 60_000),
      dstPort: 53,
      protocol: 17,
      packets: 30_000 / flows,
      octets: (30_000 / flows) * 500,
    }));
    const uptime = Math.round(performance.now() - began) + 10_000;
    socket.send(netflowV5(records, { sequence, uptime, now: Date.now() }), to.port, to.host);
    sequence += flows;
  }, 100);
  return () => {
    clearInterval(timer);
    socket.close();
  };
}
