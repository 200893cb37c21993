/** The commands in README, and in the pages that need no service, run in a fresh clone. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { missingProgram } from '../support/daemons.ts';
import { BLOCKS, place } from '../support/doc-blocks.ts';
import { Machine } from '../support/doc-machine.ts';
import { CLONE_PAGES, isRun, pageScript, SERVICE_PAGES } from '../support/doc-pages.ts';

it('every page with commands is run by one of the two tests', () => {
  const run: readonly string[] = [...CLONE_PAGES, ...SERVICE_PAGES];
  assert.deepEqual(BLOCKS.filter((block) => isRun(block) && !run.includes(block.page)).map(place), []);
});

describe('in a fresh clone, the commands of', { skip: missingProgram('openssl', 'openssl') }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start();
  });
  after(() => machine.stop());

  for (const page of CLONE_PAGES) {
    it(`${page} work`, async () => {
      const output = await machine.mustRun(page, pageScript(page, machine));
      if (page === 'README.md') assert.match(output, /203\.0\.113\.10/);
    });
  }
});
