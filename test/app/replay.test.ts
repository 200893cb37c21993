import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { PREFIXD } from '../support/program.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/replay');

async function simulate(): Promise<string> {
  const [program, ...words] = PREFIXD;
  const args = ['simulate', join(FOLDER, 'incident.jsonl'), '--config', join(FOLDER, 'config')];
  const { stdout } = await promisify(execFile)(program, [...words, ...args]);
  return stdout;
}

describe('the recorded incident', () => {
  it('is decided as reviewed, every time', async () => {
    const golden = await readFile(join(FOLDER, 'incident.decisions'), 'utf8');
    assert.equal(await simulate(), golden);
    assert.equal(await simulate(), golden);
  });
});
