/** `detectors.webhooks` in prefixd.yaml: what is loaded, and which defects `check` names at which place. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { loadConfigApart } from '../../src/config/load-apart.ts';
import { folder, INVENTORY, load, PLAYBOOKS, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

const webhook = (lines: string): string => `${SHORTEST}detectors:\n  webhooks:\n    kentik:\n${lines}`;
const VICTIM = '      victim_ip: "$.target"\n';

/** The example of the documentation. */
const EXAMPLE =
  webhook(`      auth: { hmac: { header: X-Signature, algorithm: sha256, secret_env: KENTIK_SECRET } }
      each: "$"
      source: kentik
      event_id: "$.AlarmID"
      victim_ip: { path: ["$.Dimensions.IP_dst", "$.target"] }
      bps: { path: "$.Metrics.bits" }
      pps: { path: "$.Metrics.packets", scale: 1000 }
      action: { path: "$.CurrentState", map: { alarm: ban, clear: unban }, otherwise: ignore }
      vector: { path: "$.AlarmPolicyName", match: [["(?i)ntp", ntp_amplification]], otherwise: unknown }
      timestamp: { path: "$.StartTime", format: "YYYY-MM-DD HH:mm:ss UTC" }
`);

describe('a webhook', () => {
  it('is loaded with its secret, which is not shown', async (t) => {
    const result = await load(t, EXAMPLE, { KENTIK_SECRET: 'shared by both' });
    const config = sound(result);
    assert.deepEqual(config.webhooks.get('kentik')?.auth, {
      kind: 'hmac',
      header: 'x-signature',
      algorithm: 'sha256',
      prefix: '',
      secret: 'shared by both',
    });
    assert.ok(!JSON.stringify(config.shown).includes('shared by both'));
    assert.ok(config.secrets.includes('shared by both'));
    assert.deepEqual(config.webhooks.get('kentik')?.mapping.victim_ip, {
      path: ['$.Dimensions.IP_dst', '$.target'],
    });
  });

  it('passes through the thread that reads the configuration', async (t) => {
    const path = await folder(t, {
      'prefixd.yaml': EXAMPLE,
      'inventory.yaml': INVENTORY,
      'playbooks.yaml': PLAYBOOKS,
    });
    const config = sound(await loadConfigApart(path, { KENTIK_SECRET: 'x' }));
    assert.equal(config.webhooks.get('kentik')?.mapping.each, '$');
  });

  it('needs no secrets where the configuration is only shown', async (t) => {
    const config = sound(await load(t, EXAMPLE, null));
    const auth = config.webhooks.get('kentik')?.auth;
    assert.equal(auth?.kind === 'hmac' && auth.secret, '');
  });

  it('is authenticated as the API is, unless it says otherwise', async (t) => {
    const config = sound(await load(t, webhook(VICTIM)));
    assert.deepEqual(config.webhooks.get('kentik')?.auth, { kind: 'bearer', token: undefined });
    assert.equal(config.webhooks.get('kentik')?.mapping.each, '$');
  });

  it('does not take the name of a source: detectors.webhooks is no detector', async (t) => {
    const config = sound(await load(t, webhook(VICTIM)));
    assert.ok(!config.policy.detectors.has('webhooks'));
    assert.ok(!config.vectorMaps.has('webhooks'));
  });

  it('is a source that playbooks may name', async (t) => {
    const playbooks = PLAYBOOKS.replace('vector: udp_flood', 'vector: udp_flood, source: kentik');
    const result = await load(t, webhook(VICTIM), {}, { 'playbooks.yaml': playbooks });
    assert.deepEqual(
      warningsOf(result).filter((text) => /kentik/.test(text)),
      [],
    );
  });
});

describe('how often a webhook repeats its report', () => {
  const repeats = async (t: Parameters<typeof load>[0], lines: string) => {
    const settings = webhook(`${VICTIM}${lines}`).replace(
      'detectors:\n',
      'detectors:\n  kentik: { repeat_seconds: 600 }\n',
    );
    return warningsOf(await load(t, settings)).filter((text) => /repeats a report/.test(text));
  };

  it('is compared with the TTLs if it never reports the end, and not otherwise', async (t) => {
    assert.equal((await repeats(t, '')).length, 1);
    assert.deepEqual(await repeats(t, '      action: { path: "$.s", map: { on: ban, off: unban } }\n'), []);
  });
});

/** Mappings with one defect, which begins in line 11. */
const refused: readonly (readonly [what: string, lines: string, says: RegExp])[] = [
  [
    'no victim',
    '      each: "$"\n',
    /11:7 detectors\.webhooks\.kentik: nothing names the victim; add victim_ip/,
  ],
  ['no path', '      victim_ip: "$.a["\n', /11:18 .*victim_ip: this is not a JSONPath query/],
  [
    'no path among several',
    '      victim_ip: { path: ["$.a", "$["] }\n',
    /11:34 .*victim_ip\.path\[1\]: this is not/,
  ],
  [
    'a path for each that is none',
    `${VICTIM}      each: "alerts"\n`,
    /12:13 .*kentik\.each: this is not a JSONPath/,
  ],
  [
    'a path that visits values again and again',
    '      victim_ip: "$..a..b"\n',
    /victim_ip: .*more than one "\.\."/,
  ],
  [
    'a pattern that backtracks',
    `${VICTIM}      vector: { path: "$.v", match: [["ok", udp_flood], ["(a+)+$", udp_flood]] }\n`,
    /12:\d+ .*vector\.match\[1\]\[0\]: the pattern repeats a part/,
  ],
  [
    'a pattern in a filter that backtracks',
    `      victim_ip: "$.a[?search(@.n, '(a*)*b')].ip"\n`,
    /11:18 .*victim_ip: the pattern repeats a part/,
  ],
  [
    'a pattern that is none',
    `${VICTIM}      vector: { path: "$.v", match: [["(", udp_flood]] }\n`,
    /vector\.match\[0\]\[0\]: the pattern is not a valid/,
  ],
  [
    'a pattern without a value',
    `${VICTIM}      vector: { path: "$.v", match: [["x"]] }\n`,
    /vector\.match\[0\]: .*a list of two/,
  ],
  [
    'an action that is none',
    `${VICTIM}      action: { path: "$.s", map: { on: block } }\n`,
    /action\.map\.on: "block" is not an action; write ban, unban or ignore/,
  ],
  [
    'a constant action that is none',
    `${VICTIM}      action: block\n`,
    /12:15 .*kentik\.action: "block" is not an action/,
  ],
  [
    'a vector that is none',
    `${VICTIM}      vector: { path: "$.v", otherwise: "!" }\n`,
    /vector\.otherwise: "!" is not a vector/,
  ],
  [
    'a unit of something else',
    `${VICTIM}      bps: { path: "$.b", unit: kpps }\n`,
    /bps\.unit: "kpps" is not a unit of bps; write bit\/s/,
  ],
  [
    'a unit of a text',
    `${VICTIM}      vector: { path: "$.v", unit: kbit/s }\n`,
    /vector\.unit: vector is not a number/,
  ],
  [
    'scale and unit',
    `${VICTIM}      bps: { path: "$.b", unit: kbit/s, scale: 2 }\n`,
    /bps\.unit: scale and unit are both set/,
  ],
  [
    'a negative scale',
    `${VICTIM}      bps: { path: "$.b", scale: -1 }\n`,
    /bps\.scale: -1 is not a factor above 0/,
  ],
  [
    'a format of something else',
    `${VICTIM}      vector: { path: "$.v", format: rfc3339 }\n`,
    /vector\.format: only timestamp has a format/,
  ],
  [
    'a format with an unknown token',
    `${VICTIM}      timestamp: { path: "$.t", format: "YYYY-MM-DD hh:mm" }\n`,
    /timestamp\.format: "h" in the format is not a token; write tokens: YYYY/,
  ],
  [
    'a constant with a path',
    `${VICTIM}      vector: { path: "$.v", constant: udp_flood }\n`,
    /vector\.constant: constant excludes path/,
  ],
  [
    'neither path nor constant',
    `${VICTIM}      vector: { otherwise: unknown }\n`,
    /kentik\.vector: neither path nor constant is set/,
  ],
  [
    'an empty separator',
    `${VICTIM}      top_dst_ports: { path: "$.p", split: "" }\n`,
    /top_dst_ports\.split: the separator is empty/,
  ],
  [
    'a misspelled key',
    '      victim_ip: { paht: "$.a" }\n',
    /11:20 .*victim_ip\.paht: unknown key "paht"; did you mean "path"\?/,
  ],
  [
    'a misspelled field',
    `${VICTIM}      bpss: "$.a"\n`,
    /kentik\.bpss: unknown key "bpss"; did you mean "bps"\?/,
  ],
  [
    'a list instead of a field',
    '      victim_ip: ["$.a"]\n',
    /victim_ip: invalid value \(a list\): expected a JSONPath/,
  ],
  [
    'two methods of authentication',
    `${VICTIM}      auth: { bearer: {}, basic: { user: a, password_env: P } }\n`,
    /auth: bearer and basic are set; write exactly one/,
  ],
  ['no method of authentication', `${VICTIM}      auth: {}\n`, /auth: no method is set; write exactly one/],
  [
    'a token that is not there',
    `${VICTIM}      auth: { bearer: { token: ours } }\n`,
    /bearer\.token: tokens have no effect with http\.auth\.mode none/,
  ],
  [
    'an environment variable that is not set',
    `${VICTIM}      auth: { basic: { user: a, password_env: NOT_SET } }\n`,
    /basic\.password_env: the environment variable NOT_SET is not set/,
  ],
];

describe('check names', () => {
  for (const [what, lines, says] of refused) {
    it(what, async (t) => {
      const problems = problemsOf(await load(t, webhook(lines), { P: 'x' }));
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', says);
    });
  }

  it('every defect in one run', async (t) => {
    const lines = '      victim_ip: "$["\n      bps: { path: "$..a..b", unit: x }\n      action: kill\n';
    assert.equal(problemsOf(await load(t, webhook(lines))).length, 4);
  });

  it('a token of http.auth that does not exist, or may not report', async (t) => {
    const auth = (role: string): string =>
      `${webhook(`${VICTIM}      auth: { bearer: { token: ours } }\n`)}http:\n  auth: { mode: bearer, tokens: [{ name: ours, role: ${role}, token_env: T }] }\n`;
    const environment = { T: 'long-enough-for-a-token' };
    sound(await load(t, auth('detector'), environment));
    assert.match(
      problemsOf(await load(t, auth('viewer'), environment)).join(),
      /role viewer, which may not report/,
    );
    const other = auth('detector').replace('name: ours', 'name: theirs');
    assert.match(problemsOf(await load(t, other, environment)).join(), /http\.auth\.tokens has no "ours"/);
  });

  it('sha1, which is outdated', async (t) => {
    const lines = `${VICTIM}      auth: { hmac: { header: X, algorithm: sha1, secret_env: P } }\n`;
    assert.match(warningsOf(await load(t, webhook(lines), { P: 'x' })).join(), /sha1 is outdated/);
  });
});

describe('guardrails.aggregate_from and aggregate_to', () => {
  const aggregation = async (t: Parameters<typeof load>[0], lines: string) => {
    const { policy } = sound(await load(t, `${SHORTEST}${lines}`));
    const { dstPrefixMinLen: v4, dstPrefixMinLenV6: v6 } = policy.guardrails;
    return { ...policy.aggregation, v4, v6 };
  };

  test('say from how many hosts on, and up to which length, a rule covers a prefix', async (t) => {
    const set = await aggregation(
      t,
      'guardrails: { aggregate_from: 30, aggregate_to: /23, aggregate_to_v6: /48 }\n',
    );
    assert.deepEqual(set, { hosts: 30, windowSeconds: 60, toV4: 23, toV6: 48, v4: 23, v6: 48 });
  });

  test('are off by default, and each family by itself', async (t) => {
    assert.deepEqual(await aggregation(t, ''), {
      hosts: 24,
      windowSeconds: 60,
      toV4: 24,
      toV6: 56,
      v4: 32,
      v6: 128,
    });
    const { v4, v6 } = await aggregation(t, 'guardrails: { aggregate_to: 24 }\n');
    assert.deepEqual([v4, v6], [24, 128]);
  });

  test('precede the section aggregation, whose window stays', async (t) => {
    const lines =
      'guardrails: { aggregate_from: 10, aggregate_to: /24 }\naggregation: { hosts: 99, window_seconds: 5, to_v4: 28 }\n';
    const { hosts, windowSeconds, toV4 } = await aggregation(t, lines);
    assert.deepEqual([hosts, windowSeconds, toV4], [10, 5, 24]);
  });

  test('never narrow what dst_prefix_minlen allows', async (t) => {
    const { v4 } = await aggregation(t, 'guardrails: { dst_prefix_minlen: 20, aggregate_to: /24 }\n');
    assert.equal(v4, 20);
  });

  test('refuse a length that is none, and warn where they have no effect', async (t) => {
    for (const length of ['/33', '0', '24.5', 'wide', '"/24/"']) {
      const problems = problemsOf(await load(t, `${SHORTEST}guardrails: { aggregate_to: ${length} }\n`));
      assert.match(problems.join(), /aggregate_to: .*a prefix length from \/1 to \/32/, length);
    }
    const warnings = warningsOf(await load(t, `${SHORTEST}guardrails: { aggregate_from: 24 }\n`));
    assert.match(warnings.join(), /aggregate_from: no rule may cover a prefix.*aggregate_to: \/24/);
  });
});
