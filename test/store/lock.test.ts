import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { KernelLock } from '../../src/store/journal/kernel-lock.ts';
import { acquireLock, type Lock, type ProcessTable, thisMachine } from '../../src/store/journal/lock.ts';
import { StoreError } from '../../src/store/store.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { temporaryFolder } from './support.ts';

/** A simulated machine: its live processes and their start times. */
function machine(pid: number, living: ReadonlyMap<number, string>, boot = 'b1'): ProcessTable {
  return { pid, boot, startOf: (other) => Promise.resolve(living.get(other)) };
}

/** Takes the folder's own lock, as if the kernel's lock were unavailable. */
function acquire(folder: string, processes: ProcessTable): Promise<Lock> {
  const none: KernelLock = { kind: 'unavailable', warning: 'no kernel lock in this test' };
  return acquireLock(folder, { processes, takeKernelLock: () => Promise.resolve(none) });
}

describe('The lock of a folder', () => {
  test('names its owner, and is free again after the release', async (t) => {
    const folder = await temporaryFolder(t);
    const living = new Map([[10, '500']]);
    const lock = await acquire(folder, machine(10, living));
    assert.deepEqual(await readdir(join(folder, 'lock')), ['owned-by-10-start-500-boot-b1']);
    await lock.release();
    assert.deepEqual(await readdir(join(folder, 'lock')), ['free']);
    await (await acquire(folder, machine(10, living))).release();
  });

  test('refuses while the owner lives, and says which process it is', async (t) => {
    const folder = await temporaryFolder(t);
    const living = new Map([
      [10, '500'],
      [11, '600'],
    ]);
    await acquire(folder, machine(10, living));
    await assert.rejects(acquire(folder, machine(11, living)), (error) => {
      assert.ok(error instanceof StoreError);
      assert.match(error.message, /is in use by process 10; stop it first/);
      return true;
    });
    await assert.rejects(acquire(folder, machine(10, living)), /in use by process 10 \(this process\)/);
  });

  test('is taken over from a dead owner, from one whose id another process has now, and from before the last boot', async (t) => {
    for (const [living, boot] of [
      [new Map([[11, '600']]), 'b1'],
      [
        new Map([
          [10, '999'],
          [11, '600'],
        ]),
        'b1',
      ],
      [
        new Map([
          [10, '500'],
          [11, '600'],
        ]),
        'b2',
      ],
    ] as const) {
      const folder = await temporaryFolder(t);
      await acquire(folder, machine(10, new Map([[10, '500']])));
      await acquire(folder, machine(11, living, boot));
      assert.deepEqual(await readdir(join(folder, 'lock')), [`owned-by-11-start-600-boot-${boot}`]);
    }
  });

  test('of many that try at once, on a new folder or after a crash, exactly one has it', async (t) => {
    const living = new Map(Array.from({ length: 30 }, (_, i) => [100 + i, String(i)] as const));
    for (let round = 0; round < 10; round++) {
      const folder = await temporaryFolder(t);
      if (round % 2 === 1) await acquire(folder, machine(7, new Map([[7, '1']])));
      const results = await Promise.allSettled(
        [...living.keys()].map((pid) => acquire(folder, machine(pid, living))),
      );
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
      assert.equal((await readdir(join(folder, 'lock'))).length, 1);
      assert.deepEqual(await readdir(folder), ['lock']);
    }
  });

  test('an empty lock folder is a free one; one that makes no sense is left to the operator', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, 'lock'));
    const living = new Map([[10, '500']]);
    await (await acquire(folder, machine(10, living))).release();
    await writeFile(join(folder, 'lock', 'other'), '');
    await assert.rejects(acquire(folder, machine(10, living)), /lock must contain exactly one file/);
  });

  test('a release that finds the lock taken away says so', async (t) => {
    const folder = await temporaryFolder(t);
    const living = new Map([[10, '500']]);
    const lock = await acquire(folder, machine(10, living));
    await acquire(folder, machine(11, new Map([[11, '600']])));
    await assert.rejects(lock.release(), /was removed or changed while this process owned/);
  });

  test('this machine finds this process, a living child, and not a dead one', {
    timeout: PATIENCE_MS,
  }, async () => {
    const processes = await thisMachine();
    assert.equal(processes.pid, process.pid);
    const own = await processes.startOf(process.pid);
    assert.match(own ?? '', /^\d+$/);
    assert.equal(await processes.startOf(process.pid), own);
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    assert.match((await processes.startOf(pid)) ?? '', /^\d+$/);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(await processes.startOf(pid), undefined);
  });
});
