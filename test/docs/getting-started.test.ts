/** docs/getting-started.md: its init command runs as it stands, and the commands that follow are those that init prints. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { invocation } from '../../src/cli/invocation.ts';
import { folder } from '../config/folder.ts';
import { cli } from '../cli/harness.ts';

const page = await readFile(new URL('../../docs/getting-started.md', import.meta.url), 'utf8');

/** The command lines of the page, continued lines joined. */
const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
  block
    .replaceAll(/ \\\n\s*/g, ' ')
    .trim()
    .split('\n'),
);

test('the commands of the page are those that init prints', async (t) => {
  const dir = join(await folder(t, {}), 'prefixd');
  const [init = '', ...after] = commands.map((command) => command.replaceAll('/etc/prefixd', dir));
  assert.match(init, /^prefixd init /);
  const { code, stdout, stderr } = await cli(init.split(' ').slice(1));
  assert.equal(code, 0, stderr);
  const printed = stdout.replaceAll(invocation({ USER: 'ana' }), 'prefixd');
  assert.equal(after.length, 6);
  for (const command of after) assert.ok(printed.includes(`\n  ${command}\n`), command);
});
