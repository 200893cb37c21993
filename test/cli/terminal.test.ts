/** Every view on a real pseudo-terminal of 80 and of 120 columns. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';
import { folder, INVENTORY, PLAYBOOKS, SHORTEST } from '../config/folder.ts';
import { fakeApi, type Recorded, type Reply } from './harness.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ESC = '\u001b';

const VICTIM = '2001:db8:acd:1234:5678:9abc:def0:1234';
const RATE = 'police at 12.35 Gbit/s';
const ID = '3f2a9c1b-4f50-4617-8293-a4b5c6d7e8f9';
const RULE = `match dst ${VICTIM}/128 proto udp src-port 53 123 389 1900 11211 then rate-limit 12345mbps mark 0`;
const CAUSE =
  'peer is AS 65002 but peer_asn says 65012, and its router id 192.0.2.200 is that of edge-router-2';
const LATER = '2099-01-01T00:00:00.000Z';

const MITIGATION = {
  mitigation_id: ID,
  status: 'escalated',
  customer_id: 'a-customer-with-quite-a-long-name',
  service_id: 'dns-resolvers',
  victim_ip: VICTIM,
  vector: 'memcached_amplification',
  action_type: 'police',
  rate_bps: 12_345_000_000,
  rule: RULE,
  rules: [
    { neighbor: 'edge-router-1.frankfurt', rule: RULE, state: 'sent', nlri_hex: '07' },
    {
      neighbor: 'edge-router-2',
      rule: RULE,
      state: 'unsupported',
      why: 'the dialect has no rate for IPv6 rules',
    },
  ],
  enforcement: { sent: 1, pending: 0, unsupported: 1, over_budget: 0 },
  created_at: '2026-11-27T21:00:00.000Z',
  updated_at: '2026-11-27T21:05:00.000Z',
  expires_at: LATER,
  held_by: ['fastnetmon (3 alerts)'],
  holds: [
    {
      source: 'fastnetmon',
      alert_id: 'f3b1a2c4-an-alert-of-a-detector',
      vector: 'memcached_amplification',
      victim_ip: VICTIM,
      reported_at: '2026-11-27T21:05:00.000Z',
      hold: 'until_released',
    },
  ],
  why: [
    `customer a-customer-with-quite-a-long-name by prefix 2001:db8:acd::/48, and service dns-resolvers by ${VICTIM}`,
    'escalated to step 2 (discard) because confidence 0.9 >= 0.7, and the attack has lasted 130 s (>= 120 s)',
  ],
  ending: false,
  history: [
    {
      at: '2026-11-27T21:00:00.000Z',
      text: 'created: police at 12.35 Gbit/s, until 2026-11-27T21:02:00.000Z; fastnetmon reported memcached_amplification: 47.2 Gbit/s, 11804000 packets/s, confidence 0.9',
      why: [
        `customer a-customer-with-quite-a-long-name by prefix 2001:db8:acd::/48, and service dns by ${VICTIM}`,
      ],
    },
    {
      at: '2026-11-27T21:05:00.000Z',
      text: 'extended until 2099-01-01T00:00:00.000Z; fastnetmon reported memcached_amplification: 40 Gbit/s',
      why: [],
    },
  ],
  history_omitted: {
    text: '37 earlier reports not shown (2026-11-27T21:00:01.000Z to 2026-11-27T21:04:00.000Z; reports of at most 50 Gbit/s and 12000000 packets/s); see the audit log',
  },
};

const PEERS = [
  {
    name: 'edge-router-1.frankfurt',
    address: '2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa',
    peer_asn: 4_200_000_001,
    state: 'established',
    enabled: true,
    uptime_seconds: 1_234_567,
    rules_sent: 1,
    last_error: null,
  },
  {
    name: 'edge-router-2',
    address: '192.0.2.1',
    peer_asn: 65_012,
    state: 'active',
    enabled: true,
    uptime_seconds: null,
    rules_sent: 0,
    last_error: CAUSE,
    last_cause: {
      text: CAUSE,
      first_at: '2026-11-27T21:00:00.000Z',
      last_at: '2026-11-27T21:05:00.000Z',
      count: 12,
      symptom: 'peer reset the connection',
    },
  },
];

const HEALTH = {
  status: 'degraded',
  version: '0.2.0',
  uptime_seconds: 1_234_567,
  pop: 'fra1',
  mode: 'enforced',
  mitigations: { live: 1 },
  journal: { seq: 123_456_789 },
  reasons: [
    {
      code: 'neighbor_down',
      text: `neighbor edge-router-2 (192.0.2.1) has no session: ${CAUSE}`,
      since: '2026-11-27T21:00:00.000Z',
    },
  ],
};

const EVENT = {
  event_id: ID,
  received_at: '2026-11-27T21:00:00.000Z',
  source: 'fastnetmon-frankfurt-1',
  action: 'ban',
  victim_ip: VICTIM,
  vector: 'memcached_amplification',
  bps: 12_345_000_000,
  status: 'accepted_no_mitigation',
  reason: 'quota_exceeded',
  mitigation_id: ID,
};

const ENTRY = {
  seq: 1,
  time: '2026-11-27T21:00:00.000Z',
  action: 'mitigation.withdrawn',
  actor: { kind: 'operator', name: 'alice.van.der.berg', via: null },
  target: { type: 'mitigation', id: ID },
  reason:
    'false positive: the customer says that this is the nightly backup of all of their sites, ticket 4711',
};

function answer({ method, path }: Recorded): Reply | undefined {
  const ok = (body: unknown): Reply => ({ status: 200, body });
  const route = `${method} ${path.replace(/\?.*/, '')}`;
  const why = { ...EVENT, status: 'accepted', why: MITIGATION.why };
  const answers: Readonly<Record<string, unknown>> = {
    'GET /v1/health/detail': HEALTH,
    'GET /v1/peers': PEERS,
    'POST /v1/peers/edge-router-2/clear': PEERS[1],
    'GET /v1/rib': {
      'edge-router-1.frankfurt': [{ rule: RULE, sent_at: EVENT.received_at, mitigation_id: ID }],
    },
    'GET /v1/mitigations': { mitigations: [MITIGATION], next_cursor: 'bmV4dA' },
    [`GET /v1/mitigations/${ID}`]: MITIGATION,
    'POST /v1/mitigations': MITIGATION,
    [`POST /v1/mitigations/${ID}/withdraw`]: { ...MITIGATION, ending: true },
    'GET /v1/safelist': [
      {
        prefix: '2001:db8:acd:1234:5678:9abc::/96',
        added_by: 'alice.van.der.berg',
        added_at: LATER,
        reason: ENTRY.reason,
      },
    ],
    'POST /v1/safelist': { prefix: '2001:db8:acd:1234:5678:9abc::/96', withdrawn: [ID] },
    'GET /v1/events': { events: [EVENT], next_cursor: null },
    'POST /v1/events': why,
    'GET /v1/audit': { entries: [ENTRY] },
    'POST /v1/control/pause': {},
    'POST /v1/config/reload': {
      summary: '1 customer, 13 playbooks, 2 neighbors; nothing changes at once',
      warnings: [CAUSE],
    },
  };
  return answers[route] === undefined ? undefined : ok(answers[route]);
}

const HELP = [
  ...[
    '',
    'run',
    'demo',
    'check',
    'status',
    'peers',
    'peers list',
    'peers disable',
    'peers clear',
    'rib',
    'mitigations',
  ],
  ...[
    'mitigations list',
    'mitigations get',
    'withdraw',
    'mitigate',
    'safelist',
    'safelist add',
    'events',
    'events send',
  ],
  ...[
    'events list',
    'audit',
    'pause',
    'reload',
    'notify',
    'notify fastnetmon',
    'simulate',
    'flowspec',
    'flowspec encode',
  ],
  ...['pcap', 'journal verify', 'migrate', 'completion'],
].map((path) => [...path.split(' ').filter(Boolean), '--help']);

const OPERATE = ['--operator', 'ana'];

/** Command lines, the texts that must be shown in full, and the exit code. */
const VIEWS: readonly (readonly [argv: readonly string[], whole: readonly string[], code: number])[] = [
  [['status'], ['degraded', 'edge-router-1.frankfurt'], 0],
  [['peers'], ['edge-router-2', 'established'], 0],
  [['peers', 'clear', 'edge-router-2', ...OPERATE], ['edge-router-2'], 0],
  [['rib'], [], 0],
  [['mitigations'], [VICTIM, RATE, ID.slice(0, 8)], 0],
  [['mitigations', 'list', '--wide'], [VICTIM, RATE], 0],
  [['mitigations', 'get', ID], [VICTIM, RATE, ID], 0],
  [
    ['mitigate', VICTIM, '--action', 'police', '--rate', '1gbps', '--ttl', '60', '--reason', 'r', ...OPERATE],
    [VICTIM, RATE],
    0,
  ],
  [['withdraw', ID, '--reason', 'r', ...OPERATE], [ID], 0],
  [['safelist'], ['2001:db8:acd:1234:5678:9abc::/96'], 0],
  [
    ['safelist', 'add', '2001:db8:acd:1234:5678:9abc::/96', '--reason', 'r', ...OPERATE],
    ['2001:db8:acd:1234:5678:9abc::/96'],
    0,
  ],
  [['events'], [VICTIM], 0],
  [['events', 'send', '--victim', VICTIM, '--vector', 'udp_flood'], [ID], 0],
  [['audit'], [ID.slice(0, 8), 'mitigation.withdrawn'], 0],
  [['pause', '--reason', 'r', ...OPERATE], [], 0],
  [['reload', ...OPERATE], [], 0],
  [['check', '--config', 'GOOD'], ['OK: 1 customer'], 0],
  [['check', '--config', 'BAD'], ['unknown key "quota"'], 5],
  [['simulate', 'EVENTS', '--config', 'GOOD', '--why'], ['203.0.113.10', '5 Mbit/s'], 0],
  [['mitigate'], ['--reason <text>'], 5],
  [['mitigations', 'get', 'unknown'], [], 4],
  ...HELP.map((argv) => [argv, ['Usage: prefixd'], 0] as const),
];

const skip = missingProgram('script', 'bsdutils') || missingProgram('stty', 'coreutils');

/** Returns the output of each command line on a terminal of this width, with its exit code. */
async function onTerminal(
  columns: number,
  commands: readonly (readonly string[])[],
  env: Readonly<Record<string, string>>,
): Promise<readonly { readonly text: string; readonly code: number }[]> {
  const argv = JSON.stringify(commands).replaceAll("'", "'\\''");
  const driver = `'${process.execPath}' --import tsx test/cli/terminal-driver.ts '${argv}'`;
  const shell = ['-qec', `stty cols ${columns} rows 50; exec ${driver}`, '/dev/null'];
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      findProgram('script') ?? 'script',
      shell,
      { cwd: ROOT, env: { PATH: process.env.PATH, TERM: 'xterm', USER: 'ana', ...env }, maxBuffer: 1 << 26 },
      (error, stdout) =>
        error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}`)),
    );
    child.stdin?.end();
  });
  const parts = output.replaceAll('\r\n', '\n').split(/\0(\d+)\n/);
  return commands.map((_, i) => ({ text: parts[2 * i] ?? '', code: Number(parts[2 * i + 1]) }));
}

for (const columns of [80, 120]) {
  describe(`on a terminal of ${columns} columns`, { skip }, () => {
    let shown: readonly { readonly text: string; readonly code: number }[] = [];

    it('every view fits', async (t) => {
      const api = await fakeApi(t, answer);
      const files = { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS };
      const good = await folder(t, { ...files, 'prefixd.yaml': SHORTEST });
      const bad = await folder(t, { ...files, 'prefixd.yaml': `${SHORTEST}mode: on\nquota: {}\n` });
      const events = await folder(t, {
        'events.jsonl': '{"source":"fnm","victim_ip":"203.0.113.10","vector":"udp_flood","confidence":0.9}\n',
      });
      const paths: Readonly<Record<string, string>> = {
        GOOD: good,
        BAD: bad,
        EVENTS: join(events, 'events.jsonl'),
      };
      const commands = VIEWS.map(([argv]) => argv.map((word) => paths[word] ?? word));
      shown = await onTerminal(columns, commands, { PREFIXD_API: api.url });
      const faults: string[] = [];
      for (const [i, [argv, whole, code]] of VIEWS.entries()) {
        const one = shown[i];
        const name = `prefixd ${argv.join(' ')}`;
        const plain = (one?.text ?? '').replaceAll(new RegExp(`${ESC}\\[[0-9;]*m`, 'g'), '');
        if (one?.code !== code) faults.push(`${name} ended with ${one?.code}: ${plain}`);
        if (/\[\d+m/.test(plain)) faults.push(`${name}: an escape sequence without its escape character`);
        if (/[^\n\P{Cc}]/u.test(plain)) faults.push(`${name}: a control character: ${JSON.stringify(plain)}`);
        for (const text of whole)
          if (!plain.includes(text)) faults.push(`${name}: ${text} is not whole\n${plain}`);
        for (const line of plain.split('\n')) {
          const words = line.trim().split(' ');
          if ([...line].length > columns && words.length > 1)
            faults.push(`${name}: ${[...line].length} columns: ${line}`);
        }
      }
      assert.deepEqual(faults, []);
    });

    it('states are painted', () => {
      assert.ok(shown[0]?.text.includes(`${ESC}[31mdegraded${ESC}[39m`), JSON.stringify(shown[0]?.text));
    });
  });
}
