/** The chapters of docs/routers.md that say "Tried here": their very lines are run, with other addresses and ports. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { type Running, until } from '../support/children.ts';
import { PACKAGES } from '../support/daemons/daemon.ts';
import { missing } from '../support/daemons.ts';
import { CHAPTERS, type Chapter, type Place } from '../support/documented-routers.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { post, reportToDaemon, startForTest } from '../support/daemon-report.ts';
import { undo } from '../support/undo.ts';

const PAGE = await readFile('docs/routers.md', 'utf8');

/** The blocks of code of a chapter, in order: the router's lines, prefixd's neighbor, the lines for unicast routes. */
function blocksOf(title: string): readonly string[] {
  const chapter = PAGE.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  assert.match(chapter, /Tried here/, `docs/routers.md has a chapter ${title} that was tried`);
  return [...chapter.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
}

/** The section `bgp` of the chapter's YAML. */
function bgpOf(yaml: string): { readonly neighbors: readonly object[] } {
  const data: { bgp?: { neighbors: object[] }; neighbors?: object[] } = parse(yaml);
  return data.bgp ?? { neighbors: data.neighbors ?? [] };
}

/** The scrubbers and the blackhole that all chapters share. */
function sharedTargets(): object {
  const [, block] = /^```yaml\n(# prefixd\.yaml\nscrubbers:[\s\S]*?)^```$/m.exec(PAGE) ?? [];
  assert.ok(block !== undefined, 'docs/routers.md has the targets');
  return parse(block);
}

/** The chapter's blocks with free addresses and ports, and where its router runs. */
async function moved(
  t: TestContext,
  title: string,
  { address }: Chapter,
): Promise<{ readonly place: Place; readonly blocks: readonly string[]; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-page-'));
  undo(t, () => rm(folder, { recursive: true, force: true }));
  const [ours, theirs] = [ownAddress(), ownAddress()];
  const [listen, port] = [await freePort(ours), await freePort(theirs)];
  await mkdir(join(folder, 'router'));
  await chmod(folder, 0o755);
  const place: Place = {
    folder: join(folder, 'router'),
    file: join(folder, 'router', 'router.conf'),
    address: theirs,
    port,
    controlPort: await freePort(theirs),
  };
  const blocks = blocksOf(title).map((text) =>
    text
      .replaceAll('127.0.0.10', ours)
      .replaceAll(new RegExp(`${address.replaceAll('.', '\\.')}\\b`, 'g'), theirs)
      .replaceAll('1179', String(listen))
      .replaceAll(/\b179[0-9]\b/g, String(port))
      .replaceAll('/var/lib/exabgp', place.folder),
  );
  return { place, blocks, folder };
}

async function run(t: TestContext, chapter: Chapter, place: Place, text: string): Promise<Running> {
  await writeFile(place.file, (chapter.preamble ?? '') + text);
  const router = chapter.run(place);
  undo(t, () => router.stop('SIGKILL'));
  return router;
}

for (const [title, chapter] of Object.entries(CHAPTERS)) {
  describe(`docs/routers.md, ${title} (${PACKAGES[chapter.kind]})`, { skip: missing(chapter.kind) }, () => {
    it('works as it stands on the page', async (t) => {
      const { place, blocks, folder } = await moved(t, title, chapter);
      const [configuration = '', neighbors = ''] = blocks;
      const router = await run(t, chapter, place, configuration);
      await reportToDaemon(t, folder, bgpOf(neighbors));
      await until(
        `${title} holds the rule`,
        async () => (await chapter.table(place)).includes('203.0.113.77/32'),
        60_000,
      ).catch((error: Error) => {
        throw new Error(`${error.message}\n${router.log().slice(-2000)}`);
      });
    });

    it('takes diversions and discards blackholes with the lines for them', async (t) => {
      const { place, blocks, folder } = await moved(t, title, chapter);
      const [first = '', neighbors = '', further = ''] = blocks;
      const { added, blackholed, diverted, redirected, table } = chapter.targets;
      const router = await run(t, chapter, place, added ? first + further : further);
      const bgp = bgpOf(neighbors);
      const announce = ['flowspec', 'divert', 'blackhole'];
      const daemon = await startForTest(t, folder, {
        ...sharedTargets(),
        bgp: { ...bgp, neighbors: bgp.neighbors.map((one) => ({ ...one, announce })) },
      });
      for (const [victim, action] of [
        ['203.0.113.77', { action_type: 'blackhole' }],
        ['2001:db8:acd::77', { action_type: 'blackhole' }],
        ['203.0.113.78', { action_type: 'divert', to: 'fra' }],
        ['2001:db8:acd::78', { action_type: 'divert', to: 'fra' }],
        ['203.0.113.79', { action_type: 'redirect', to: 'fra' }],
      ] as const) {
        const asked = { operator_id: 'noc', reason: 'test', ttl_seconds: 600, victim_ip: victim, ...action };
        assert.equal(await post(daemon, '/v1/mitigations', asked), 201, victim);
      }
      let shown = '';
      for (const [pattern, read] of [
        ...[...blackholed, ...diverted].map((one) => [one, table] as const),
        [redirected, chapter.table] as const,
      ]) {
        await until(`${title} shows ${pattern}`, async () => {
          shown = await read(place);
          return pattern.test(shown);
        }).catch((error: Error) => {
          throw new Error(`${error.message}\n${shown}\n${router.log().slice(-2000)}`);
        });
      }
    });
  });
}
