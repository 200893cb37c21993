import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { PLATFORMS, ROUTER_KINDS } from '../../src/config/init/router-snippets.ts';
import { storageFor } from '../../src/cli/init-folder.ts';
import { folder } from '../config/folder.ts';
import { cli } from './harness.ts';

const SAID: Readonly<Record<string, string>> = {
  '--asn': '65010',
  '--router-id': '192.0.2.10',
  '--neighbor': 'edge1',
  '--address': '192.0.2.1',
  '--peer-asn': '65001',
  '--platform': 'juniper',
  '--customer': 'acme',
  '--prefix': '203.0.113.0/24,2001:db8:acd::/48',
};

const options = (changed: Readonly<Record<string, string>> = {}): readonly string[] =>
  Object.entries({ ...SAID, ...changed }).flat();

/** NAME=value lines as a shell or systemd would set them. */
async function environmentOf(dir: string): Promise<Readonly<Record<string, string>>> {
  const lines = (await readFile(join(dir, 'environment'), 'utf8')).split('\n');
  return Object.fromEntries(
    lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
}

describe('prefixd init', () => {
  for (const platform of PLATFORMS) {
    it(`writes a folder for ${platform} that check finds nothing wrong with`, async (t) => {
      const dir = join(await folder(t, {}), 'new');
      const { code, stdout, stderr } = await cli(['init', dir, ...options({ '--platform': platform })]);
      assert.equal(code, 0, stderr);
      assert.ok(stdout.includes(ROUTER_KINDS[platform].title));
      const checked = await cli(['check', '--config', dir], { env: await environmentOf(dir) });
      assert.doesNotMatch(checked.stderr, /^(error|warning)/m);
      assert.match(checked.stdout, /^OK: 1 customer, \d+ playbooks, 1 neighbor\n$/);
    });
  }

  it('prints the configuration of the router as it is to be copied, and commands that name no npx', async (t) => {
    const dir = join(await folder(t, {}), 'new');
    const { stdout } = await cli(['init', dir, ...options({ '--platform': 'bird', '--port': '1790' })]);
    for (const line of ['  local 192.0.2.1 port 1790 as 65001;', '  neighbor 192.0.2.10 as 65010;']) {
      assert.ok(stdout.includes(`\n${line}\n`), line);
    }
    for (const command of [
      `check --config ${dir}`,
      `run --config ${dir}`,
      'status',
      'events send --source test',
    ]) {
      assert.match(stdout, new RegExp(`^  \\S.*${command}`, 'm'));
    }
    assert.doesNotMatch(stdout, /npx/);
  });

  it('makes a token that only its owner can read, and another one each time', async (t) => {
    const place = await folder(t, {});
    const tokens = new Set<string>();
    for (const name of ['one', 'two']) {
      const dir = join(place, name);
      assert.equal((await cli(['init', dir, ...options()])).code, 0);
      assert.equal((await stat(join(dir, 'environment'))).mode & 0o777, 0o600);
      const { PREFIXD_API_TOKEN: token = '' } = await environmentOf(dir);
      assert.match(token, /^[\w-]{43}$/);
      tokens.add(token);
    }
    assert.equal(tokens.size, 2);
  });

  it('tells the command line where an API is that listens elsewhere', async (t) => {
    const dir = join(await folder(t, {}), 'new');
    assert.equal((await cli(['init', dir, ...options({ '--listen': '[::1]:9999' })])).code, 0);
    assert.equal((await environmentOf(dir)).PREFIXD_API, 'http://[::1]:9999');
  });

  it('keeps the folder that is there and everything in it, and says what is in the way', async (t) => {
    const dir = await folder(t, { 'inventory.yaml': 'mine', 'notes.txt': 'mine, too' });
    const { code, stderr } = await cli(['init', dir, ...options()]);
    assert.equal(code, 5);
    assert.match(stderr, /already contains inventory\.yaml; choose a new folder/);
    assert.deepEqual((await readdir(dir)).sort(), ['inventory.yaml', 'notes.txt']);
    assert.equal(await readFile(join(dir, 'inventory.yaml'), 'utf8'), 'mine');
  });

  it('fills a folder that holds other things, with its permissions as they were', async (t) => {
    const dir = await folder(t, { 'ca.pem': 'mine' });
    await chmod(dir, 0o750);
    assert.equal((await cli(['init', dir, ...options()])).code, 0);
    assert.equal((await stat(dir)).mode & 0o777, 0o750);
    assert.deepEqual((await readdir(dir)).sort(), [
      'ca.pem',
      'environment',
      'inventory.yaml',
      'playbooks',
      'prefixd.yaml',
    ]);
  });

  it('writes nothing when an answer would not pass check', async (t) => {
    const place = await folder(t, {});
    const { code, stderr } = await cli([
      'init',
      join(place, 'new'),
      ...options({ '--address': '224.0.0.1' }),
    ]);
    assert.equal(code, 5);
    assert.match(
      stderr,
      /nothing was written.*\n.*prefixd\.yaml:\d+:\d+: bgp\.neighbors\[0\]\.address: 224\.0\.0\.1 is not unicast/,
    );
    assert.deepEqual(await readdir(place), []);
  });

  it('takes no address of prefixd for that of the router', async (t) => {
    const dir = join(await folder(t, {}), 'new');
    const { code, stderr } = await cli(['init', dir, ...options({ '--address': '192.0.2.10' })]);
    assert.equal(code, 5);
    assert.match(
      stderr,
      /192\.0\.2\.10 is an address of prefixd itself; --address must be an address of edge1/,
    );
  });

  it('names everything that is missing or wrong at once when nobody can be asked', async (t) => {
    const place = await folder(t, {});
    const { code, stderr } = await cli([
      'init',
      join(place, 'new'),
      '--asn',
      'AS65010',
      '--prefix',
      '203.0.113.1/24',
    ]);
    assert.equal(code, 5);
    assert.match(
      stderr,
      /missing: --router-id, --address, --peer-asn, --platform, --local-address, --customer\n/,
    );
    assert.match(stderr, /invalid --asn "AS65010": expected an AS number/);
    assert.match(stderr, /invalid --prefix: .*did you mean 203\.0\.113\.0\/24\?/);
    assert.deepEqual(await readdir(place), []);
  });

  it('needs to be told from where it connects to a router with an IPv6 address', async (t) => {
    const place = await folder(t, {});
    const router = { '--address': '2001:db8::1' };
    const without = await cli(['init', join(place, 'new'), ...options(router)]);
    assert.match(without.stderr, /missing: --local-address\n/);
    const { code, stdout } = await cli([
      'init',
      join(place, 'new'),
      ...options({ ...router, '--local-address': '2001:db8::a' }),
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /^set protocols bgp group prefixd neighbor 2001:db8::a peer-as 65010$/m);
  });

  it('configures an internal session where both AS numbers are the same', async (t) => {
    const place = await folder(t, {});
    const { stdout } = await cli(['init', join(place, 'new'), ...options({ '--peer-asn': '65010' })]);
    assert.match(stdout, /^set protocols bgp group prefixd type internal$/m);
    assert.doesNotMatch(stdout, /peer-as/);
  });

  it('gives a program the same as JSON', async (t) => {
    const dir = join(await folder(t, {}), 'new');
    const { stdout } = await cli(['-f', 'json', 'init', dir, ...options()]);
    const report = JSON.parse(stdout);
    assert.equal(report.folder, dir);
    assert.equal(report.router.platform, 'juniper');
    assert.match(report.router.configuration, /^set routing-options flow term-order standard\n/);
  });

  it('keeps its data beside the configuration, but where a service may write for one in /etc', async (t) => {
    const dir = join(await folder(t, {}), 'new');
    assert.equal((await cli(['init', dir, ...options()])).code, 0);
    const result = await loadConfig(dir, await environmentOf(dir));
    assert.ok(result.ok);
    assert.equal(result.config.storage.path, join(dir, 'data'));
    assert.equal(storageFor('/etc/prefixd'), '/var/lib/prefixd');
  });
});

describe('prefixd init at a terminal', () => {
  const answers = (...lines: readonly string[]) => ({
    inputIsTerminal: true,
    stdin: `${lines.join('\n')}\n`,
  });

  it('asks for what is not given, and again where an answer is invalid', async (t) => {
    const dir = join(await folder(t, {}), 'new');
    const { code, stderr } = await cli(
      ['init', dir, '--asn', '65010', '--platform', 'frr'],
      answers('192.0.2.10', '', '192.0.2.1', 'x', '65001', '', 'acme', '203.0.113.0/24 198.51.100.0/24'),
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Name of the first router \[edge1\]: /);
    assert.match(stderr, /AS number of edge1: {3}invalid --peer-asn "x".*\nAS number of edge1: /);
    assert.match(stderr, /Address from which prefixd connects to edge1 \[192\.0\.2\.10\]: /);
    assert.doesNotMatch(stderr, /AS number of prefixd|Platform/);
    assert.match(
      await readFile(join(dir, 'inventory.yaml'), 'utf8'),
      /\["203\.0\.113\.0\/24", "198\.51\.100\.0\/24"\]/,
    );
  });

  it('writes nothing when the answers end early', async (t) => {
    const place = await folder(t, {});
    const { code, stderr } = await cli(['init', join(place, 'new')], answers('65010'));
    assert.equal(code, 1);
    assert.match(stderr, /nothing was written: the input ended before all questions were answered/);
    assert.deepEqual(await readdir(place), []);
  });

  it('looks for files in the way before it asks', async (t) => {
    const dir = await folder(t, {});
    await mkdir(join(dir, 'playbooks'));
    await writeFile(join(dir, 'playbooks', 'mine.yaml'), '');
    const { code, stderr } = await cli(['init', dir], answers('65010'));
    assert.equal(code, 5);
    assert.match(stderr, /^prefixd: \S+ already contains playbooks/);
  });

  it('asks nothing with --yes', async (t) => {
    const dir = join(await folder(t, {}), 'new');
    const { code, stderr } = await cli(['init', dir, '-y'], answers('65010'));
    assert.equal(code, 5);
    assert.match(stderr, /^prefixd: missing: --asn, --router-id,/);
  });
});
