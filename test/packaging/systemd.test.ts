import assert from 'node:assert/strict';
import { exec } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { findProgram, output, start, until } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';
import { packaged, textOf } from './files.ts';

const UNITS = ['prefixd.service', 'prefixd-watchdog.service', 'prefixd-watchdog.timer'];

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'prefixd-units-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe('the systemd units', () => {
  it('pass systemd-analyze verify', { skip: missingProgram('systemd-analyze', 'systemd') }, async (t) => {
    const path = await folder(t);
    for (const unit of UNITS) {
      await copyFile(packaged(`systemd/${unit}`), join(path, unit));
      // The programs are not installed where the tests run; everything else of the units is as it is shipped.
      const text = await readFile(join(path, unit), 'utf8');
      await writeFile(
        join(path, unit),
        text.replaceAll(/\/(opt\/prefixd\/bin|usr\/local\/libexec\/prefixd)\/prefixd\S*/g, '/bin/true'),
      );
    }
    const program = findProgram('systemd-analyze') ?? 'systemd-analyze';
    const units = UNITS.map((unit) => join(path, unit));
    assert.equal(await output(program, ['verify', ...units], 30_000), '');
  });

  it('start the program itself, which the build therefore makes executable', async (t) => {
    const path = await folder(t);
    for (const part of ['src/dashboard', 'dist/cli']) await mkdir(join(path, part), { recursive: true });
    await writeFile(join(path, 'dist/cli/main.js'), '', { mode: 0o644 });
    const { scripts }: { scripts: { build: string } } = JSON.parse(await readFile('package.json', 'utf8'));
    const afterCompiling = scripts.build.slice(scripts.build.indexOf('node -e'));
    await promisify(exec)(afterCompiling, { cwd: path });
    assert.equal((await stat(join(path, 'dist/cli/main.js'))).mode & 0o777, 0o755);
  });

  it('give the daemon longer to stop than it takes by default', () => {
    const unit = textOf('systemd/prefixd.service');
    assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) > 30);
    assert.match(unit, /^RestartPreventExitStatus=5$/m);
  });
});

describe('the watchdog', { skip: missingProgram('curl', 'curl') }, () => {
  /** Runs the script against an API that answers these statuses in turn, the last one for ever. */
  async function watch(
    t: TestContext,
    ...statuses: readonly number[]
  ): Promise<{ restarted: boolean; asked: number }> {
    let asked = 0;
    const server = createServer((_request, response) => {
      const status = statuses[Math.min(asked, statuses.length - 1)] ?? 500;
      asked++;
      response.writeHead(status).end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const running = start('/bin/sh', [packaged('systemd/prefixd-watchdog')], {
      env: {
        PREFIXD_HEALTH_URL: `http://127.0.0.1:${address.port}/v1/health`,
        PREFIXD_WATCHDOG_PAUSE: '0',
        PREFIXD_WATCHDOG_RESTART: 'echo would restart',
      },
    });
    await until('the script has ended', () => running.ended);
    await running.stop('SIGKILL');
    return { restarted: /would restart$/m.test(running.log()), asked };
  }

  it('does nothing while the API answers', async (t) => {
    assert.deepEqual(await watch(t, 200), { restarted: false, asked: 1 });
  });

  it('forgives one answer that fails', async (t) => {
    assert.deepEqual(await watch(t, 500, 200), { restarted: false, asked: 2 });
  });

  it('restarts when three in a row fail', async (t) => {
    assert.deepEqual(await watch(t, 500), { restarted: true, asked: 3 });
  });
});
