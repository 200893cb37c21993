import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { takeKernelLock } from '../../src/store/journal/kernel-lock.ts';
import { acquireLock, type Lock } from '../../src/store/journal/lock.ts';
import { StoreError } from '../../src/store/store.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { temporaryFolder } from './support.ts';

const UNSHARE = ['--pid', '--fork', '--kill-child', '--mount-proc'];
const namespaces = spawnSync('unshare', [...UNSHARE, 'true']).status === 0;
const needsNamespaces = namespaces
  ? false
  : 'needs unshare of util-linux and the right to make a PID namespace';

/** Starts another process that takes the lock, reports it, and keeps it until it is ended. */
async function holder(t: TestContext, folder: string, before: readonly string[] = []): Promise<ChildProcess> {
  const lock = new URL('../../src/store/journal/lock.ts', import.meta.url).href;
  const script = `const { acquireLock } = await import(${JSON.stringify(lock)});
    await acquireLock(${JSON.stringify(folder)});
    console.log('locked');
    setInterval(() => {}, 1000);`;
  const [command = '', ...args] = [
    ...before,
    process.execPath,
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    script,
  ];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [said] = await once(child.stdout, 'data');
  assert.equal(String(said).trim(), 'locked');
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/**
 * Waits until the lock is free: `unshare` may exit shortly before the process that it started. The suite's timeout
 * limits the wait.
 */
async function acquireSoon(folder: string): Promise<Lock> {
  for (;;) {
    try {
      return await acquireLock(folder);
    } catch (error) {
      if (!(error instanceof StoreError && error.message.includes('is in use by'))) throw error;
      await setTimeout(20);
    }
  }
}

describe("The kernel's lock of a folder", { timeout: PATIENCE_MS }, () => {
  test('excludes a process in another PID namespace, names it, and is free once that is killed', {
    skip: needsNamespaces,
  }, async (t) => {
    const folder = await temporaryFolder(t);
    const other = await holder(t, folder, ['unshare', ...UNSHARE]);
    await assert.rejects(acquireLock(folder), (error) => {
      assert.ok(error instanceof StoreError);
      assert.match(error.message, /is in use by process 1 on \S+ \(pid:\[\d+\]\); stop it first, or give/);
      assert.ok(error.message.includes(hostname()));
      return true;
    });
    await end(other);
    await (await acquireSoon(folder)).release();
  });

  test('excludes a process in the same namespace, too, and a second attempt of this very process', async (t) => {
    const folder = await temporaryFolder(t);
    const other = await holder(t, folder);
    await assert.rejects(acquireLock(folder), new RegExp(`in use by process ${other.pid} on`));
    await end(other);
    const lock = await acquireLock(folder);
    await assert.rejects(acquireLock(folder), new RegExp(`process ${process.pid} on .* \\(this process\\)`));
    await lock.release();
  });

  test('is given back when the folder itself names a living owner that has no kernel lock', async (t) => {
    const folder = await temporaryFolder(t);
    const processes = { pid: 7, boot: 'b1', startOf: () => Promise.resolve('1') };
    const withoutKernel = { processes, takeKernelLock: unavailable };
    const old = await acquireLock(folder, withoutKernel);
    await assert.rejects(acquireLock(folder, { processes }), /in use by process 7/);
    await old.release();
    await (await acquireLock(folder, { processes })).release();
  });

  test('keeps its file, which says who held it last', async (t) => {
    const folder = await temporaryFolder(t);
    await (await acquireLock(folder)).release();
    assert.deepEqual((await readdir(folder)).sort(), ['lock', 'lock.holder']);
    assert.match(
      await readFile(join(folder, 'lock.holder'), 'utf8'),
      new RegExp(`^process ${process.pid} on `),
    );
  });

  test('if it cannot be taken, only the lock of the folder is used, with a warning about its limits', async (t) => {
    const folder = await temporaryFolder(t);
    for (const [load, why] of [
      [() => Promise.reject(new Error("Cannot find package 'koffi'")), /Cannot find package 'koffi'/],
      [() => Promise.resolve(refusing('ENOLCK')), /refuses flock \(ENOLCK\)/],
      [() => Promise.resolve(refusing('EOPNOTSUPP')), /refuses flock \(EOPNOTSUPP\)/],
    ] as const) {
      const lock = await acquireLock(folder, { takeKernelLock: (path) => takeKernelLock(path, load) });
      assert.match(lock.warnings.join(), why);
      assert.match(lock.warnings.join(), /another container or on another machine would not be detected/);
      await assert.rejects(acquireLock(folder), /in use by process \d+ \(this process\)/);
      await lock.release();
    }
  });
});

function unavailable(): ReturnType<typeof takeKernelLock> {
  return Promise.resolve({ kind: 'unavailable', warning: 'an older prefixd' });
}

function refusing(code: string): () => void {
  return () => {
    throw Object.assign(new Error(code), { code });
  };
}
