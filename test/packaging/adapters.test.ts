/**
 * The recipes in adapters/: each is a valid configuration, reads its sample, and its script sends what the sample shows.
 * The samples were made after the vendors' documentation; no vendor's product runs here.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { readRecipes } from '../../src/config/recipes.ts';
import { mappingOf } from '../../src/config/validate/webhook-checks.ts';
import { adapterOf } from '../../src/intake/webhook/compile-adapter.ts';
import { readPart, selectParts } from '../../src/intake/webhook/read-document.ts';
import { load, SHORTEST } from '../config/folder.ts';

const ADAPTERS = fileURLToPath(new URL('../../adapters/', import.meta.url));
const text = (name: string): Promise<string> => readFile(join(ADAPTERS, name), 'utf8');
const run = promisify(execFile);

/** What each sample becomes, in the fields that matter. */
const EXPECTED: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  kentik: [
    {
      action: 'ban',
      victim: '203.0.113.10',
      vector: 'ntp_amplification',
      protocol: 17,
      bps: 2450000000.5,
      pps: 650000.25,
      alertId: '0190db1d-0000-7000-8000-000000000001/203.0.113.10',
      beganAt: Date.UTC(2026, 0, 31, 11, 58, 30),
      hold: 'until_released',
    },
  ],
  'kentik-legacy': [
    {
      action: 'unban',
      victim: '203.0.113.11',
      vector: 'udp_flood',
      alertId: '197790252/203.0.113.11',
      endedAt: Date.UTC(2026, 0, 31, 11, 58, 30),
    },
  ],
  wanguard: [
    {
      action: 'ban',
      victim: '203.0.113.10',
      vector: 'syn_flood',
      bps: 812e6,
      pps: 1.65e6,
      alertId: '20451/203.0.113.10',
    },
  ],
  akvorado: [
    { action: 'ban', victim: '203.0.113.10', vector: 'udp_flood', protocol: 17, bps: 3.1e9, hold: undefined },
    { action: 'ban', victim: '2001:db8:acd::20', vector: 'tcp_flood', protocol: 6, pps: 2e6 },
  ],
  'sflow-rt': [
    {
      action: 'ban',
      victim: '203.0.113.10',
      vector: 'udp_flood',
      pps: 812345.6,
      alertId: 'prefixd_udp/203.0.113.10,17/203.0.113.10',
      beganAt: 1769860710123,
    },
  ],
  flowtriq: [
    {
      action: 'ban',
      victim: '203.0.113.10',
      vector: 'udp_flood',
      bps: 1547000000,
      alertId: 'd4e5f6a7-0000-4000-8000-000000000147/203.0.113.10',
      beganAt: Date.UTC(2026, 0, 31, 11, 58, 30),
    },
  ],
  suricata: [
    {
      action: 'ban',
      victim: '203.0.113.10',
      vector: 'ntp_amplification',
      ports: [],
      beganAt: Date.UTC(2026, 0, 31, 11, 58, 30, 251),
    },
  ],
  dots: [
    { action: 'ban', victim: '203.0.113.10', vector: 'unknown', protocol: 6, ports: [443] },
    { action: 'ban', victim: '2001:db8:acd::20', vector: 'unknown', protocol: 6, ports: [443] },
  ],
};

async function detectionsOf(
  recipe: string,
  document: unknown,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const found = (await readRecipes()).find(({ name }) => name === recipe);
  assert.ok(found !== undefined, recipe);
  const adapter = adapterOf(recipe, mappingOf(found.entry));
  const parts = selectParts(adapter, document, 1000);
  assert.ok(parts.ok);
  return parts.value.flatMap((part) =>
    readPart(adapter, part, undefined, 1000).map(({ signal }): Readonly<Record<string, unknown>> => {
      assert.ok(signal.kind === 'detection', JSON.stringify(signal));
      assert.equal(signal.detection.notes, undefined);
      return { ...signal.detection };
    }),
  );
}

/** Puts a `curl` into a folder that keeps its arguments and standard input, and prints `answer`. */
async function fakeCurl(t: TestContext, answer = ''): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-curl-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const script = `#!/bin/sh
n=$(ls ${folder} | grep -c '^arguments')
printf '%s\\n' "$@" > ${folder}/arguments$n
cat > ${folder}/input$n
if [ -e /dev/fd/3 ]; then cat <&3 > ${folder}/config$n; fi
cat ${folder}/answer
`;
  await writeFile(join(folder, 'curl'), script);
  await chmod(join(folder, 'curl'), 0o755);
  await writeFile(join(folder, 'answer'), answer);
  await writeFile(join(folder, 'token'), 's3cret\n');
  return folder;
}

const environment = (folder: string): NodeJS.ProcessEnv => ({
  PATH: `${folder}:${process.env.PATH}`,
  PREFIXD_TOKEN_FILE: join(folder, 'token'),
});

describe('every recipe', () => {
  it('reads its sample', async () => {
    for (const [sample, expected] of Object.entries(EXPECTED)) {
      const document: unknown = JSON.parse(await text(`samples/${sample}.json`));
      const found = await detectionsOf(sample.replace('-legacy', ''), document);
      assert.equal(found.length, expected.length, sample);
      for (const [i, fields] of expected.entries()) {
        for (const [key, value] of Object.entries(fields)) {
          assert.deepEqual(found[i]?.[key], value, `${sample}: ${key} of event ${i + 1}`);
        }
      }
    }
  });

  it('has a sample, and every sample a recipe', async () => {
    const samples = (await readdir(join(ADAPTERS, 'samples'))).map((name) => name.replace('.json', ''));
    assert.deepEqual(samples.sort(), Object.keys(EXPECTED).sort());
    const recipes = (await readRecipes()).map(({ name }) => name);
    assert.deepEqual(recipes.sort(), [...new Set(samples.map((name) => name.replace('-legacy', '')))].sort());
  });

  it('says from which documentation its sample was made, and that it was not recorded', async () => {
    for (const { file } of await readRecipes()) {
      const words = (await readFile(file, 'utf8')).replaceAll(/\n# */g, ' ');
      assert.match(words, /made after .*(https:\/\/|RFC \d+)/, file);
      assert.match(words, /not recorded from a running/, file);
    }
  });

  it('is a section that check accepts when it is copied into prefixd.yaml', async (t) => {
    for (const { name, file } of await readRecipes()) {
      const result = await load(t, `${SHORTEST}${await readFile(file, 'utf8')}`, {
        FLOWTRIQ_SECRET: 'shared',
      });
      assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.problems));
      assert.deepEqual([...result.config.webhooks.keys()], [name]);
      assert.deepEqual(result.warnings, [], name);
    }
  });
});

describe('wanguard.sh', () => {
  const ARGUMENTS = [
    'detected',
    '20451',
    '203.0.113.10/32',
    'incoming',
    'TCP+SYN',
    '812000000',
    '1650000',
    '1769860710',
  ];

  it('sends what the sample shows, and the token not on the command line', async (t) => {
    const folder = await fakeCurl(t);
    await run(join(ADAPTERS, 'wanguard.sh'), ARGUMENTS, { env: environment(folder) });
    const sent = (await readFile(join(folder, 'arguments0'), 'utf8')).split('\n');
    assert.deepEqual(
      JSON.parse(sent[sent.indexOf('--data') + 1] ?? ''),
      JSON.parse(await text('samples/wanguard.json')),
    );
    assert.ok(sent.includes('http://127.0.0.1:8080/v1/signals/webhook/wanguard'));
    assert.ok(!sent.join(' ').includes('s3cret'));
    assert.equal(await readFile(join(folder, 'input0'), 'utf8'), 'header = "Authorization: Bearer s3cret"\n');
  });

  it('lets no argument break out of its text', async (t) => {
    const folder = await fakeCurl(t);
    const hostile = [
      'detected',
      '1',
      '203.0.113.10',
      'incoming',
      '","state":"expired\n\\',
      '1',
      '1',
      '$(id)',
    ];
    await run(join(ADAPTERS, 'wanguard.sh'), hostile, { env: environment(folder) });
    const sent = (await readFile(join(folder, 'arguments0'), 'utf8')).split('\n');
    const [event] = JSON.parse(sent[sent.indexOf('--data') + 1] ?? '');
    assert.equal(event.state, 'detected');
    assert.equal(event.decoder, 'state:expired');
  });

  it('names its arguments if there are too few', async () => {
    const failure = await run(join(ADAPTERS, 'wanguard.sh'), ['detected']).catch((error: unknown) => error);
    assert.equal(Object(failure).code, 64);
    assert.match(Object(failure).stderr, /^usage: wanguard\.sh/);
  });

  it('reports the end of the same alarm', async () => {
    const [sample] = JSON.parse(await text('samples/wanguard.json'));
    const [end] = await detectionsOf('wanguard', [{ ...sample, state: 'expired' }]);
    assert.equal(end?.action, 'unban');
    assert.equal(end?.alertId, '20451/203.0.113.10');
    assert.deepEqual(await detectionsOf('wanguard', [{ ...sample, direction: 'outgoing' }]), []);
  });
});

describe('akvorado.sh', () => {
  it('asks ClickHouse and posts its answer', async (t) => {
    const answer = await text('samples/akvorado.json');
    const folder = await fakeCurl(t, answer);
    await run(join(ADAPTERS, 'akvorado.sh'), [], { env: { ...environment(folder), THRESHOLD_BPS: '5' } });
    const query = await readFile(join(folder, 'input0'), 'utf8');
    assert.match(query, /FROM flows\nWHERE TimeReceived > now\(\) - 60 AND InIfBoundary = 'external'/);
    assert.match(query, /HAVING bps > 5 OR pps > 500000\n/);
    assert.match(query, /FORMAT JSON\n$/);
    assert.deepEqual(JSON.parse(await readFile(join(folder, 'input1'), 'utf8')), JSON.parse(answer));
    const sent = await readFile(join(folder, 'arguments1'), 'utf8');
    assert.match(sent, /\/v1\/signals\/webhook\/akvorado\n/);
    assert.ok(!sent.includes('s3cret'));
    assert.equal(
      await readFile(join(folder, 'config1'), 'utf8'),
      'header = "Authorization: Bearer s3cret"\n',
    );
  });
});

describe('sflow-rt.js', () => {
  /** Runs the script with the functions of sFlow-RT that it uses. */
  async function script() {
    const sent: { url: string; headers: Record<string, string>; body: string }[] = [];
    const flows: Record<string, unknown> = {};
    const handlers: { event?: (event: object) => void; interval?: () => void } = {};
    const state = { exceeded: true };
    const properties: Record<string, string> = { 'prefixd.token': 's3cret' };
    runInNewContext(await text('sflow-rt.js'), {
      getSystemProperty: (name: string) => properties[name] ?? null,
      setFlow: (name: string, flow: unknown) => Object.assign(flows, { [name]: flow }),
      setThreshold: () => undefined,
      setEventHandler: (handler: (event: object) => void) => Object.assign(handlers, { event: handler }),
      setIntervalHandler: (handler: () => void) => Object.assign(handlers, { interval: handler }),
      thresholdTriggered: () => state.exceeded,
      http2: (request: (typeof sent)[number]) => sent.push(request),
      logWarning: () => undefined,
    });
    return { sent, flows, handlers, state };
  }

  const EVENT = {
    thresholdID: 'prefixd_udp',
    flowKey: '203.0.113.10,17',
    threshold: 500000,
    value: 812345.6,
    agent: '192.0.2.1',
    dataSource: '3',
    metric: 'prefixd_udp',
    timestamp: 1769860710123,
  };

  it('sends what the sample shows', async () => {
    const { sent, flows, handlers } = await script();
    assert.deepEqual(Object.keys(flows), ['prefixd_udp', 'prefixd_tcp', 'prefixd_icmp']);
    handlers.event?.(EVENT);
    assert.deepEqual(JSON.parse(sent[0]?.body ?? ''), JSON.parse(await text('samples/sflow-rt.json')));
    assert.equal(sent[0]?.headers.Authorization, 'Bearer s3cret');
  });

  it('repeats an attack while it lasts, and reports its end once', async () => {
    const { sent, handlers, state } = await script();
    handlers.event?.(EVENT);
    handlers.interval?.();
    state.exceeded = false;
    handlers.interval?.();
    handlers.interval?.();
    assert.deepEqual(
      sent.map(({ body }) => JSON.parse(body).state),
      ['exceeded', 'exceeded', 'ended'],
    );
    const [end] = await detectionsOf('sflow-rt', JSON.parse(sent[2]?.body ?? ''));
    assert.equal(end?.action, 'unban');
    assert.equal(end?.alertId, 'prefixd_udp/203.0.113.10,17/203.0.113.10');
  });
});

describe('DOTS', () => {
  const scope = (more: object) => ({
    'ietf-dots-signal-channel:mitigation-scope': {
      scope: [{ 'target-prefix': ['203.0.113.10/32'], ...more }],
    },
  });

  it('is never narrowed to a part of what a client named', async () => {
    const several = scope({
      'target-protocol': [6, 17],
      'target-port-range': [{ 'lower-port': 80 }, { 'lower-port': 443 }],
    });
    const [both] = await detectionsOf('dots', several);
    assert.equal(both?.protocol, null);
    assert.deepEqual(both?.ports, []);
    const range = scope({ 'target-port-range': [{ 'lower-port': 80, 'upper-port': 90 }] });
    assert.deepEqual((await detectionsOf('dots', range))[0]?.ports, []);
    const single = scope({ 'target-port-range': [{ 'lower-port': 80, 'upper-port': 80 }] });
    assert.deepEqual((await detectionsOf('dots', single))[0]?.ports, [80]);
  });

  it('is withdrawn by a gateway that says so', async () => {
    const [ban] = await detectionsOf('dots', scope({ mid: 123 }));
    const [unban] = await detectionsOf('dots', scope({ mid: 123, action: 'withdraw' }));
    assert.equal(ban?.alertId, '123/203.0.113.10');
    assert.equal(unban?.action, 'unban');
    assert.equal(unban?.alertId, '123/203.0.113.10');
  });
});
