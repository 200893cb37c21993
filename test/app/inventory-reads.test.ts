/** A daemon whose customers are in a NetBox that changes, fails, loses objects and dies. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { type Daemon, startDaemon } from '../../src/app/daemon.ts';
import { loadConfigApart } from '../../src/config/load-apart.ts';
import { PLAYBOOKS, sound, temporaryFolder } from '../config/folder.ts';
import { FakeNetBox, TOKEN_V2 } from '../inventory/fake-netbox.ts';
import { until } from '../support/children.ts';
import { neverOverloaded } from '../support/overload.ts';

const SECRET = 'hook-secret-5f1c';
const ENVIRONMENT = { NETBOX_TOKEN: TOKEN_V2, HOOK_SECRET: SECRET };

function settings(url: string): string {
  return `pop: lab
http: { listen: "127.0.0.1:0" }
bgp:
  mode: mock
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors:
    - { name: edge1, address: "192.0.2.1", peer_asn: 65001 }
storage: { path: data }
inventory:
  source: netbox
  url: ${url}
  token_env: NETBOX_TOKEN
  refresh_seconds: 3600
  safelist_tag: never-mitigate
  webhook_secret_env: HOOK_SECRET
`;
}

interface Place {
  readonly directory: string;
  readonly netbox: FakeNetBox;
  /** Run after the test, the last one first. */
  readonly ends: (() => Promise<unknown>)[];
}

async function place(t: TestContext, more: Readonly<Record<string, string>> = {}): Promise<Place> {
  const netbox = await new FakeNetBox('4.6', TOKEN_V2).start();
  netbox.content.tenants.push(
    { id: 1, name: 'acme', slug: 'acme' },
    { id: 2, name: 'globex', slug: 'globex' },
  );
  for (let n = 1; n <= 10; n++) {
    netbox.content.prefixes.push({ id: n, prefix: `203.0.${n}.0/24`, tenant: n === 10 ? 2 : 1 });
  }
  const files = { 'prefixd.yaml': settings(netbox.url), 'playbooks.yaml': PLAYBOOKS, ...more };
  const { path: directory, remove } = await temporaryFolder(files);
  const ends: Place['ends'] = [remove, () => netbox.stop()];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  return { directory, netbox, ends };
}

interface Started {
  readonly daemon: Daemon;
  readonly get: (path: string) => Promise<Record<string, unknown>>;
  readonly post: (path: string, body?: unknown) => Promise<{ status: number; body: Record<string, unknown> }>;
  /** Facts of adopted policies so far. */
  readonly policies: () => number;
}

async function start({ directory, ends }: Place): Promise<Started> {
  const load = () => loadConfigApart(directory, ENVIRONMENT);
  const config = sound(await load());
  const daemon = await startDaemon({
    config,
    logger: pino({ level: 'silent' }),
    load,
    watchOverload: neverOverloaded,
  });
  ends.push(() => daemon.stop());
  const base = `http://${daemon.http.host}:${daemon.http.port}`;
  const call = async (method: 'GET' | 'POST', path: string, body?: unknown) => {
    const answer = await request(`${base}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> };
  };
  let policies = 0;
  daemon.engine.follow((facts) => {
    policies += facts.filter(({ fact }) => fact.type === 'policy.loaded').length;
  });
  return {
    daemon,
    get: async (path) => (await call('GET', path)).body,
    post: (path, body) => call('POST', path, body),
    policies: () => policies,
  };
}

const inUse = ({ daemon }: Started): readonly string[] =>
  daemon.engine.policy.inventory.data.customers.map(({ customer_id: id }) => id);

const firstRead = (one: Started) =>
  until(
    'the first read',
    async () => (await one.get('/v1/inventory')).copy !== null && inUse(one).length > 0,
  );

function attack(victim: string): object {
  return {
    victim_ip: victim,
    vector: 'udp_flood',
    source: 'test',
    action: 'ban',
    timestamp: new Date().toISOString(),
  };
}

async function reasons(one: Started): Promise<readonly string[]> {
  const { reasons: all } = await one.get('/v1/health/detail');
  return (all as { code: string; text: string }[])
    .filter(({ code }) => code === 'inventory')
    .map(({ text }) => text);
}

describe('a daemon with an inventory in NetBox', () => {
  it('adopts it, changes nothing when it is equal, and protects a new tenant after the webhook', async (t) => {
    const at = await place(t);
    const one = await start(at);
    await firstRead(one);
    assert.deepEqual(inUse(one), ['acme', 'globex']);
    const before = one.policies();
    assert.equal((await one.post('/v1/inventory/sync')).body.result, 'unchanged');
    assert.equal(one.policies(), before);
    const refused = await one.post('/v1/events', attack('198.51.100.9'));
    assert.equal(refused.body.reason, 'not_in_inventory');

    at.netbox.content.tenants.push({ id: 3, name: 'new', slug: 'new' });
    at.netbox.content.prefixes.push({ id: 33, prefix: '198.51.100.0/24', tenant: 3 });
    at.netbox.content.prefixes.push({ id: 34, prefix: '192.0.2.128/25', tags: ['never-mitigate'] });
    const body = JSON.stringify({ event: 'created', model: 'tenant', data: { id: 3 } });
    const sign = (key: string): string => createHmac('sha512', key).update(body).digest('hex');
    const hook = (signature: string) =>
      request(`http://${one.daemon.http.host}:${one.daemon.http.port}/v1/inventory/hook`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-hook-signature': signature },
        body,
      });
    assert.equal((await hook(sign('wrong'))).statusCode, 401);
    const asked = at.netbox.requests.length;
    assert.equal((await hook(sign(SECRET))).statusCode, 202);
    assert.equal(at.netbox.requests.length, asked, 'the webhook itself reads nothing');
    const next = Date.parse(String((await one.get('/v1/inventory')).next_read_at));
    assert.ok(next - Date.now() < 11_000, 'the next read comes soon');
    assert.equal((await one.post('/v1/inventory/sync')).body.result, 'adopted');
    assert.equal(one.policies(), before + 1);
    assert.deepEqual(inUse(one), ['acme', 'globex', 'new']);
    assert.equal((await one.post('/v1/events', attack('198.51.100.9'))).status, 202);
    const safelist = await one.get('/v1/safelist');
    assert.deepEqual(
      (safelist as unknown as { prefix: string }[]).map(({ prefix }) => prefix),
      ['192.0.2.128/25'],
    );
    const metrics = await request(`http://${one.daemon.http.host}:${one.daemon.http.port}/metrics`);
    const text = await metrics.body.text();
    assert.match(text, /prefixd_inventory_objects\{kind="prefixes"\} 11/);
    assert.match(text, /prefixd_inventory_reads_total\{result="unchanged"\} 1/);
    assert.match(text, /prefixd_inventory_copy_age_seconds \d/);
  });

  it('starts without NetBox, with the last good copy', async (t) => {
    const at = await place(t);
    const first = await start(at);
    await firstRead(first);
    await first.daemon.stop();
    await at.netbox.stop();
    const second = await start(at);
    assert.deepEqual(inUse(second), ['acme', 'globex']);
    assert.equal((await second.post('/v1/events', attack('203.0.10.9'))).status, 202);
    const [text = ''] = await until('a problem in health', async () => {
      const found = await reasons(second);
      return found.length > 0 ? found : false;
    });
    assert.match(text, /cannot be read \(unreachable\); the copy stays in use/);
    const sync = await second.post('/v1/inventory/sync');
    assert.equal(sync.status, 503);
    assert.equal(sync.body.reason, 'inventory_failed');
    assert.deepEqual(inUse(second), ['acme', 'globex']);
  });

  it('uses the copy before it if the last one is damaged, and none if both are', async (t) => {
    const at = await place(t);
    const first = await start(at);
    await firstRead(first);
    at.netbox.content.tenants.push({ id: 3, name: 'new', slug: 'new' });
    await first.post('/v1/inventory/sync');
    await first.daemon.stop();
    await at.netbox.stop();
    const damage = async (name: string): Promise<void> => {
      const path = join(at.directory, 'data', name);
      await writeFile(path, (await readFile(path, 'utf8')).replace('203.0.10.0', '203.0.11.0'));
    };
    await damage('inventory-copy.json');
    const second = await start(at);
    assert.deepEqual(inUse(second), ['acme', 'globex']);
    await second.daemon.stop();
    await damage('inventory-copy.previous.json');
    const third = await start(at);
    assert.deepEqual(inUse(third), []);
    assert.match((await reasons(third)).join(), /no inventory of http:.* yet/);
  });

  it('keeps the copy when NetBox dies at any page', async (t) => {
    const at = await place(t);
    at.netbox.maxPageSize = 3;
    const one = await start(at);
    await firstRead(one);
    const pages = at.netbox.requests.length;
    at.netbox.content.prefixes.push({ id: 50, prefix: '203.0.50.0/24', tenant: 1 });
    const digest = (await one.get('/v1/inventory')).copy;
    for (let page = 1; page <= pages; page += 2) {
      const from = at.netbox.requests.length;
      at.netbox.interfere = (n, _url, response) => {
        if (n !== from + page) return false;
        response.destroy();
        return true;
      };
      assert.equal((await one.post('/v1/inventory/sync')).status, 503, `page ${page}`);
      assert.deepEqual((await one.get('/v1/inventory')).copy, digest);
    }
    at.netbox.interfere = () => false;
    assert.equal((await one.post('/v1/inventory/sync')).body.result, 'adopted');
    assert.deepEqual(await reasons(one), []);
  });

  it('holds back what has lost more than a fifth of its prefixes, until an operator accepts it', async (t) => {
    const at = await place(t);
    const one = await start(at);
    await firstRead(one);
    at.netbox.content.prefixes.splice(0, 2);
    assert.equal((await one.post('/v1/inventory/sync')).body.result, 'adopted', 'a fifth may go');
    at.netbox.content.prefixes.splice(0, 2);
    const before = one.policies();
    const { body } = await one.post('/v1/inventory/sync');
    assert.equal(body.result, 'waiting');
    assert.match(String(body.reason), /2 of 8 prefixes would vanish, more than 20%/);
    assert.equal(one.policies(), before);
    assert.equal(one.daemon.engine.policy.inventory.size, 8);
    const diff = await one.get('/v1/inventory/diff');
    assert.deepEqual(diff.lines, [
      'prefix 203.0.3.0/24: removed from acme',
      'prefix 203.0.4.0/24: removed from acme',
    ]);
    assert.match((await reasons(one)).join(), /is not used: 2 of 8 prefixes/);
    const waits = await one.post('/v1/inventory/sync');
    assert.equal(waits.body.result, 'waiting', 'also when it is read again');
    const wrong = await one.post('/v1/inventory/accept', { digest: 'sha256:0', operator_id: 'kim' });
    assert.equal(wrong.status, 409);
    const accepted = await one.post('/v1/inventory/accept', { digest: diff.digest, operator_id: 'kim' });
    assert.equal(accepted.body.result, 'adopted');
    assert.equal(one.daemon.engine.policy.inventory.size, 6);
    assert.deepEqual(await reasons(one), []);
    await one.daemon.stop();
    await at.netbox.stop();
    const again = await start(at);
    assert.equal(again.daemon.engine.policy.inventory.size, 6);
  });

  it('holds back what has lost a customer with active mitigations, and lets go when it is back', async (t) => {
    const at = await place(t);
    const one = await start(at);
    await firstRead(one);
    assert.equal((await one.post('/v1/events', attack('203.0.10.9'))).status, 202);
    const [globex] = at.netbox.content.tenants.splice(1, 1);
    const { body } = await one.post('/v1/inventory/sync');
    assert.equal(body.result, 'waiting');
    assert.match(String(body.reason), /customer globex with active mitigations would vanish/);
    assert.deepEqual(inUse(one), ['acme', 'globex']);
    if (globex !== undefined) at.netbox.content.tenants.push(globex);
    assert.equal((await one.post('/v1/inventory/sync')).body.result, 'unchanged');
    assert.equal((await one.get('/v1/inventory')).waiting, null);
  });

  it('lets inventory.yaml win, and reloads with the copy', async (t) => {
    const yaml = `customers:
  - customer_id: globex
    prefixes: ["198.51.100.0/24"]
  - customer_id: own
    prefixes: ["203.0.1.0/24"]
`;
    const at = await place(t, { 'inventory.yaml': yaml });
    const one = await start(at);
    await firstRead(one);
    const all = (): unknown =>
      one.daemon.engine.policy.inventory.data.customers.map(({ customer_id: id, prefixes = [] }) => [
        id,
        prefixes.length,
      ]);
    await until('NetBox', async () => inUse(one).length === 3);
    const expected = [
      ['globex', 1],
      ['own', 1],
      ['acme', 8],
    ];
    assert.deepEqual(all(), expected);
    const reload = await one.post('/v1/config/reload', {});
    assert.equal(reload.status, 200, JSON.stringify(reload.body));
    assert.deepEqual(all(), expected);
    // A file that is being edited does not come in with the next read.
    await writeFile(join(at.directory, 'inventory.yaml'), 'customers: [');
    at.netbox.content.tenants.push({ id: 7, name: 'late', slug: 'late' });
    assert.equal((await one.post('/v1/inventory/sync')).body.result, 'adopted');
    assert.deepEqual(inUse(one), ['globex', 'own', 'acme', 'late']);
  });

  it('reads a document of any server in the same way', async (t) => {
    const at = await place(t);
    const document = {
      customers: [{ customer_id: 'doc', prefixes: ['198.51.100.0/24'] }],
      safelist: ['192.0.2.0/24'],
    };
    let body: unknown = document;
    at.netbox.interfere = (_n, url, response) => {
      if (url.pathname !== '/customers.json') return false;
      response.end(JSON.stringify(body));
      return true;
    };
    await writeFile(
      join(at.directory, 'prefixd.yaml'),
      settings(`${at.netbox.url}/customers.json`)
        .replace('source: netbox', 'source: http')
        .replace(/ {2}safelist_tag.*\n {2}webhook.*\n/, ''),
    );
    const one = await start(at);
    await firstRead(one);
    assert.deepEqual(inUse(one), ['doc']);
    assert.equal(one.daemon.engine.policy.safelist.length, 1);
    body = { customers: [{ customer_id: 'doc', prefixes: ['198.51.100.1/24'] }] };
    const { status, body: problem } = await one.post('/v1/inventory/sync');
    assert.equal(status, 503);
    assert.match(String(problem.detail), /no valid inventory: .*198\.51\.100\.1\/24/);
    assert.deepEqual(inUse(one), ['doc']);
  });

  it('refuses a reload that would drop all customers because the copy is gone', async (t) => {
    const at = await place(t);
    const one = await start(at);
    await firstRead(one);
    for (const name of ['inventory-copy.json']) await writeFile(join(at.directory, 'data', name), 'x');
    const { status, body } = await one.post('/v1/config/reload', {});
    assert.equal(status, 422);
    assert.match(JSON.stringify(body), /prefixd inventory sync/);
    assert.deepEqual(inUse(one), ['acme', 'globex']);
    assert.equal((await one.post('/v1/inventory/sync')).body.result, 'unchanged');
    assert.equal((await one.post('/v1/config/reload', {})).status, 200);
    assert.deepEqual(inUse(one), ['acme', 'globex']);
  });
});
