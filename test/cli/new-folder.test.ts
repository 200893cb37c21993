import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { writeNewFolder } from '../../src/cli/new-folder.ts';
import { folder } from '../config/folder.ts';

const file = (name: string, text = name) => ({ name, text, mode: 0o644 });

describe('a new folder', () => {
  it('appears with everything in it, and its parents', async (t) => {
    const place = await folder(t, {});
    await writeNewFolder(join(place, 'a', 'b'), [file('one'), file('two/three')]);
    assert.equal(await readFile(join(place, 'a', 'b', 'two', 'three'), 'utf8'), 'two/three');
    assert.deepEqual(await readdir(join(place, 'a')), ['b'], 'and nothing beside it');
  });

  it('is not there at all when one of its files cannot be written', async (t) => {
    const place = await folder(t, {});
    // A file cannot be in a folder that is a file itself.
    const impossible = [file('one'), file('two'), file('two/three')];
    await assert.rejects(writeNewFolder(join(place, 'new'), impossible), {
      exitCode: 1,
      message: /nothing was written/,
    });
    assert.deepEqual(await readdir(place), []);
  });

  it('is left as it was when it is there and one of the files cannot be written', async (t) => {
    const place = await folder(t, { mine: 'mine' });
    await assert.rejects(writeNewFolder(place, [file('one'), file('two'), file('two/three')]), {
      exitCode: 1,
    });
    assert.deepEqual(await readdir(place), ['mine']);
  });

  it('takes the place of nothing, be it a file of the same name or the folder itself', async (t) => {
    const place = await folder(t, { one: 'mine' });
    await assert.rejects(writeNewFolder(place, [file('one'), file('two')]), {
      exitCode: 5,
      message: /already contains one/,
    });
    assert.equal(await readFile(join(place, 'one'), 'utf8'), 'mine');
    await writeFile(join(place, 'plain'), '');
    await assert.rejects(writeNewFolder(join(place, 'plain'), [file('one')]), {
      exitCode: 5,
      message: /is not a folder/,
    });
  });
});
