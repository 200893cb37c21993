/** The commands of docs/install.md, and of the pages that need the service, run on one machine in that order. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { missingProgram } from '../support/daemons.ts';
import { Machine } from '../support/doc-machine.ts';
import { pageScript, SERVICE_PAGES } from '../support/doc-pages.ts';

const skip = missingProgram('promtool', 'prometheus') || missingProgram('openssl', 'openssl');

describe('the commands of', { skip }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start();
  });
  after(() => machine.stop());

  it('docs/install.md install a service, upgrade it and roll back', async () => {
    const script = pageScript('docs/install.md', machine);
    const build = script.lastIndexOf('npm ci && npm pack');
    const back = script.indexOf(`sudo ln -sfn "$old"`);
    assert.ok(script.indexOf('npm ci && npm pack') < build && build < back, 'install, upgrade, roll back');
    await machine.mustRun('docs/install.md', script.slice(0, build));
    machine.raiseVersion('99.0.0');
    const upgraded = await machine.mustRun('docs/install.md', script.slice(build, back));
    assert.match(upgraded, /^version +99\.0\.0$/m);
    const rolledBack = await machine.mustRun('docs/install.md', script.slice(back));
    assert.doesNotMatch(rolledBack, /99\.0\.0/);
  });

  for (const page of SERVICE_PAGES.slice(1)) {
    it(`${page} work beside the service`, async () => {
      await machine.mustRun(page, pageScript(page, machine));
    });
  }
});
