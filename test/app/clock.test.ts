/** A clock that continues steadily when the system's clock is set. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { bootTime, earliestByMark, steadyClock, writeMark } from '../../src/app/clock.ts';

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-clock-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('The steady clock', () => {
  test('goes on when the system clock is set, and says how far they are apart', () => {
    let [system, monotonic] = [1_000_000, 5];
    const clock = steadyClock({ system: () => system, monotonic: () => monotonic });
    assert.equal(clock.now(), 1_000_000);
    monotonic += 2_000;
    system -= 600_000;
    assert.equal(clock.now(), 1_002_000);
    assert.equal(clock.ahead(), 602_000);
  });

  test('is put forward, never back', () => {
    const clock = steadyClock({ system: () => 1_000_000, monotonic: () => 0 });
    clock.notBefore(999_999);
    assert.equal(clock.now(), 1_000_000);
    clock.notBefore(1_500_000);
    assert.equal(clock.now(), 1_500_000);
    assert.equal(clock.ahead(), 500_000);
  });
});

describe('The mark of the last start', () => {
  const boot = { boot: 'a', uptimeMs: 10_000 };

  test('tells what has passed while the daemon was down, whatever the system clock says', async (t) => {
    const folder = await temporaryFolder(t);
    await writeMark(folder, boot, 1_000_000);
    assert.equal(await earliestByMark(folder, { boot: 'a', uptimeMs: 70_000 }), 1_060_000);
  });

  test('gives only its own time after another boot, and where time since boot went backwards', async (t) => {
    const folder = await temporaryFolder(t);
    await writeMark(folder, boot, 1_000_000);
    assert.equal(await earliestByMark(folder, { boot: 'b', uptimeMs: 70_000 }), 1_000_000);
    assert.equal(await earliestByMark(folder, { boot: 'a', uptimeMs: 1 }), 1_000_000);
    assert.equal(await earliestByMark(folder, undefined), 1_000_000);
  });

  test('is 0 where there is none, or none that can be read', async (t) => {
    const folder = await temporaryFolder(t);
    assert.equal(await earliestByMark(folder, boot), 0);
    for (const text of ['', '{"boot":"a","upti', '[]', '{"boot":"a","uptime_ms":"1","time_ms":2}']) {
      await writeFile(join(folder, 'clock.json'), text);
      assert.equal(await earliestByMark(folder, boot), 0, text);
    }
  });

  test('is one file, written anew at each start', async (t) => {
    const folder = await temporaryFolder(t);
    await writeMark(folder, boot, 1);
    await writeMark(folder, boot, 2);
    assert.deepEqual(await readdir(folder), ['clock.json']);
    assert.equal(await earliestByMark(folder, undefined), 2);
  });

  test('knows this boot of a Linux machine', { skip: process.platform !== 'linux' }, async () => {
    const current = await bootTime();
    assert.match(current?.boot ?? '', /^[0-9a-f-]{36}$/);
    assert.ok((current?.uptimeMs ?? 0) > 0);
  });
});
