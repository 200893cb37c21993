import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

const EVERYTHING = `${SHORTEST}      announce: [flowspec, divert]\n`;

/** A scrubber with these requests, written as lines of two spaces more than its key. */
const withRequests = (lines: readonly string[]): string =>
  `${EVERYTHING}scrubbers:\n  - name: cloud\n    divert: { next_hop_v4: 192.0.2.51 }\n    requests:\n${lines.map((line) => `      ${line}\n`).join('')}`;

const START = 'start: { url: "https://api.example/v1/protect", body: { prefix: "{prefix}" } }';
const STOP = 'stop: { url: "https://api.example/v1/protect/{mitigation_id}" }';

const ENVIRONMENT = { TOKEN: 'bearer-token-1', KEY: 'api key 2' };

test('requests are read with their secrets from the environment, which are shown nowhere', async (t) => {
  const lines = [
    'timeout_seconds: 5',
    'stop_delay_seconds: 7',
    'auth: { bearer_env: TOKEN, header: X-Api-Key, value_env: KEY }',
    'start:',
    '  method: PUT',
    '  url: https://api.example/v1/{prefix}?zone=z0ne',
    '  headers: { X-Zone: seven, Content-Type: application/vnd.api+json }',
    '  body: { data: [{ id: "{mitigation_id}", ttl: 60 }], note: n0te }',
    '  accept_status: [409]',
    STOP,
  ];
  const config = sound(await load(t, withRequests(lines), ENVIRONMENT));
  const auth = { authorization: 'Bearer bearer-token-1', 'x-api-key': 'api key 2' };
  assert.deepEqual(config.scrubberRequests.get('cloud'), {
    timeoutMs: 5_000,
    stopDelayMs: 7_000,
    start: {
      method: 'PUT',
      url: 'https://api.example/v1/{prefix}?zone=z0ne',
      headers: { 'content-type': 'application/vnd.api+json', 'x-zone': 'seven', ...auth },
      body: { data: [{ id: '{mitigation_id}', ttl: 60 }], note: 'n0te' },
      accepted: [409],
    },
    stop: {
      method: 'DELETE',
      url: 'https://api.example/v1/protect/{mitigation_id}',
      headers: auth,
      accepted: [404, 410],
    },
    secrets: ['bearer-token-1', 'api key 2'],
  });
  assert.deepEqual([...config.secrets].sort(), Object.values(ENVIRONMENT).sort());
  const shown = JSON.stringify(config.shown.settings);
  for (const secret of [...Object.values(ENVIRONMENT), 'z0ne', 'seven', 'n0te', 'v1']) {
    assert.ok(!shown.includes(secret), `${secret} is shown`);
  }
  assert.match(shown, /"url":"https:\/\/api\.example\/\*\*\*","headers":\{"X-Zone":"\*\*\*"/);
  assert.match(shown, /"bearer_env":"TOKEN"/);
});

test('a scrubber needs no requests, and they need no secret', async (t) => {
  assert.equal(sound(await load(t, EVERYTHING)).scrubberRequests.size, 0);
  const config = sound(await load(t, withRequests([START, STOP])));
  assert.deepEqual(config.scrubberRequests.get('cloud')?.start.headers, {
    'content-type': 'application/json',
  });
  assert.deepEqual(config.scrubberRequests.get('cloud')?.secrets, []);
});

const PROBLEMS: readonly (readonly [what: string, lines: readonly string[], says: RegExp])[] = [
  ['no stop', [START], /requests\.stop: required key stop is missing/],
  [
    'an unknown placeholder in a URL, with the likely one',
    [START, 'stop: { url: "https://api.example/{mitigation}" }'],
    /^prefixd\.yaml:14:\d+ scrubbers\[0\]\.requests\.stop\.url: unknown placeholder \{mitigation\}; did you mean \{mitigation_id\}\?/,
  ],
  [
    'an unknown placeholder deep in a body',
    ['start: { url: "https://api.example", body: { a: [1, { b: "{prefix} {rate}" }] } }', STOP],
    /requests\.start\.body\.a\[1\]\.b: unknown placeholder \{rate\}; write one of \{victim_ip\}, \{prefix\}/,
  ],
  [
    'a placeholder in a key',
    ['start: { url: "https://api.example", body: { "{prefix}": "{prefix}" } }', STOP],
    /placeholders are not filled in keys/,
  ],
  [
    'a placeholder in a header',
    ['start: { url: "https://api.example/{prefix}", headers: { X-Id: "{prefix}" } }', STOP],
    /headers\.X-Id: placeholders are not filled in headers/,
  ],
  [
    'a placeholder that names the server',
    ['start: { url: "https://{scrubber}.example/{prefix}" }', STOP],
    /requests\.start\.url: a placeholder names the server/,
  ],
  [
    'a path that URL parsers shorten',
    ['start: { url: "https://api.example/v1/../{prefix}" }', STOP],
    /requests\.start\.url: the path has a segment/,
  ],
  [
    'a password in a URL, which is not shown',
    ['start: { url: "https://me:pa55word@api.example/{prefix}" }', STOP],
    /requests\.start\.url: the URL contains a user name or a password; remove it, and use auth$/,
  ],
  [
    'http:// to another machine',
    ['start: { url: "http://192.0.2.9/{prefix}" }', STOP],
    /requests to 192\.0\.2\.9 are sent unencrypted; use https:\/\//,
  ],
  ['no URL', ['start: { url: "api.example/{prefix}" }', STOP], /\(not shown: it may be a secret\)/],
  [
    'a secret in a header',
    ['start: { url: "https://api.example/{prefix}", headers: { authorization: "Bearer abc" } }', STOP],
    /headers\.authorization: the header authorization carries a secret, which must not be in the file/,
  ],
  [
    'a header of the connection',
    ['start: { url: "https://api.example/{prefix}", headers: { Host: other } }', STOP],
    /the header Host is set by the connection/,
  ],
  [
    'a header that could begin another one',
    ['start: { url: "https://api.example/{prefix}", headers: { X-Id: "a\\r\\nX-Evil: 1" } }', STOP],
    /headers\.X-Id: invalid value \(not shown: it may be a secret\): expected printable ASCII/,
  ],
  [
    'a header without its secret',
    ['auth: { header: X-Api-Key }', START, STOP],
    /auth\.header: header has no effect without value_env; add value_env/,
  ],
  ['an empty auth', ['auth: {}', START, STOP], /auth: auth names no secret/],
  [
    'a secret where the name of its variable belongs, which is not shown',
    ['auth: { bearer_env: "s3cr3t-t0ken" }', START, STOP],
    /auth\.bearer_env: invalid value \(not shown: it may be a secret\)/,
  ],
  [
    'a variable that is not set',
    ['auth: { bearer_env: NOT_SET }', START, STOP],
    /auth\.bearer_env: the environment variable NOT_SET is not set/,
  ],
  [
    'a value that is no header',
    ['auth: { bearer_env: BROKEN }', START, STOP],
    /the value of the environment variable BROKEN contains control or non-ASCII characters/,
  ],
];

for (const [what, lines, says] of PROBLEMS) {
  test(`${what} is a problem`, async (t) => {
    const problems = problemsOf(await load(t, withRequests(lines), { ...ENVIRONMENT, BROKEN: 'to\nken' }));
    assert.ok(
      problems.some((problem) => says.test(problem)),
      problems.join('\n') || 'no problem',
    );
    assert.doesNotMatch(problems.join('\n'), /pa55word|s3cr3t|Bearer abc|to\nken/);
  });
}

test('http:// is allowed to this machine, and to others in words and with a warning', async (t) => {
  for (const host of ['127.0.0.1:8000', '[::1]:8000', 'localhost:8000']) {
    const lines = [`start: { url: "http://${host}/{prefix}" }`, STOP];
    assert.deepEqual(warningsOf(await load(t, withRequests(lines))), [], host);
  }
  const lines = ['allow_http: true', 'start: { url: "http://192.0.2.9/{prefix}" }', STOP];
  const result = await load(t, withRequests(lines));
  assert.deepEqual(problemsOf(result), []);
  assert.match(warningsOf(result).join('\n'), /requests to 192\.0\.2\.9 are sent unencrypted/);
});

test('a request that does not say what it is about is a warning', async (t) => {
  const result = await load(t, withRequests([START, 'stop: { url: "https://api.example/all" }']));
  assert.match(warningsOf(result).join('\n'), /requests\.stop: the stop does not say what it is about/);
});
