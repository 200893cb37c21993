/** The chapters of docs/routers.md that say "Tried here": their very lines are run, with other addresses and ports. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { until } from '../support/children.ts';
import { PACKAGES } from '../support/daemons/daemon.ts';
import { missing } from '../support/daemons.ts';
import { CHAPTERS, type Place } from '../support/documented-routers.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { reportToDaemon } from '../support/daemon-report.ts';
import { undo } from '../support/undo.ts';

/** The blocks of code of a chapter, in order. */
async function blocksOf(title: string): Promise<readonly string[]> {
  const page = await readFile('docs/routers.md', 'utf8');
  const chapter = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  assert.match(chapter, /Tried here/, `docs/routers.md has a chapter ${title} that was tried`);
  return [...chapter.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
}

/** Starts prefixd with the neighbor of the chapter's YAML, and reports an attack. */
async function report(t: TestContext, folder: string, yaml: string): Promise<void> {
  const data: { bgp?: object; neighbors?: unknown } = parse(yaml);
  const bgp = data.bgp ?? { neighbors: data.neighbors };
  await reportToDaemon(t, folder, bgp);
}

for (const [title, chapter] of Object.entries(CHAPTERS)) {
  describe(`docs/routers.md, ${title} (${PACKAGES[chapter.kind]})`, { skip: missing(chapter.kind) }, () => {
    it('works as it stands on the page', async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'prefixd-page-'));
      undo(t, () => rm(folder, { recursive: true, force: true }));
      const [ours, theirs] = [ownAddress(), ownAddress()];
      const [listen, port] = [await freePort(ours), await freePort(theirs)];
      const moved = (text: string): string =>
        text
          .replaceAll('127.0.0.10', ours)
          .replaceAll(new RegExp(`${chapter.address.replaceAll('.', '\\.')}\\b`, 'g'), theirs)
          .replaceAll('1179', String(listen))
          .replaceAll(/\b179[0-9]\b/g, String(port));
      const [configuration = '', neighbors = ''] = (await blocksOf(title)).map(moved);
      await mkdir(join(folder, 'router'));
      await chmod(folder, 0o755);
      const place: Place = {
        folder: join(folder, 'router'),
        file: join(folder, 'router', 'router.conf'),
        address: theirs,
        port,
        controlPort: await freePort(theirs),
      };
      const text = configuration.replaceAll('/var/lib/exabgp', place.folder);
      await writeFile(place.file, (chapter.preamble ?? '') + text);
      const router = chapter.run(place);
      undo(t, () => router.stop('SIGKILL'));
      await report(t, folder, neighbors);
      await until(
        `${title} holds the rule`,
        async () => (await chapter.table(place)).includes('203.0.113.77/32'),
        60_000,
      ).catch((error: Error) => {
        throw new Error(`${error.message}\n${router.log().slice(-2000)}`);
      });
    });
  });
}
