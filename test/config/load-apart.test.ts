import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, symlink, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { loadConfig } from '../../src/config/load.ts';
import { loadConfigApart } from '../../src/config/load-apart.ts';
import { parseAddress } from '../../src/net/prefix.ts';
import { program } from '../cli/harness.ts';
import { skipTurns, watchTurns } from '../support/processor-time.ts';
import { folder, INVENTORY, PLAYBOOKS, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

const FILES = { 'prefixd.yaml': SHORTEST, 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS };
const run = promisify(execFile);

function inventoryOf(customers: number): string {
  const entries = Array.from({ length: customers }, (_, i) => {
    const net = `20.${i >> 8}.${i & 255}`;
    return `  - customer_id: c${i}
    prefixes: ["${net}.0/24"]
    services: [{ service_id: web, assets: [{ ip: "${net}.10" }], allowed_ports: { tcp: [80, "443-444"] } }]
`;
  });
  return `customers:\n${entries.join('')}`;
}

test('a thread reads the same configuration as the one that asks would', async (t) => {
  const settings = `${SHORTEST}quotas: { max_active_global: unlimited }
safelist: { prefixes: ["10.0.0.0/8", "2001:db8::/32"] }
detectors: { fnm: { vector_map: { weird: udp_flood } } }
`;
  const path = await folder(t, { ...FILES, 'prefixd.yaml': settings, 'inventory.yaml': inventoryOf(50) });
  const [here, apart] = [await loadConfig(path, {}), await loadConfigApart(path, {})];
  assert.deepEqual(warningsOf(apart), warningsOf(here));
  const { policy: policyHere, ...restHere } = sound(here);
  const { policy: policyApart, ...restApart } = sound(apart);
  assert.deepEqual(restApart, restHere);
  const { inventory, forecast, ...plain } = policyApart;
  const { inventory: inventoryHere, forecast: forecastHere, ...plainHere } = policyHere;
  assert.deepEqual(plain, plainHere);
  assert.equal(inventory.size, inventoryHere.size);
  for (const text of ['20.0.7.10', '20.0.7.11', '20.1.0.1']) {
    const address = parseAddress(text) ?? assert.fail();
    assert.deepEqual(inventory.lookup(address), inventoryHere.lookup(address));
  }
  const match = { dstPrefix: '20.0.7.10/32', protocol: 17, dstPorts: [], srcPorts: [] };
  const action = { type: 'discard', rateBps: null } as const;
  assert.deepEqual(forecast?.(match, action), forecastHere?.(match, action));
});

test('a thread finds the same problems', async (t) => {
  const path = await folder(t, { ...FILES, 'prefixd.yaml': SHORTEST.replace('peer_asn', 'peer_asm') });
  assert.deepEqual(problemsOf(await loadConfigApart(path, {})), problemsOf(await loadConfig(path, {})));
});

test('more problems than anybody reads are counted', async (t) => {
  const wrong = Array.from({ length: 1500 }, (_, i) => `  - { customer_id: c${i}, prefixes: ["x${i}"] }\n`);
  const path = await folder(t, { ...FILES, 'inventory.yaml': `customers:\n${wrong.join('')}` });
  const said = problemsOf(await loadConfigApart(path, {}));
  assert.equal(said.length, 1001);
  assert.match(said.at(-1) ?? '', /500 more problems are not listed/);
});

test('reading that takes longer than it may is given up', async (t) => {
  const path = await folder(t, FILES);
  const said = problemsOf(await loadConfigApart(path, {}, { milliseconds: 1 }));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /reading was stopped after 1 s; make the file smaller/);
});

test('reading that takes more memory than it may ends the thread alone', async (t) => {
  const path = await folder(t, { ...FILES, 'inventory.yaml': inventoryOf(20_000) });
  const said = problemsOf(await loadConfigApart(path, {}, { heapMib: 64 }));
  assert.equal(said.length, 1);
  assert.match(
    said[0] ?? '',
    /^inventory.yaml : reading needs more than 64 MiB of memory; make the file smaller$/,
  );
});

async function put(kind: string, file: string): Promise<void> {
  await unlink(file);
  if (kind === 'FIFO') await run('mkfifo', [file]);
  else if (kind === 'device') await symlink('/dev/zero', file);
  else await mkdir(file);
}

const SPECIAL = ['FIFO', 'device', 'folder'] as const;

for (const kind of SPECIAL) {
  test(`check refuses a ${kind} in place of each file`, async (t: TestContext) => {
    const path = await folder(t, FILES);
    for (const name of Object.keys(FILES)) await put(kind, join(path, name));
    const { code, stderr } = await program(t, ['check', '--config', path]);
    assert.equal(code, 5);
    for (const name of Object.keys(FILES)) {
      assert.match(
        stderr,
        new RegExp(`${name}: it is a ${kind}, not a regular file; put a regular file there`),
      );
    }
    assert.doesNotMatch(stderr, /file not found/);
  });
}

test('a FIFO in place of a certificate is refused', async (t) => {
  const tls = 'http: { tls: { cert_path: cert.pem, key_path: key.pem } }\n';
  const path = await folder(t, {
    ...FILES,
    'prefixd.yaml': `${SHORTEST}${tls}`,
    'cert.pem': '',
    'key.pem': '',
  });
  await put('FIFO', join(path, 'cert.pem'));
  const said = problemsOf(await loadConfigApart(path, { PREFIXD_API_TOKEN: 'x'.repeat(32) }));
  assert.match(said.join('\n'), /cert\.pem: it is a FIFO, not a regular file/);
});

test('files have a largest size, sparse ones included', async (t) => {
  const path = await folder(t, FILES);
  await truncate(join(path, 'inventory.yaml'), 2 ** 40);
  await truncate(join(path, 'prefixd.yaml'), 2 ** 20 + 1);
  const said = problemsOf(await loadConfigApart(path, {}));
  assert.match(said.join('\n'), /inventory\.yaml : it is larger than the limit of 32 MiB/);
  assert.match(said.join('\n'), /prefixd\.yaml : it is larger than the limit of 1 MiB/);
});

test('while a large inventory is read, others have their turns', { skip: skipTurns }, async (t) => {
  const path = await folder(t, { ...FILES, 'inventory.yaml': inventoryOf(10_000) });
  // Processor time of this thread, which does not depend on how busy the machine is.
  const turns = watchTurns();
  const from = process.cpuUsage();
  assert.equal(sound(await loadConfigApart(path, {})).policy.inventory.size, 20_000);
  const longest = turns.longest();
  turns.stop();
  const { user, system } = process.cpuUsage(from);
  const all = (user + system) / 1000;
  assert.ok(longest < all / 8, `the longest turn took ${longest} ms of ${all} ms`);
});
