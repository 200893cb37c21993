import assert from 'node:assert/strict';
import { chmod, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { invocation, shellWord } from '../../src/cli/invocation.ts';
import { folder } from '../config/folder.ts';

/** A program main.js, and a folder `bin` with a link `prefixd` to it. */
async function installed(t: TestContext, bin: string): Promise<{ main: string; path: string }> {
  const place = await folder(t, { 'main.js': '' });
  const main = join(place, 'main.js');
  await chmod(main, 0o755);
  await mkdir(join(place, bin), { recursive: true });
  await symlink(main, join(place, bin, 'prefixd'));
  return { main, path: join(place, bin) };
}

describe('how to run this program again', () => {
  it('is prefixd where the PATH leads to it', async (t) => {
    const { main, path } = await installed(t, 'bin');
    assert.equal(invocation({ PATH: `/nowhere:${path}` }, main), 'prefixd');
  });

  it('is its path where the PATH leads nowhere, or to another prefixd', async (t) => {
    const { main } = await installed(t, 'bin');
    const other = await installed(t, 'bin');
    assert.equal(invocation({ PATH: '/nowhere' }, main), main);
    assert.equal(invocation({}, main), main);
    assert.equal(invocation({ PATH: other.path }, main), main);
  });

  it('does not count on the PATH that npm gives to what it starts', async (t) => {
    const { main, path } = await installed(t, 'node_modules/.bin');
    assert.equal(invocation({ PATH: path }, main), main);
  });

  it('is one word for a shell', () => {
    assert.equal(invocation({}, '/home/ana/my prefixd/main.js'), "'/home/ana/my prefixd/main.js'");
    assert.equal(shellWord("it's"), "'it'\\''s'");
    assert.equal(shellWord(''), "''");
  });
});
