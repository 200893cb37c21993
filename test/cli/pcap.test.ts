import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cli } from './harness.ts';

const FIXTURES = new URL('../../fixtures/wire/', import.meta.url);

interface Route {
  readonly afi: number;
  readonly safi: number;
  readonly nlri_hex: string;
  readonly rule?: string;
}

interface Line {
  readonly type: string;
  readonly error?: string;
  readonly announced?: readonly Route[];
  readonly withdrawn?: readonly Route[];
}

async function read(name: string): Promise<readonly Line[]> {
  const { code, stdout, stderr } = await cli(['pcap', fileURLToPath(new URL(name, FIXTURES))]);
  assert.equal(code, 0, stderr);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith('.pcap'))) {
  test(`${name}: every message is read, and every rule is told`, async () => {
    const lines = await read(name);
    assert.deepEqual(
      lines.filter(({ error }) => error !== undefined),
      [],
    );
    assert.deepEqual(
      lines.slice(0, 2).map(({ type }) => type),
      ['open', 'open'],
    );
    const routes = lines.flatMap(({ announced = [], withdrawn = [] }) => [...announced, ...withdrawn]);
    assert.ok(routes.length > 0);
    for (const route of routes) {
      assert.match(route.nlri_hex, /^([0-9a-f]{2})+$/);
      if (route.safi !== 1) assert.match(route.rule ?? '', /^match /);
    }
  });
}

test('what BIRD announced is told octet for octet', async () => {
  const lines = await read('bird-gobgp.pcap');
  const [first] = lines.flatMap(({ announced = [] }) => announced);
  assert.deepEqual(first, {
    afi: 1,
    safi: 133,
    nlri_hex: '0c0120cb00710a038111058135',
    rule: 'match dst 203.0.113.10/32 proto udp dst-port 53',
  });
});

test('a file that is no capture is invalid input', async () => {
  const file = fileURLToPath(import.meta.url);
  const outcome = await cli(['pcap', file]);
  assert.equal(outcome.code, 5);
  assert.notEqual(outcome.stderr, '');
  assert.equal((await cli(['pcap', '/nonexistent.pcap'])).code, 5);
});
