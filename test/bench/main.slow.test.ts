import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { PATIENCE_MS } from '../support/children.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'bench', 'main.ts');

function bench(...args: readonly string[]): Promise<{ readonly stdout: string }> {
  return promisify(execFile)(process.execPath, ['--import', 'tsx', MAIN, ...args], {
    timeout: 4 * PATIENCE_MS,
  });
}

describe('npm run bench', () => {
  // Whether the scenarios with other daemons run is for `npm run bench -- --quick` in CI to say; it takes a minute.
  it('measures in small, and says so in JSON', async () => {
    const { stdout } = await bench('--quick', '--json', '--only', 'codec', '--only', 'fanout');
    const report = JSON.parse(stdout);
    assert.equal(report.quick, true);
    assert.deepEqual(
      report.sections.map(({ name }: { name: string }) => name),
      ['codec', 'fanout'],
    );
    for (const { rows } of report.sections) {
      for (const { value } of rows) assert.ok(value.median > 0);
    }
  });

  it('knows its scenarios by name', async () => {
    await assert.rejects(bench('--only', 'nonesuch'), /there is no scenario "nonesuch"/);
  });
});
