import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'fixtures/replay');

async function simulate(): Promise<string> {
  const args = ['--import', 'tsx', 'src/cli/main.ts', 'simulate', join(FOLDER, 'incident.jsonl')];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...args, '--config', join(FOLDER, 'config')],
    { cwd: ROOT },
  );
  return stdout;
}

describe('the recorded incident', () => {
  it('is decided as reviewed, every time', async () => {
    const golden = await readFile(join(FOLDER, 'incident.decisions'), 'utf8');
    assert.equal(await simulate(), golden);
    assert.equal(await simulate(), golden);
  });
});
