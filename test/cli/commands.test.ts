import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cli, fakeApi, type Recorded, type Reply } from './harness.ts';

const ID = '0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9';

const ESC = String.fromCharCode(27);

const PEER = {
  name: 'edge1',
  address: '192.0.2.1:179',
  peer_asn: 65001,
  state: 'established',
  enabled: true,
  uptime_seconds: 125,
  rules_sent: 3,
  last_error: null,
};

const MITIGATION = {
  mitigation_id: ID,
  status: 'active',
  customer_id: 'acme',
  service_id: 'dns',
  victim_ip: '203.0.113.10',
  vector: 'udp_flood',
  action_type: 'police',
  rate_bps: 5_000_000,
  rule: 'match dst 203.0.113.10/32 proto udp then rate-limit 5mbps',
  rules: [{ neighbor: 'edge1', rule: 'match dst 203.0.113.10/32', nlri_hex: '0701', state: 'sent' }],
  expires_at: '2099-01-01T00:00:00.000Z',
  why: ['customer acme by prefix 203.0.113.0/24', 'playbook udp_flood_police_first'],
  ending: false,
};

test('peers say who disabled a neighbor and why', async (t) => {
  const disabled = { by: 'kim', at: '2026-01-02T03:04:05.000Z', reason: 'line card' };
  const down = { ...PEER, state: 'idle', enabled: false, last_error: 'x' };
  const api = await fakeApi(t, {
    'GET /v1/peers': {
      status: 200,
      body: [
        { ...down, disabled },
        { ...down, disabled: null },
      ],
    },
  });
  const { stdout } = await cli(['peers', '--api', api.url], { columns: 160 });
  assert.match(stdout, /disabled by kim at 2026-01-02T03:04:05\.000Z: line card/);
  assert.match(stdout, /disabled in the configuration/);
});

test('peers are a table, the same as peers list', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 200, body: [PEER] } });
  const short = await cli(['peers', '--api', api.url]);
  assert.equal(
    short.stdout,
    'NAME   ADDRESS           AS  STATE           UP  RULES  LAST ERROR\nedge1  192.0.2.1:179  65001  established  2m05s      3\n',
  );
  assert.deepEqual(await cli(['peers', 'list', '--api', api.url]), short);
});

test('on a terminal the state has a colour, and NO_COLOR takes it away', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 200, body: [PEER] } });
  assert.ok(
    (await cli(['peers', '--api', api.url], { columns: 100 })).stdout.includes(`${ESC}[32mestablished`),
  );
  const plain = await cli(['peers', '--api', api.url], { columns: 100, env: { NO_COLOR: '1' } });
  assert.ok(!plain.stdout.includes(ESC));
});

test('a neighbor is enabled, disabled and cleared by name', async (t) => {
  const api = await fakeApi(t, () => ({ status: 200, body: PEER }));
  await cli(['peers', 'disable', 'edge/1', '--reason', 'maintenance', '--api', api.url]);
  await cli(['peers', 'enable', 'edge1', '--operator', 'bo', '--api', api.url]);
  await cli(['peers', 'clear', 'edge1', '--api', api.url]);
  await cli(['peers', 'clear', 'edge1', '--hard', '--api', api.url]);
  assert.deepEqual(
    api.requests.map(({ method, path, body }) => [method, path, body]),
    [
      ['POST', '/v1/peers/edge%2F1/disable', { operator_id: 'ana', reason: 'maintenance' }],
      ['POST', '/v1/peers/edge1/enable', { operator_id: 'bo' }],
      ['POST', '/v1/peers/edge1/clear', { operator_id: 'ana', mode: 'soft' }],
      ['POST', '/v1/peers/edge1/clear', { operator_id: 'ana', mode: 'hard' }],
    ],
  );
});

test('mitigations are filtered by the daemon, and a table fits 80 columns', async (t) => {
  const path = '/v1/mitigations?status=active%2Cescalated&customer_id=acme&limit=5';
  const inAMinute = new Date(Date.now() + 95_000).toISOString();
  const mitigations = [
    { ...MITIGATION, expires_at: inAMinute },
    {
      ...MITIGATION,
      status: 'escalated',
      victim_ip: '2001:db8:acd:1234:5678:9abc:def0:1234',
      action_type: 'discard',
    },
  ];
  const api = await fakeApi(t, {
    [`GET ${path}`]: { status: 200, body: { mitigations, next_cursor: 'n1' } },
  });
  const argv = ['mitigations', 'list', '--status', 'active,escalated', '--customer', 'acme', '--limit', '5'];
  const narrow = await cli([...argv, '--api', api.url], { columns: 80, env: { NO_COLOR: '1' } });
  assert.equal(narrow.code, 0);
  assert.match(narrow.stdout, new RegExp(`^${ID.slice(0, 8)} {2}active {5}203\\.0\\.113\\.10 `, 'm'));
  assert.ok(
    narrow.stdout.split('\n').every((line) => line.length <= 80),
    narrow.stdout,
  );
  assert.match(narrow.stderr, /More mitigations: --cursor n1/);
  const wide = await cli([...argv, '--api', api.url]);
  assert.match(
    wide.stdout,
    /active +203\.0\.113\.10 +police at 5 Mbit\/s +1m3\ds +udp_flood +acme +match dst/,
  );
});

test('a mitigation that some neighbor does not enforce is marked, even in a narrow terminal', async (t) => {
  const enforcement = { sent: 1, pending: 0, unsupported: 0, over_budget: 2 };
  const mitigations = [
    { ...MITIGATION, enforcement },
    { ...MITIGATION, status: 'escalated', enforcement: { ...enforcement, over_budget: 0 } },
  ];
  const body = { mitigations, next_cursor: null };
  const api = await fakeApi(t, { 'GET /v1/mitigations': { status: 200, body } });
  const narrow = await cli(['mitigations', '--api', api.url], { columns: 80, env: { NO_COLOR: '1' } });
  assert.match(narrow.stdout, new RegExp(`^${ID.slice(0, 8)} {2}active ! `, 'm'));
  assert.match(narrow.stdout, new RegExp(`^${ID.slice(0, 8)} {2}escalated {2}`, 'm'));
  assert.match(
    narrow.stderr,
    /^!: not enforced on every neighbor; for the reason: prefixd mitigations get ID$/m,
  );
  const wide = await cli(['mitigations', '--api', api.url]);
  assert.match(wide.stdout, /1 sent, 2 over_budget$/m);
});

test('one mitigation is shown with its rules and its reasons', async (t) => {
  const api = await fakeApi(t, { [`GET /v1/mitigations/${ID}`]: { status: 200, body: MITIGATION } });
  const { stdout } = await cli(['mitigations', 'get', ID, '--api', api.url]);
  assert.match(stdout, /^customer +acme \/ dns$/m);
  assert.match(stdout, /^edge1 +sent +match dst 203\.0\.113\.10\/32$/m);
  assert.match(stdout, /^ {2}- playbook udp_flood_police_first$/m);
  const unknown = await cli(['mitigations', 'get', 'x/y', '--api', api.url]);
  assert.equal(unknown.code, 4);
  assert.equal(api.requests.at(-1)?.path, '/v1/mitigations/x%2Fy');
});

test('the life of a mitigation is told with times, each reason once, and what is left out where it was', async (t) => {
  const entry = (at: string, text: string, why: readonly string[]) => ({ at, text, why });
  const body = {
    ...MITIGATION,
    status: 'withdrawn',
    end: { to: 'withdrawn', at: 'T4', by: { kind: 'operator', name: 'kim' }, reason: 'backup' },
    history: [
      entry('T1', 'created: police at 5 Mbit/s', ['customer acme', 'playbook udp']),
      entry('T3', 'extended; fnm reported udp_flood', ['customer acme', 'step 2 waits']),
      entry('T4', 'withdrawn by kim: backup', []),
    ],
    history_omitted: { text: '37 earlier reports not shown' },
  };
  const api = await fakeApi(t, { [`GET /v1/mitigations/${ID}`]: { status: 200, body } });
  const { stdout } = await cli(['mitigations', 'get', ID, '--api', api.url]);
  const [head = '', history] = stdout.split('\nhistory\n');
  assert.match(head, /^end +withdrawn by kim at T4: backup$/m);
  assert.doesNotMatch(head, /expires/);
  assert.equal(
    history,
    [
      'T1  created: police at 5 Mbit/s',
      '  - customer acme',
      '  - playbook udp',
      '... 37 earlier reports not shown',
      'T3  extended; fnm reported udp_flood',
      '  - step 2 waits',
      'T4  withdrawn by kim: backup',
      '',
    ].join('\n'),
  );
});

test('withdraw needs one mitigation or --all, and a reason', async (t) => {
  const api = await fakeApi(t, {
    [`POST /v1/mitigations/${ID}/withdraw`]: { status: 200, body: { ...MITIGATION, ending: true } },
  });
  assert.equal((await cli(['withdraw', ID, '--api', api.url])).code, 5);
  assert.equal((await cli(['withdraw', '--reason', 'x', '--api', api.url])).code, 5);
  assert.equal((await cli(['withdraw', ID, '--all', '--reason', 'x', '--api', api.url])).code, 5);
  assert.equal(api.requests.length, 0, 'nothing is asked of the daemon before the command is complete');
  const done = await cli(['withdraw', ID, '--reason', 'false positive', '--api', api.url]);
  assert.equal(done.stdout, `${ID} is being withdrawn.\n`);
  assert.deepEqual(api.requests[0]?.body, { operator_id: 'ana', reason: 'false positive' });
});

test('what is in effect and not recorded is said as a warning, and in JSON by the answer', async (t) => {
  const body = { ...MITIGATION, ending: true, recorded: false, warning: 'in effect, but not recorded yet' };
  const api = await fakeApi(t, { [`POST /v1/mitigations/${ID}/withdraw`]: { status: 200, body } });
  const argv = ['withdraw', ID, '--reason', 'false positive', '--api', api.url];
  const said = await cli(argv);
  assert.equal(said.stdout, `${ID} is being withdrawn.\n`);
  assert.equal(said.stderr, 'warning: in effect, but not recorded yet\n');
  const json = await cli([...argv, '--format', 'json']);
  assert.equal(JSON.parse(json.stdout).recorded, false);
  assert.equal(json.stderr, '');
});

test('a program withdraws everything with --yes; somebody at a terminal is asked first', async (t) => {
  const api = await fakeApi(t, {
    'POST /v1/control/withdraw-all': { status: 200, body: { paused: false, affected: [ID] } },
    'GET /v1/health/detail': { status: 200, body: { mitigations: { live: 7 } } },
  });
  const argv = ['withdraw', '--all', '--reason', 'panic', '--api', api.url];
  const unasked = await cli(argv);
  assert.equal(unasked.code, 5);
  assert.match(unasked.stderr, /nothing was changed: .* repeat the command with --yes/);
  assert.match((await cli([...argv, '--yes'])).stdout, /^1 mitigation is being withdrawn/);
  const refused = await cli(argv, { inputIsTerminal: true, stdin: 'n\n' });
  assert.match(refused.stderr, /Withdraw all 7 mitigations\? \[y\/N\]/);
  assert.equal(refused.code, 1);
  assert.equal((await cli(argv, { inputIsTerminal: true, stdin: 'yes\n' })).code, 0);
  assert.equal((await cli([...argv, '--yes'], { inputIsTerminal: true })).code, 0);
  assert.equal(api.requests.filter(({ method }) => method === 'POST').length, 3);
});

test('the safelist is listed, added to and removed from', async (t) => {
  const entry = {
    prefix: '203.0.113.0/24',
    reason: 'anycast',
    added_by: 'ana',
    added_at: null,
    configured: false,
  };
  const api = await fakeApi(t, {
    'GET /v1/safelist': { status: 200, body: [entry] },
    'POST /v1/safelist': { status: 201, body: { ...entry, withdrawn: [ID, ID] } },
    'DELETE /v1/safelist/203.0.113.0%2F24': { status: 204 },
  });
  assert.match((await cli(['safelist', '--api', api.url])).stdout, /^203\.0\.113\.0\/24 +ana +anycast$/m);
  const added = await cli(['safelist', 'add', '203.0.113.0/24', '--reason', 'anycast', '--api', api.url]);
  assert.equal(added.stdout, '203.0.113.0/24 is on the safelist; 2 mitigations are being withdrawn.\n');
  assert.deepEqual(api.requests[1]?.body, {
    operator_id: 'ana',
    prefix: '203.0.113.0/24',
    reason: 'anycast',
  });
  assert.equal((await cli(['safelist', 'remove', '203.0.113.0/24', '--api', api.url])).code, 0);
  assert.equal((await cli(['safelist', 'remove', '192.0.2.0/24', '--api', api.url])).code, 4);
});

test('an event is sent by options', async (t) => {
  const answer = {
    event_id: ID,
    external_event_id: null,
    mitigation_id: ID,
    status: 'accepted',
    why: ['because'],
  };
  const api = await fakeApi(t, { 'POST /v1/events': { status: 202, body: answer } });
  const argv = ['events', 'send', '--victim', '203.0.113.10', '--vector', 'udp_flood', '--bps', '1.5gbps'];
  const { stdout } = await cli([...argv, '--port', '53,123', '--confidence', '0.9', '--api', api.url]);
  assert.equal(stdout, `accepted ${ID}\n  - because\n`);
  assert.deepEqual(api.requests[0]?.body, {
    source: 'cli',
    victim_ip: '203.0.113.10',
    vector: 'udp_flood',
    bps: 1_500_000_000,
    confidence: 0.9,
    top_dst_ports: [53, 123],
    action: 'ban',
  });
});

test('events are sent from lines on standard input, and a bad line is named', async (t) => {
  const result = { code: 202, status: 'accepted', event_id: ID, mitigation_id: null, why: [] };
  const api = await fakeApi(t, {
    'POST /v1/events/batch': { status: 207, body: { results: [result, result] } },
  });
  const sent = await cli(['events', 'send', '-', '--api', api.url], { stdin: '{"a":1}\n\n{"a":2}\n' });
  assert.equal(sent.code, 0);
  assert.deepEqual(api.requests[0]?.body, [{ a: 1 }, { a: 2 }]);
  const bad = await cli(['events', 'send', '-', '--api', api.url], { stdin: '{"a":1}\n{"a":\n' });
  assert.equal(bad.code, 5);
  assert.match(bad.stderr, /-:2: this line is not JSON/);
});

test('options beside a file of events are refused instead of being ignored', async () => {
  const { code, stderr } = await cli(['events', 'send', '-', '--unban', '--api', 'http://127.0.0.1:1'], {
    stdin: '{"source":"a","victim_ip":"203.0.113.10","vector":"udp_flood"}',
  });
  assert.equal(code, 5);
  assert.match(stderr, /^prefixd: use either a file of events or options for one event, not both\n/);
});

test('an event of a batch that was not taken makes the command fail', async (t) => {
  const results = [
    { code: 202, status: 'accepted' },
    { code: 400, status: 'invalid', error: 'victim_ip: is missing' },
  ];
  const api = await fakeApi(t, { 'POST /v1/events/batch': { status: 207, body: { results } } });
  const outcome = await cli(['events', 'send', '-', '--api', api.url], { stdin: '[{},{}]' });
  assert.equal(outcome.code, 5);
  assert.match(outcome.stdout, /refused: victim_ip: is missing/);
});

test('a mitigation by hand has its rate in bits a second', async (t) => {
  const api = await fakeApi(t, { 'POST /v1/mitigations': { status: 201, body: MITIGATION } });
  const argv = ['mitigate', '203.0.113.10', '--action', 'police', '--rate', '10mbps', '--ttl', '300'];
  const done = await cli([
    ...argv,
    '--protocol',
    'UDP',
    '--port',
    '53',
    '--reason',
    'by hand',
    '--api',
    api.url,
  ]);
  assert.equal(done.code, 0);
  assert.deepEqual(api.requests[0]?.body, {
    operator_id: 'ana',
    victim_ip: '203.0.113.10',
    protocol: 'udp',
    dst_ports: [53],
    action_type: 'police',
    rate_bps: 10_000_000,
    ttl_seconds: 300,
    reason: 'by hand',
  });
  assert.equal(
    (await cli(['mitigate', 'x', '--action', 'police', '--rate', 'fast', '--ttl', '1', '--reason', 'r']))
      .code,
    5,
  );
  assert.equal(
    (await cli(['mitigate', 'x', '--action', 'discard', '--port', '70000', '--ttl', '1', '--reason', 'r']))
      .code,
    5,
  );
});

test('a mitigation by hand names its target, and is shown with its action in words', async (t) => {
  const shown = {
    ...MITIGATION,
    action_type: 'redirect',
    rate_bps: null,
    scrubber: null,
    redirect_vrf: '65010:666',
    redirect_ip: null,
    redirect_copy: true,
  };
  const api = await fakeApi(t, { 'POST /v1/mitigations': { status: 201, body: shown } });
  const common = ['--ttl', '300', '--reason', 'by hand', '--api', api.url];
  const asked = (...options: readonly string[]) =>
    cli(['mitigate', '203.0.113.10', '--action', ...options, ...common]);
  const { code, stdout } = await asked('redirect', '--vrf', '65010:666', '--copy', '--rate', '5mbps');
  assert.equal(code, 0);
  assert.match(stdout, /^action +copy to VRF 65010:666$/m);
  await asked('redirect', '--ip', '192.0.2.50');
  await asked('divert', '--to', 'fra');
  await asked('blackhole');
  const base = { operator_id: 'ana', victim_ip: '203.0.113.10', ttl_seconds: 300, reason: 'by hand' };
  assert.deepEqual(
    api.requests.map(({ body }) => body),
    [
      { ...base, action_type: 'redirect', rate_bps: 5_000_000, vrf: '65010:666', copy: true },
      { ...base, action_type: 'redirect', ip: '192.0.2.50' },
      { ...base, action_type: 'divert', to: 'fra' },
      { ...base, action_type: 'blackhole' },
    ],
  );
});

const UNICAST = { next_hop_v4: '192.0.2.51', next_hop_v6: null, communities: ['65010:9'] };
const SCRUBBERS = {
  scrubbers: [
    {
      name: 'fra',
      redirect: { ipv4: '192.0.2.50', ipv6: null, vrf: '65010:666' },
      divert: UNICAST,
      max_diverted: 10,
      healthy: true,
      unhealthy_reason: null,
      redirected: 2,
      diverted: 1,
    },
    {
      name: 'ams',
      redirect: { ipv4: null, ipv6: null, vrf: null },
      divert: null,
      max_diverted: null,
      healthy: false,
      unhealthy_reason: 'no answer within 3 s',
      redirected: 0,
      diverted: 0,
    },
  ],
  blackhole: { allowed: true, ...UNICAST, customers: ['acme'], active: 1 },
};

test('scrubbers are a table with their use, and blackholing below it', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/scrubbers': { status: 200, body: SCRUBBERS } });
  const { stdout } = await cli(['scrubbers', '--api', api.url]);
  assert.equal(
    stdout,
    `NAME  HEALTH                           REDIRECTED  DIVERTED  REDIRECT TO                DIVERT TO   COMMUNITIES
fra   healthy                                   2   1 of 10  192.0.2.50, VRF 65010:666  192.0.2.51  65010:9
ams   unhealthy: no answer within 3 s           0         0  -                          -           -

blackholing  allowed for acme; next hops 192.0.2.51; communities 65010:9; 1 active mitigation
`,
  );
  const narrow = await cli(['scrubbers', '--api', api.url], { columns: 60, env: { NO_COLOR: '1' } });
  for (const line of narrow.stdout.split('\n')) assert.ok([...line].length <= 60, line);
  const printed = await cli(['scrubbers', '-f', 'json', '--api', api.url]);
  assert.deepEqual(JSON.parse(printed.stdout), SCRUBBERS);
});

const DESTINATION = {
  name: 'noc',
  type: 'slack',
  events: ['mitigation.created', 'mitigation.escalated', 'mitigation.expired'],
  customers: null,
  min_severity: 'warning',
  digest_seconds: 60,
  waiting: 3,
  delivered: 12,
  failed: 1,
  dropped: 1,
  last_delivered_at: null,
  last_failed_at: '2026-01-02T00:00:00.000Z',
  last_error: 'HTTP 404: no_service',
};

test('destinations of alerts are a table of their rules and of how deliveries went', async (t) => {
  const duty = {
    ...DESTINATION,
    name: 'duty',
    type: 'pagerduty',
    events: ['control.paused'],
    customers: ['acme', 'beta'],
    min_severity: 'critical',
    digest_seconds: null,
    failed: 0,
    dropped: 0,
    last_error: null,
  };
  const body = { destinations: [DESTINATION, duty] };
  const api = await fakeApi(t, { 'GET /v1/alerts': { status: 200, body } });
  const { stdout } = await cli(['alerts', '--api', api.url]);
  assert.equal(
    stdout,
    `NAME  TYPE       SEVERITY  CUSTOMERS   DIGEST  WAITING  DELIVERED  LOST  LAST ERROR            EVENTS
noc   slack      warning+  all         60 s          3         12     2  HTTP 404: no_service  mitigation.created, mitigation.escalated and 1 more
duty  pagerduty  critical  acme, beta  -             3         12     0  -                     control.paused
`,
  );
  const none = await fakeApi(t, { 'GET /v1/alerts': { status: 200, body: { destinations: [] } } });
  assert.equal(
    (await cli(['alerts', 'list', '--api', none.url])).stdout,
    'No destinations of alerts are configured.\n',
  );
});

test('a test of a destination prints what it answered, and exits 1 if it did not accept it', async (t) => {
  const answer = (request: string, delivered: boolean, status: number | null, detail: string) => ({
    request,
    delivered,
    status,
    detail,
  });
  const api = await fakeApi(t, {
    'POST /v1/alerts/noc/test': {
      status: 200,
      body: { name: 'noc', type: 'slack', delivered: true, answers: [answer('message', true, 200, 'ok')] },
    },
    'POST /v1/alerts/duty/test': {
      status: 200,
      body: {
        name: 'duty',
        type: 'pagerduty',
        delivered: false,
        answers: [answer('open', true, 202, ''), answer('close', false, 400, 'HTTP 400: bad\u001b[31m')],
      },
    },
    'POST /v1/alerts/away/test': {
      status: 200,
      body: {
        name: 'away',
        type: 'teams',
        delivered: false,
        answers: [answer('message', false, null, 'connect ECONNREFUSED')],
      },
    },
  });
  const wide = { columns: 200 };
  const good = await cli(['alerts', 'test', 'noc', '--operator', 'ada', '--api', api.url], wide);
  assert.deepEqual([good.code, good.stdout], [0, 'noc (slack) accepted the message: HTTP 200: ok\n']);
  assert.deepEqual(api.requests[0]?.body, { operator_id: 'ada' });
  const bad = await cli(['alerts', 'test', 'duty', '--api', api.url], wide);
  assert.equal(bad.code, 1);
  assert.match(
    bad.stdout,
    /^duty \(pagerduty\) accepted an incident: HTTP 202\nduty \(pagerduty\) did not accept the end of the incident: HTTP 400: bad/,
  );
  assert.ok(!bad.stdout.includes('\u001b'), bad.stdout);
  assert.match(bad.stderr, /duty did not accept the test message/);
  const away = await cli(['alerts', 'test', 'away', '--api', api.url], wide);
  assert.match(away.stdout, /did not accept the message: no response: connect ECONNREFUSED/);
  assert.equal((await cli(['alerts', 'test', 'nobody', '--api', api.url])).code, 4);
});

const FAILED = {
  scrubber: 'fra',
  prefix: '203.0.113.10/32',
  state: 'failed',
  since: '2026-01-31T12:01:09.000Z',
  attempts: 6,
  last_error: 'HTTP 503: maintenance',
  next_attempt_at: '2026-01-31T12:02:09.000Z',
};

test('what cloud scrubbers are asked to protect is a table of its own, and a line of the mitigation', async (t) => {
  const confirmed = { ...FAILED, state: 'confirmed', attempts: 0, last_error: null, next_attempt_at: null };
  const body = { ...SCRUBBERS, protections: [FAILED, confirmed] };
  const one = `GET /v1/mitigations/${ID}`;
  const failing = await fakeApi(t, {
    'GET /v1/scrubbers': { status: 200, body },
    [one]: { status: 200, body: { ...MITIGATION, protection: FAILED } },
  });
  const { stdout } = await cli(['scrubbers', '--api', failing.url]);
  assert.match(stdout, /^SCRUBBER +PREFIX +STATE +SINCE +ATTEMPTS +NEXT +ERROR$/m);
  assert.match(
    stdout,
    /^fra +203\.0\.113\.10\/32 +failed +2026-01-31T12:01:09\.000Z +6 +2026-01-31T12:02:09\.000Z +HTTP 503: maintenance$/m,
  );
  assert.match(stdout, /^fra +203\.0\.113\.10\/32 +confirmed +\S+ +0 +- +-$/m);
  const shown = await cli(['mitigations', 'get', ID, '--api', failing.url]);
  assert.match(shown.stdout, /^protection +failed at fra: HTTP 503: maintenance \(6 failed attempts\)$/m);
  const well = await fakeApi(t, { [one]: { status: 200, body: { ...MITIGATION, protection: confirmed } } });
  const sound = await cli(['mitigations', 'get', ID, '--api', well.url]);
  assert.match(sound.stdout, /^protection +confirmed by fra$/m);
});

test('without scrubbers and blackholing the command says so', async (t) => {
  const body = { scrubbers: [], blackhole: { ...SCRUBBERS.blackhole, allowed: false, active: 0 } };
  const api = await fakeApi(t, { 'GET /v1/scrubbers': { status: 200, body } });
  const { stdout } = await cli(['scrubbers', '--api', api.url]);
  assert.equal(stdout, 'No scrubbers are configured.\n\nblackholing  not allowed; 0 active mitigations\n');
});

/** Wants a confirmation for everything that is posted. */
const cautious = ({ method, body }: Recorded): Reply | undefined => {
  if (method !== 'POST') return undefined;
  const { confirm } = Object(body);
  if (confirm === true) {
    return { status: 201, body: { prefix: '0.0.0.0/0', withdrawn: [ID], summary: 's', warnings: [] } };
  }
  const effect = 'it would withdraw 7 of 7 active mitigations';
  return {
    status: 409,
    body: { detail: `Nothing was changed: ${effect}`, reason: 'needs_confirmation', effect },
  };
};

for (const command of [['safelist', 'add', '0.0.0.0/0', '--reason', 'r'], ['reload']]) {
  test(`${command[0]} asks before it takes much down, or takes --yes`, async (t) => {
    const api = await fakeApi(t, cautious);
    const argv = [...command, '--api', api.url];
    const program = await cli(argv);
    assert.equal(program.code, 5);
    assert.match(
      program.stderr,
      /nothing was changed: it would withdraw 7 of 7 .*repeat the command with --yes/,
    );
    assert.equal((await cli([...argv, '--yes'])).code, 0);
    assert.equal((await cli([...argv, '-y'])).code, 0);
    const refused = await cli(argv, { inputIsTerminal: true, stdin: 'n\n' });
    assert.match(refused.stderr, /it would withdraw 7 of 7 active mitigations\. Continue\? \[y\/N\]/);
    assert.equal(refused.code, 1);
    const before = api.requests.length;
    assert.equal((await cli(argv, { inputIsTerminal: true, stdin: 'y\n' })).code, 0);
    assert.deepEqual(
      api.requests.slice(before).map(({ body }) => Object(body).confirm),
      [undefined, true],
    );
  });
}

test('pause, resume and reload', async (t) => {
  const problems = ['prefixd.yaml:1:1: x: unknown key', 'prefixd.yaml:2:1: y: unknown key'];
  const api = await fakeApi(t, {
    'POST /v1/control/pause': { status: 200, body: { paused: true, affected: [] } },
    'POST /v1/control/resume': { status: 200, body: { paused: false, affected: [] } },
    'POST /v1/config/reload': {
      status: 422,
      body: { detail: 'Nothing was changed: x', reason: 'invalid_configuration', problems },
    },
  });
  assert.equal((await cli(['pause', '--reason', 'r', '--api', api.url])).code, 0);
  assert.equal((await cli(['resume', '--reason', 'r', '--api', api.url])).code, 0);
  const reload = await cli(['reload', '--api', api.url]);
  assert.equal(reload.code, 5);
  for (const problem of problems) assert.ok(reload.stderr.includes(problem));
});

test('status says why the daemon is not enforcing, and for how long', async (t) => {
  const since = new Date(Date.now() - 3 * 3_600_000 - 5_000).toISOString();
  const health = {
    status: 'not_enforcing',
    reasons: [{ code: 'mock', text: 'bgp.mode is mock: no rule is sent to any router', since }],
    problems: ['bgp.mode is mock: no rule is sent to any router'],
    paused: null,
  };
  const api = await fakeApi(t, {
    'GET /v1/health/detail': { status: 200, body: health },
    'GET /v1/peers': { status: 200, body: [PEER] },
  });
  const { stdout } = await cli(['status', '--api', api.url]);
  assert.match(stdout, /^status +not enforcing$/m);
  assert.match(stdout, /^! bgp.mode is mock: no rule is sent to any router \(for 3h00m\)$/m);
});

test('status shows health, peers and what is wrong', async (t) => {
  const health = {
    status: 'degraded',
    version: '1.2.3',
    uptime_seconds: 3700,
    pop: 'iad1',
    mode: 'enforced',
    problems: ['the journal cannot be written'],
    paused: { at: '2026-01-01T00:00:00Z', by: 'ana', reason: 'tests' },
    journal: { seq: 42 },
    mitigations: { live: 3 },
  };
  const api = await fakeApi(t, {
    'GET /v1/health/detail': { status: 200, body: health },
    'GET /v1/peers': { status: 200, body: [PEER] },
  });
  const { stdout } = await cli(['status', '--api', api.url]);
  assert.match(stdout, /^status +degraded$/m);
  assert.match(stdout, /^up +1h01m$/m);
  assert.match(stdout, /^! the journal cannot be written$/m);
  assert.match(stdout, /^! paused since .* by ana: tests/m);
  assert.match(stdout, /^edge1 .* established/m);
  const { stdout: text } = await cli(['status', '-f', 'json', '--api', api.url]);
  assert.deepEqual(JSON.parse(text), { health, peers: [PEER] });
});

const IDS = [
  '5d2f0c1e-0000-4000-8000-000000000001',
  '5d2f0c1e-0000-4000-8000-000000000002',
  'a0000000-0000-4000-8000-000000000003',
];

function listed(ids: readonly string[]): unknown {
  const mitigations = ids.map((id, i) => ({
    mitigation_id: id,
    status: 'active',
    victim_ip: `2001:db8:acd:1234:5678:9abc:def0:${i}`,
    vector: 'udp_flood',
    customer_id: 'acme',
    action_type: 'police',
    rate_bps: 5_000_000,
    expires_at: new Date(Date.now() + 60_000).toISOString(),
    rule: `match dst 2001:db8:acd:1234:5678:9abc:def0:${i}/128 proto udp then rate-limit 5mbps`,
    rules: [],
    enforcement: { sent: 1, pending: 0, unsupported: 0, over_budget: 0 },
  }));
  return { mitigations, next_cursor: null };
}

for (const columns of [80, 120]) {
  test(`a list of mitigations fits ${columns} columns, and cuts neither the victim nor the rate`, async (t) => {
    const api = await fakeApi(t, { 'GET /v1/mitigations': { status: 200, body: listed(IDS.slice(1)) } });
    const { stdout } = await cli(['mitigations', '--api', api.url], { columns, env: { NO_COLOR: '1' } });
    for (const line of stdout.split('\n')) assert.ok([...line].length <= columns, line);
    assert.match(stdout, /^5d2f0c1e +active +2001:db8:acd:1234:5678:9abc:def0:0 +police at 5 Mbit\/s/m);
  });
}

test('short ids are as long as it takes to tell them apart', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/mitigations': { status: 200, body: listed(IDS) } });
  const { stdout } = await cli(['mitigations', '--api', api.url], { columns: 200, env: { NO_COLOR: '1' } });
  assert.match(stdout, /^5d2f0c1e-0000-4000-8000-000000000001 /m);
  const file = await cli(['mitigations', '--api', api.url]);
  assert.match(file.stdout, /^a0000000-0000-4000-8000-000000000003 /m, 'a program is given the whole');
});

test('mitigations --wide gives each rule a line of its own', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/mitigations': { status: 200, body: listed(IDS.slice(1)) } });
  const { stdout } = await cli(['mitigations', '--wide', '--api', api.url], {
    columns: 120,
    env: { NO_COLOR: '1' },
  });
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 5);
  assert.match(lines[2] ?? '', /^ {4}match dst .* then rate-limit 5mbps$/);
});

test('status at a terminal paints with whole escape sequences', async (t) => {
  const health = { status: 'ok', reasons: [], problems: [], paused: null };
  const api = await fakeApi(t, {
    'GET /v1/health/detail': { status: 200, body: health },
    'GET /v1/peers': { status: 200, body: [] },
  });
  const { stdout } = await cli(['status', '--api', api.url], { columns: 80 });
  assert.ok(stdout.includes('\u001b[32mhealthy\u001b[39m'), JSON.stringify(stdout));
});

test('withdraw --victim and --customer end what is active, and ask before they end more than one', async (t) => {
  const [first = '', second = ''] = IDS;
  const api = await fakeApi(t, ({ method, path }) => {
    if (method === 'GET' && path.includes('victim_ip=203.0.113.9')) return { status: 200, body: listed([]) };
    if (method === 'GET' && path.includes('victim_ip=')) return { status: 200, body: listed([first]) };
    if (method === 'GET') return { status: 200, body: listed([first, second]) };
    return { status: 200, body: { mitigation_id: path.split('/')[3], ending: true } };
  });
  const options = ['--reason', 'false positive', '--api', api.url];
  const one = await cli(['withdraw', '--victim', '203.0.113.10', ...options]);
  assert.equal(one.stdout, `${first} is being withdrawn.\n`);
  const many = await cli(['withdraw', '--customer', 'acme', ...options]);
  assert.equal(many.code, 5);
  assert.match(many.stderr, /this withdraws 2 mitigations; to confirm, repeat the command with --yes/);
  assert.equal((await cli(['withdraw', '--customer', 'acme', '--yes', ...options])).code, 0);
  assert.equal((await cli(['withdraw', '--victim', '203.0.113.9', ...options])).code, 4);
  assert.equal((await cli(['withdraw', '--all', '--victim', '203.0.113.9', ...options])).code, 5);
  assert.equal(api.requests.filter(({ method }) => method === 'POST').length, 3);
});

test('audit shows who did what, oldest first, and filters by action, actor and target', async (t) => {
  const entry = (seq: number, action: string, name: string, id: string) => ({
    seq,
    time: `2026-11-27T21:00:0${seq}.000Z`,
    action,
    actor: { kind: 'operator', name, via: null },
    target: { type: 'mitigation', id },
    reason: 'because',
  });
  const entries = [
    entry(3, 'mitigation.withdrawn', 'alice', 'abcd1234'),
    entry(2, 'safelist.added', 'bob', '203.0.113.0/24'),
    entry(1, 'mitigation.created', 'fnm', 'abcd1234'),
  ];
  const api = await fakeApi(t, { 'GET /v1/audit?limit=100': { status: 200, body: { entries } } });
  const all = await cli(['audit', '--api', api.url]);
  assert.deepEqual(
    all.stdout
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split(/ +/)[1]),
    ['mitigation.created', 'safelist.added', 'mitigation.withdrawn'],
  );
  const one = await cli([
    'audit',
    '--action',
    'mitigation',
    '--actor',
    'alice',
    '-f',
    'json',
    '--api',
    api.url,
  ]);
  assert.deepEqual(JSON.parse(one.stdout), entries[0]);
  const none = await cli(['audit', '--target', 'ffff', '--api', api.url]);
  assert.match(none.stderr, /No matching entries/);
});

test('peers shows why a session does not come up, how often, and what has become of its connections', async (t) => {
  const cause = {
    text: 'peer is AS 65002 but peer_asn says 65012',
    first_at: '2026-11-27T21:00:00.000Z',
    last_at: '2026-11-27T21:05:00.000Z',
    count: 12,
    symptom: 'peer reset the connection',
  };
  const peer = { ...PEER, state: 'active', last_error: cause.text, last_cause: cause };
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 200, body: [peer] } });
  const { stdout } = await cli(['peers', '--api', api.url]);
  assert.match(
    stdout,
    /peer is AS 65002 but peer_asn says 65012 \(12 times since 2026-11-27T21:00:00\.000Z; now: peer reset the connection\)$/m,
  );
});

test('peers NEIGHBOR shows all that is known of one session', async (t) => {
  const notification = (code: number, subcode: number, text: string, at: string) => ({
    code,
    subcode,
    text,
    at,
  });
  const none = { open: 0, update: 0, notification: 0, keepalive: 0, route_refresh: 0 };
  const peer = {
    ...PEER,
    peer_asn: 4200000001,
    state: 'active',
    state_since: '2020-11-27T21:05:00.000Z',
    families: ['ipv4-flowspec'],
    rules_sent: 0,
    rules_pending: 2,
    last_error:
      'peer sent Cease/Administrative Shutdown (6/2): fibre work; the operator there shut the session down',
    last_cause: {
      text: 'peer sent Cease/Administrative Shutdown (6/2): fibre work; the operator there shut the session down',
      first_at: '2020-11-27T21:00:00.000Z',
      last_at: '2020-11-27T21:05:00.000Z',
      count: 3,
      symptom: 'refused the connection',
    },
    last_notification_received: notification(
      6,
      2,
      'Cease/Administrative Shutdown (6/2): fibre work',
      '2020-11-27T21:05:00.000Z',
    ),
    last_notification_sent: notification(4, 0, 'Hold Timer Expired (4/0)', '2020-11-26T08:00:00.000Z'),
    counters: {
      messages_in: { ...none, open: 4, notification: 3 },
      messages_out: none,
      routes_received: 0,
      established: 2,
      flaps: 2,
      since: '2020-11-25T08:00:00.000Z',
      last_flap_at: '2020-11-27T21:00:00.000Z',
    },
  };
  const api = await fakeApi(t, {
    'GET /v1/peers': { status: 200, body: [PEER, { ...peer, name: 'edge2' }] },
  });
  const { stdout, code } = await cli(['peers', 'edge2', '--api', api.url]);
  assert.equal(code, 0);
  for (const line of [
    /^neighbor +edge2$/m,
    /^remote AS +AS 4200000001 \(64086\.59905\)$/m,
    /^state +active for \d+d\d\dh$/m,
    /^rules +0 sent, 2 pending$/m,
    /^cause +peer sent Cease\/Administrative Shutdown \(6\/2\): fibre work; the operator there shut the session down$/m,
    /^ +3 times from 2020-11-27T21:00:00\.000Z to 2020-11-27T21:05:00\.000Z$/m,
    /^since then +refused the connection$/m,
    /^NOTIFICATION received +Cease\/Administrative Shutdown \(6\/2\): fibre work, at 2020-11-27T21:05:00\.000Z$/m,
    /^NOTIFICATION sent +Hold Timer Expired \(4\/0\), at 2020-11-26T08:00:00\.000Z$/m,
    /^flaps +2 in \d+d\d\dh, the last at 2020-11-27T21:00:00\.000Z$/m,
    /^messages received +4 OPEN, 0 UPDATE, 3 NOTIFICATION, 0 KEEPALIVE, 0 ROUTE-REFRESH$/m,
  ]) {
    assert.match(stdout, line);
  }
  assert.doesNotMatch(stdout, /last error|hint|disabled/, 'what there is nothing to say of has no line');
  const json = await cli(['peers', 'edge2', '-f', 'json', '--api', api.url]);
  assert.equal(JSON.parse(json.stdout).name, 'edge2');
});

test('a neighbor that does not exist is not found, with the likely one', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 200, body: [PEER] } });
  const { code, stderr } = await cli(['peers', 'egde1', '--api', api.url]);
  assert.equal(code, 4);
  assert.match(stderr, /unknown neighbor "egde1"; did you mean "edge1"\?/);
});

test('a hint takes the place of an older error in the list', async (t) => {
  const peer = {
    ...PEER,
    state: 'openconfirm',
    last_error: 'peer reset the connection',
    hint: 'no KEEPALIVE yet',
  };
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 200, body: [peer] } });
  assert.match((await cli(['peers', '--api', api.url])).stdout, /openconfirm .* no KEEPALIVE yet$/m);
});
