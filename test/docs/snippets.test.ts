/** The configurations, events and rules in README and docs are taken as they are by what reads them. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/config-problem.ts';
import { settingsSchema } from '../../src/config/schema/prefixd-schema.ts';
import { formatRule } from '../../src/bgp/flowspec/notation/format.ts';
import { parseRule } from '../../src/bgp/flowspec/notation/parse.ts';
import { parseGenericEvent } from '../../src/intake/generic.ts';
import { unicast } from '../bgp/rib/unicast-routes.ts';
import { findProgram, output } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';
import { type Block, BLOCKS, fileOf, place } from '../support/doc-blocks.ts';
import { undo } from '../support/undo.ts';

const ALL_YAML = BLOCKS.filter(({ language }) => language === 'yaml');

/** prefixd's own files, by their names. */
const OURS = ALL_YAML.filter(
  (block) =>
    /(^|\/)(prefixd|inventory|playbooks|users)\.yaml$/.test(fileOf(block).path) &&
    !/grafana/.test(fileOf(block).path),
);

type Data = Readonly<Record<string, unknown>>;

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Section by section; lists and plain values replace. */
function overlay(below: Data, above: Data): Data {
  const result: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const under = result[key];
    result[key] = isData(under) && isData(value) ? overlay(under, value) : value;
  }
  return result;
}

/** Every variable that is asked for is set, each to a value of its own, as the operator would. */
const environment = new Proxy<Record<string, string>>(
  {},
  { get: (_, name) => valueFor(String(name)), has: () => true },
);

function valueFor(variable: string): string {
  const value = `${variable.toLowerCase()}-0123456789abcdef0123456789abcdef`;
  if (variable.endsWith('DATABASE_URL')) return 'postgresql://prefixd@db.example.net/prefixd';
  if (variable.endsWith('_URL')) return `https://hooks.example/${value}`;
  return variable.endsWith('BOT_TOKEN') ? `123456:${value}` : value;
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'prefixd-snippets-'));
  undo(t, () => rm(path, { recursive: true, force: true }));
  return path;
}

/** The folder of docs/install.md. */
async function installed(
  t: TestContext,
): Promise<{ readonly path: string; readonly files: Map<string, Data> }> {
  const path = await folder(t);
  await cp('playbooks', join(path, 'playbooks'), { recursive: true });
  const files = new Map<string, Data>();
  for (const block of OURS.filter(({ page }) => page === 'docs/install.md')) {
    const name = fileOf(block).path.split('/').at(-1) ?? '';
    files.set(name, parse(block.text));
    await writeFile(join(path, name), block.text);
  }
  assert.deepEqual([...files.keys()].sort(), ['inventory.yaml', 'prefixd.yaml']);
  return { path, files };
}

async function problemsOf(path: string): Promise<readonly string[]> {
  const result = await loadConfig(path, environment);
  return result.ok ? [] : result.problems.map(formatProblem);
}

describe('YAML in README and docs', () => {
  it('is about prefixd in most places, and names its file', () => {
    assert.ok(OURS.length >= 12);
    for (const block of ALL_YAML) assert.ok(fileOf(block).path.length > 0);
  });

  const whole = ['README.md', 'docs/install.md'];
  for (const block of OURS.filter(({ page }) => !whole.includes(page))) {
    it(`passes check: ${place(block)}`, async (t) => {
      const { path, files } = await installed(t);
      // A page may show one folder in several blocks: the files that it has shown before count, too.
      const earlier = OURS.slice(0, OURS.indexOf(block)).filter(
        (one) => one.page === block.page && fileOf(one).path !== fileOf(block).path,
      );
      for (const one of [...earlier, block]) {
        const { path: file, below } = fileOf(one);
        const name = file.split('/').at(-1) ?? '';
        const data: Data = parse(one.text, { strict: true, uniqueKeys: true });
        files.set(name, overlay(files.get(name) ?? {}, below === undefined ? data : { [below]: data }));
        await writeFile(join(path, name), stringify(files.get(name)));
      }
      assert.deepEqual(await problemsOf(path), []);
    });
  }

  for (const page of whole) {
    it(`passes check as a whole folder: ${page}`, async (t) => {
      const path = await folder(t);
      await cp('playbooks', join(path, 'playbooks'), { recursive: true });
      for (const block of OURS.filter((one) => one.page === page))
        await writeFile(join(path, fileOf(block).path.split('/').at(-1) ?? ''), block.text);
      assert.deepEqual(await problemsOf(path), []);
    });
  }

  it('of packaging passes check, too', async (t) => {
    for (const entry of await readdir('packaging', { recursive: true })) {
      if (!entry.endsWith('/prefixd.yaml') || entry.includes('grafana')) continue;
      const { path } = await installed(t);
      await writeFile(join(path, 'prefixd.yaml'), await readFile(join('packaging', entry)));
      assert.deepEqual(await problemsOf(path), [], entry);
    }
  });
});

describe('YAML of others', () => {
  const others = ALL_YAML.filter((block) => !OURS.includes(block));
  const named = (pattern: RegExp): Block => {
    const block = others.find((one) => pattern.test(fileOf(one).path));
    assert.ok(block !== undefined, String(pattern));
    return block;
  };

  it('is that which the tests below check', () => {
    const known = /\/(alertmanager|attacks|prometheus)\.yml$|\/grafana\//;
    assert.deepEqual(others.filter((block) => !known.test(fileOf(block).path)).map(place), []);
  });

  it('passes amtool: alertmanager.yml', {
    skip: missingProgram('amtool', 'prometheus-alertmanager'),
  }, async (t) => {
    const file = join(await folder(t), 'alertmanager.yml');
    await writeFile(file, named(/alertmanager/).text);
    assert.match(await output(findProgram('amtool') ?? '', ['check-config', file]), /SUCCESS/);
  });

  it('passes promtool: rules', { skip: missingProgram('promtool', 'prometheus') }, async (t) => {
    const file = join(await folder(t), 'attacks.yml');
    await writeFile(file, named(/attacks/).text);
    assert.match(await output(findProgram('promtool') ?? '', ['check', 'rules', file]), /1 rules found/);
  });

  it("is of the form that Grafana's provisioning reads", () => {
    const data: { apiVersion: number; providers: { type: string; options: { path: string } }[] } = parse(
      named(/grafana/).text,
    );
    assert.equal(data.apiVersion, 1);
    assert.deepEqual(
      data.providers.map(({ type, options }) => [type, options.path.startsWith('/')]),
      [['file', true]],
    );
  });
});

it('events in JSON are read without a note', () => {
  const blocks = BLOCKS.filter(({ language }) => language === 'json');
  assert.ok(blocks.length > 0);
  for (const block of blocks) {
    const events: unknown = JSON.parse(block.text);
    for (const event of Array.isArray(events) ? events : [events]) {
      const signal = parseGenericEvent(event);
      assert.equal(signal.kind, 'detection', place(block));
      assert.deepEqual(signal.kind === 'detection' ? (signal.detection.notes ?? []) : [], [], place(block));
    }
  }
});

it('rules and routes in operator notation are written as they are read', () => {
  const blocks = BLOCKS.filter(({ language }) => language === 'rule');
  assert.ok(blocks.length > 0);
  for (const block of blocks) {
    for (const line of block.text.trim().split('\n')) {
      if (line.startsWith('route ')) {
        assert.equal(unicast(line).text, line, place(block));
        continue;
      }
      const parsed = parseRule(line);
      assert.ok(parsed.ok, `${place(block)}: ${line}`);
      assert.equal(formatRule(parsed.value.spec, parsed.value.actions), line, place(block));
    }
  }
});

it("FastNetMon's settings are keys of its own file", {
  skip: missingProgram('fastnetmon', 'fastnetmon'),
}, async () => {
  const theirs = await readFile('/etc/fastnetmon.conf', 'utf8');
  const blocks = BLOCKS.filter(({ language }) => language === 'ini');
  assert.ok(blocks.length > 0);
  for (const block of blocks) {
    for (const [, key = ''] of block.text.matchAll(/^(\w+) = /gm))
      assert.match(theirs, new RegExp(`^#? ?${key} = `, 'm'), `${place(block)}: ${key}`);
  }
});

it('the table of quotas has every quota with its default', async () => {
  const page = await readFile('docs/quotas.md', 'utf8');
  const settings = settingsSchema.parse({
    bgp: {
      local_asn: 65010,
      router_id: '192.0.2.10',
      neighbors: [{ name: 'a', address: '192.0.2.1', peer_asn: 65001 }],
    },
  });
  const [neighbor] = settings.bgp.neighbors;
  const expected: Readonly<Record<string, unknown>> = {
    ...Object.fromEntries(Object.entries(settings.quotas).map(([key, value]) => [`quotas.${key}`, value])),
    'bgp.neighbors[].max_rules': neighbor?.max_rules,
    'guardrails.max_ports': settings.guardrails.max_ports,
    'http.rate_limit.events_per_second': settings.http.rate_limit.events_per_second,
    'http.rate_limit.burst': settings.http.rate_limit.burst,
  };
  const shown = [...page.matchAll(/^\| `([\w.[\]]+)` \| `(\d+)` \|/gm)].map(([, key = '', value]) => [
    key,
    Number(value),
  ]);
  assert.deepEqual(Object.fromEntries(shown), expected);
});
