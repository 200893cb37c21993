import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/app/config/load.ts';
import { folder, INVENTORY, PLAYBOOKS } from '../app/config/folder.ts';
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
  assert.equal(code, 0);
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
  assert.equal((await cli(['migrate', path, '--output', output])).code, 0);
  const result = await loadConfig(output, {});
  assert.ok(result.ok, JSON.stringify(result));
  assert.equal(result.config.policy.mode, 'dry-run');
  assert.equal(await readFile(join(output, 'playbooks.yaml'), 'utf8'), PLAYBOOKS);
  assert.doesNotMatch(await readFile(join(output, 'prefixd.yaml'), 'utf8'), /hunter22/);
  const again = await cli(['migrate', path, '--output', output]);
  assert.equal(again.code, 5);
  assert.match(again.stderr, /holds prefixd\.yaml, .* already/);
});

test('what cannot be carried over is left to be done by hand, and named', async (t) => {
  const path = await folder(t, { ...FILES, 'prefixd.yaml': `${UPSTREAM}frobnicate: 1\n` });
  const { code, stdout } = await cli(['-f', 'json', 'migrate', path]);
  assert.equal(code, 0);
  const report = JSON.parse(stdout);
  assert.deepEqual(
    report.problems.map((one: { path: string }) => one.path),
    ['frobnicate'],
  );
});

test('a folder without settings is not found', async (t) => {
  const { code, stderr } = await cli(['migrate', await folder(t, {})]);
  assert.equal(code, 4);
  assert.match(stderr, /holds no prefixd\.yaml/);
});
