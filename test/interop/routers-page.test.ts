/** The chapters of docs/routers.md that say "Tried here": their very lines are run, with other addresses and ports. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { findProgram, output, type Running, start, until } from '../support/children.ts';
import { type DaemonKind, PACKAGES } from '../support/daemons/daemon.ts';
import { missing } from '../support/daemons.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { reportToDaemon } from '../support/daemon-report.ts';
import { undo } from '../support/undo.ts';

/** How the router of a chapter is started with the chapter's configuration, and asked what it holds. */
interface Chapter {
  readonly kind: DaemonKind;
  /** The router's address on the page. */
  readonly address: string;
  /** What every configuration of it needs beside the chapter's lines. */
  readonly preamble?: string;
  run(place: Place): Running;
  table(place: Place): Promise<string>;
}

interface Place {
  readonly folder: string;
  readonly file: string;
  readonly address: string;
  readonly port: number;
  /** For a control connection of the router's own. */
  readonly controlPort: number;
}

const program = (name: string): string => findProgram(name) ?? name;

const CHAPTERS: Readonly<Record<string, Chapter>> = {
  FRR: {
    kind: 'frr',
    address: '127.0.0.4',
    run: ({ folder, file, address, port }) =>
      start(program('bgpd'), [
        ...['--no_kernel', '--no_zebra', '--skip_runas', '--log', 'stdout', '-f', file],
        ...['-i', join(folder, 'bgpd.pid'), '--vty_socket', folder, '--vty_port', '0'],
        ...['-l', address, '-p', String(port)],
      ]),
    table: ({ folder }) =>
      output(program('vtysh'), ['--vty_socket', folder, '-c', 'show bgp ipv4 flowspec detail']),
  },
  BIRD: {
    kind: 'bird',
    address: '127.0.0.3',
    preamble: 'log stderr all;\n',
    run: ({ folder, file }) =>
      start(program('bird'), ['-f', '-c', file, '-s', join(folder, 'ctl'), '-P', join(folder, 'pid')]),
    table: ({ folder }) =>
      output(program('birdc'), ['-s', join(folder, 'ctl'), 'show', 'route', 'table', 'flow4tab', 'all']),
  },
  GoBGP: {
    kind: 'gobgp',
    address: '127.0.0.1',
    run: ({ file, address, controlPort }) =>
      start(program('gobgpd'), ['-f', file, '--pprof-disable', '--api-hosts', `${address}:${controlPort}`]),
    table: ({ address, controlPort }) =>
      output(program('gobgp'), [
        ...['-u', address, '-p', String(controlPort), 'global', 'rib', '-a', 'ipv4-flowspec'],
      ]),
  },
  ExaBGP: {
    kind: 'exabgp',
    address: '127.0.0.5',
    run: ({ folder, file }) =>
      start(program('exabgp'), [file], {
        cwd: folder,
        env: {
          'exabgp.daemon.user': process.getuid?.() === 0 ? 'root' : (process.env.USER ?? 'root'),
          'exabgp.daemon.drop': 'false',
          'exabgp.api.cli': 'false',
          'exabgp.log.level': 'ERR',
        },
      }),
    table: ({ folder }) => readFile(join(folder, 'received.jsonl'), 'utf8'),
  },
};

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
