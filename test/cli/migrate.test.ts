import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { folder, INVENTORY, PLAYBOOKS } from '../config/folder.ts';
import { cli } from './harness.ts';

const UPSTREAM = `pop: iad1
http: { listen: "127.0.0.1:8080", auth: { mode: none } }
bgp: { mode: sidecar, gobgp_grpc: "gobgp:50051", local_asn: 65010, router_id: "10.10.0.10", neighbors: [] }
guardrails: { require_ttl: true, allow_tcp_flags_match: false }
quotas: { max_announcements_per_peer: 100 }
storage: { driver: postgres, path: "postgres://prefixd:hunter22@db/prefixd" }
observability: { log_format: pretty, audit_log_path: ./data/audit.jsonl, metrics_listen: "127.0.0.1:9090" }
`;
const FILES = { 'prefixd.yaml': UPSTREAM, 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS };

test('migrate says what becomes of each key and writes nothing', async (t) => {
  const path = await folder(t, FILES);
  const { code, stdout } = await cli(['migrate', path]);
  assert.equal(code, 1, 'the routers have to be named by hand');
  assert.match(stdout, /^ {2}dropped {2}bgp\.gobgp_grpc: /m);
  assert.match(stdout, /^ {2}added {4}mode: dry-run/m);
  assert.match(stdout, /^playbooks\.yaml: loads unchanged\.$/m);
  assert.match(stdout, /Nothing was written/);
  assert.doesNotMatch(stdout, /hunter22/);
  assert.deepEqual((await readdir(path)).sort(), Object.keys(FILES).sort());
});

test('what it writes loads, in dry-run, with inventory and playbooks as they were', async (t) => {
  const path = await folder(t, FILES);
  const output = join(path, 'new');
  assert.equal((await cli(['migrate', path, '--output', output])).code, 1);
  const result = await loadConfig(output, {});
  assert.ok(result.ok, JSON.stringify(result));
  assert.equal(result.config.policy.mode, 'dry-run');
  assert.equal(await readFile(join(output, 'playbooks.yaml'), 'utf8'), PLAYBOOKS);
  assert.doesNotMatch(await readFile(join(output, 'prefixd.yaml'), 'utf8'), /hunter22/);
  const again = await cli(['migrate', path, '--output', output]);
  assert.equal(again.code, 5);
  assert.match(again.stderr, /already contains prefixd\.yaml, /);
});

test('what cannot be carried over is left to be done by hand, and named', async (t) => {
  const path = await folder(t, { ...FILES, 'prefixd.yaml': `${UPSTREAM}frobnicate: 1\n` });
  const { code, stdout } = await cli(['-f', 'json', 'migrate', path]);
  assert.equal(code, 1);
  const report = JSON.parse(stdout);
  assert.deepEqual(
    report.problems.map((one: { path: string }) => one.path),
    ['frobnicate'],
  );
});

test('a folder without settings is not found', async (t) => {
  const { code, stderr } = await cli(['migrate', await folder(t, {})]);
  assert.equal(code, 4);
  assert.match(stderr, /no prefixd\.yaml in /);
});

const GOBGP = `[[neighbors]] # edge
  [neighbors.config]
    neighbor-address = "192.0.2.1"
    peer-as = 65001
    auth-password = "hunter22"
`;

const ALERTING = `destinations:
  - { type: slack, webhook_url: "https://hooks.slack.com/services/T000/B000/xxxxhush", channel: "#ddos" }
  - { type: pagerduty, routing_key: "0123456789hush" }
  - type: generic
    url: "https://alerts.example/hook/pathhush"
    secret: "hmachush"
    headers: { Authorization: "Bearer headerhush" }
  - { type: telegram, bot_token: "123:bothush", chat_id: "-1" }
  - { type: discord, webhook_url: "https://discord.com/api/webhooks/1/dischush", events: [config.reloaded] }
  - { type: teams, webhook_url: "https://x.webhook.office.com/hush" }
  - { type: opsgenie, api_key: opshush, region: eu }
  - { type: pagerduty, routing_key: eupdhush, events_url: "https://events.eu.pagerduty.com/v2/enqueue" }
  - { type: pager, key: pagerhush }
events: [mitigation.created, guardrail.rejected, config.reloaded]
`;

/** Everything that a migration writes or says. */
async function everything(path: string): Promise<string> {
  const output = join(path, 'new');
  const table = await cli(['migrate', path, '--output', output]);
  const report = await cli(['-f', 'json', 'migrate', path]);
  const written = await Promise.all(
    (await readdir(output)).map((name) => readFile(join(output, name), 'utf8')),
  );
  return [table.stdout, table.stderr, report.stdout, report.stderr, ...written].join('\n');
}

test('with nothing left to do it exits 0, and what it wrote passes check', async (t) => {
  const path = await folder(t, { ...FILES, 'gobgp.conf': GOBGP });
  const output = join(path, 'new');
  const before = await cli(['migrate', path]);
  assert.equal(before.code, 1);
  assert.match(before.stdout, /^ {2}set the environment variable ROUTER1_MD5 \(for bgp\.neighbors\[0\]\)$/m);
  assert.match(before.stderr, /1 manual step is left/);
  const environment = { ROUTER1_MD5: 'hunter22' };
  const { code, stdout } = await cli(['migrate', path, '--output', output], { env: environment });
  assert.equal(code, 0, stdout);
  assert.doesNotMatch(stdout, /To do by hand/);
  assert.equal((await cli(['check', '--config', output], { env: environment })).code, 0);
});

test('alerting is translated, its secrets become variables, and what has no like here is named', async (t) => {
  const path = await folder(t, { ...FILES, 'gobgp.conf': GOBGP, 'alerting.yaml': ALERTING });
  const output = join(path, 'new');
  const { code, stdout } = await cli(['migrate', path, '--output', output]);
  assert.equal(code, 1);
  assert.match(
    stdout,
    /^ {2}set the environment variable PREFIXD_SLACK_URL \(for alerting\.destinations\[0\]\.webhook_url\)$/m,
  );
  assert.match(stdout, /^ {2}alerting\.destinations\[2\]\.headers: /m);
  assert.match(stdout, /^ {2}alerting\.destinations\[5\]\.webhook_url: Microsoft has ended connectors/m);
  assert.match(
    stdout,
    /^ {2}alerting\.destinations\[8\]: pager destination is not supported; use slack, discord/m,
  );
  const environment = {
    ROUTER1_MD5: 'hunter22',
    PREFIXD_SLACK_URL: 'https://hooks.slack.com/services/a',
    PREFIXD_PAGERDUTY_KEY: 'key',
    PREFIXD_WEBHOOK_URL: 'https://alerts.example/hook/b',
    PREFIXD_WEBHOOK_SECRET: 'secret',
    PREFIXD_TELEGRAM_TOKEN: '123:token',
    PREFIXD_DISCORD_URL: 'https://discord.com/api/webhooks/1/t',
    PREFIXD_TEAMS_URL: 'https://x.api.powerplatform.com/workflows/y',
    PREFIXD_OPSGENIE_KEY: 'opskey',
    PREFIXD_PAGERDUTY_2_KEY: 'eukey',
  };
  const result = await loadConfig(output, environment);
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(result.config.alerting.destinations, [
    { type: 'slack', webhookUrl: 'https://hooks.slack.com/services/a' },
    { type: 'pagerduty', routingKey: 'key' },
    { type: 'webhook', url: 'https://alerts.example/hook/b', secret: 'secret' },
    { type: 'telegram', botToken: '123:token', chatId: '-1' },
    { type: 'discord', webhookUrl: 'https://discord.com/api/webhooks/1/t', events: ['policy.loaded'] },
    { type: 'teams', webhookUrl: 'https://x.api.powerplatform.com/workflows/y' },
    { type: 'opsgenie', apiKey: 'opskey', region: 'eu' },
    { type: 'pagerduty', routingKey: 'eukey', region: 'eu' },
  ]);
  assert.deepEqual(result.config.alerting.events, [
    'mitigation.created',
    'mitigation.rejected',
    'policy.loaded',
  ]);
});

test('no secret is carried into anything that is written or said', async (t) => {
  const settings = `${UPSTREAM.replace(
    'auth: { mode: none }',
    'auth: { mode: bearer, bearer_token_env: "tok-tokenhush", bearer_token: plainhush, ldap: { url: "ldaps://u:ldaphush@ldap", bind_password: bindhush } }',
  )
    .replace('postgres://prefixd:hunter22@db/prefixd', 'postgres://prefixd:dbhush@db/prefixd')
    .replace('audit_log_path: ./data/audit.jsonl', 'audit_log_path: "s3://key:loghush@host/audit"')
    .replace(
      'neighbors: []',
      'neighbors: [{ name: edge1, address: "192.0.2.9", peer_asn: 65001, password: neighborhush, password_env: "md5 envhush" }]',
    )}
x-secret: &x { api_key: extensionhush }
frobnicate: { token: unknownhush, <<: *x }
`;
  const path = await folder(t, {
    ...FILES,
    'prefixd.yaml': settings,
    'gobgp.conf': GOBGP.replace('hunter22', 'gobgphush'),
    'alerting.yaml': ALERTING,
    'correlation.yaml': 'webhook_adapters: [{ name: radware, auth: { type: hmac, secret: adapterhush } }]\n',
  });
  const all = await everything(path);
  assert.doesNotMatch(all, /hush/);
  assert.match(all, /frobnicate: neither upstream nor this prefixd has this key/);
  assert.match(all, /correlation\.webhook_adapters: adapters are not supported/);
  assert.match(all, /bearer_token_env/);
});

test('only files that load are said to load unchanged', async (t) => {
  const inventory = `${INVENTORY}    contact: noc@example.net\n`;
  const path = await folder(t, { ...FILES, 'inventory.yaml': inventory, 'gobgp.conf': GOBGP });
  const { code, stdout } = await cli(['migrate', path]);
  assert.equal(code, 1);
  assert.doesNotMatch(stdout, /inventory\.yaml: loads unchanged/);
  assert.match(stdout, /inventory\.yaml customers\[0\]\.contact: unknown key/);
  assert.match(stdout, /^playbooks\.yaml: loads unchanged\.$/m);
});

test('files that are missing are left to be done', async (t) => {
  const { code, stdout } = await cli(['migrate', await folder(t, { 'prefixd.yaml': UPSTREAM })]);
  assert.equal(code, 1);
  assert.match(stdout, /^ {2}inventory\.yaml: file not found/m);
  assert.match(stdout, /^ {2}playbooks\.yaml: file not found/m);
});

test('a secret that upstream took from the environment, too, is named, and no work that is left', async (t) => {
  const settings = UPSTREAM.replace('mode: none', 'mode: bearer, bearer_token_env: PREFIXD_API_TOKEN');
  const path = await folder(t, { ...FILES, 'prefixd.yaml': settings });
  const { stdout } = await cli(['-f', 'json', 'migrate', path]);
  const { todo, warnings } = JSON.parse(stdout);
  assert.match(JSON.stringify(warnings), /http\.auth\.bearer_token_env.*PREFIXD_API_TOKEN is not set/);
  assert.doesNotMatch(JSON.stringify(todo), /PREFIXD_API_TOKEN/);
});
