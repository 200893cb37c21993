/**
 * A newcomer's first hour with each router that runs here: `prefixd init`, the configuration that it prints as it is, then the
 * commands that it prints, until the session is established and the first report's rule is in the router's table.
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ROUTER_KINDS } from '../../src/config/init/router-snippets.ts';
import { invocation } from '../../src/cli/invocation.ts';
import { cli } from '../cli/harness.ts';
import { start, until } from '../support/children.ts';
import { PACKAGES } from '../support/daemons/daemon.ts';
import { missing } from '../support/daemons.ts';
import { CHAPTERS, type Place } from '../support/documented-routers.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { undo } from '../support/undo.ts';

/** What `-f json init` prints, as far as it is read here. */
interface Report {
  readonly router: { readonly configuration: string };
  readonly next: readonly { readonly command: string }[];
}

for (const platform of ['bird', 'gobgp', 'frr'] as const) {
  const chapter = CHAPTERS[ROUTER_KINDS[platform].title];
  assert.ok(chapter !== undefined, `docs/routers.md has a chapter for ${platform}`);
  describe(`prefixd init for ${platform} (${PACKAGES[chapter.kind]})`, {
    skip: missing(chapter.kind),
  }, () => {
    it('prints what makes a session and a rule', async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'prefixd-init-'));
      undo(t, () => rm(folder, { recursive: true, force: true }));
      await chmod(folder, 0o755);
      const [ours, theirs] = [ownAddress(), ownAddress()];
      const [api, port] = [await freePort(ours), await freePort(theirs)];
      const { code, stdout, stderr } = await cli([
        ...['-f', 'json', 'init', join(folder, 'etc'), '--asn', '65010', '--router-id', ours],
        ...['--neighbor', 'edge1', '--address', theirs, '--port', String(port), '--peer-asn', '65001'],
        ...['--platform', platform, '--customer', 'acme', '--prefix', '203.0.113.0/24'],
        ...['--listen', `${ours}:${api}`],
      ]);
      assert.equal(code, 0, stderr);
      const report: Report = JSON.parse(stdout);

      const place: Place = {
        folder: join(folder, 'router'),
        file: join(folder, 'router', 'router.conf'),
        address: theirs,
        port,
        controlPort: await freePort(theirs),
      };
      await mkdir(place.folder);
      await writeFile(place.file, (chapter.preamble ?? '') + report.router.configuration);
      const router = chapter.run(place);
      undo(t, () => router.stop('SIGKILL'));

      const [secrets = '', check = '', daemon = '', status = '', send = '', withdraw = ''] = report.next.map(
        ({ command }) => command,
      );
      // The daemon is run by a shell, as printed; of the other commands the program is left out, which takes seconds to start.
      const token = /^PREFIXD_API_TOKEN=(.*)$/m.exec(
        await readFile(join(folder, 'etc', 'environment'), 'utf8'),
      );
      const env = { PREFIXD_API_TOKEN: token?.[1] ?? '', PREFIXD_API: `http://${ours}:${api}` };
      const program = invocation(process.env);
      const ask = async (command: string): Promise<string> => {
        assert.ok(command.startsWith(`${program} `), command);
        const outcome = await cli(command.slice(program.length + 1).split(' '), { env });
        assert.equal(outcome.code, 0, outcome.stderr);
        return outcome.stdout;
      };
      assert.match(await ask(check), /^OK: /);
      const running = start('/bin/sh', ['-ec', `${secrets}\nexec ${daemon}`]);
      undo(t, () => running.stop());
      await until('the session is established', async () => / established /.test(await ask(status))).catch(
        (error: Error) => {
          throw new Error(`${error.message}\n${running.log()}\n${router.log().slice(-2000)}`);
        },
      );
      assert.match(await ask(send), /^accepted /);
      const holdsRule = async () => (await chapter.table(place)).includes('203.0.113.1/32');
      await until(`${platform} holds the rule`, holdsRule);
      await ask(withdraw);
      await until(`${platform} holds the rule no more`, async () => !(await holdsRule()));
    });
  });
}
