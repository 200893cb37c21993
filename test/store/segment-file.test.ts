/** Tests a failing disk: unacknowledged facts never stay, and the journal recovers by itself if possible. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Journal } from '../../src/store/journal/journal.ts';
import { StoreError } from '../../src/store/store.ts';
import {
  FailingFiles,
  fact,
  facts,
  linesOf,
  names,
  openAndRead,
  systemError,
  temporaryFolder,
} from './support.ts';

const FIRST = 'journal-000000000001.jsonl';

interface Bench {
  readonly folder: string;
  readonly files: FailingFiles;
  readonly journal: Journal;
  /** Makes a step fail with the code until it is called with null. */
  readonly fail: (step: string | null, code?: string) => void;
  /** Closes the journal and reads it as after a restart. */
  readonly restart: () => Promise<number[]>;
}

async function bench(t: TestContext): Promise<Bench> {
  const folder = await temporaryFolder(t);
  const files = new FailingFiles();
  const journal = new Journal({ folder, files });
  await openAndRead(journal);
  return {
    folder,
    files,
    journal,
    fail: (step, code = 'EIO') => {
      files.fault = (current) => {
        if (current === step) throw systemError(code);
        return undefined;
      };
    },
    restart: async () => {
      files.fault = () => undefined;
      await journal.close();
      const again = new Journal({ folder });
      const { facts: found, recovery } = await openAndRead(again);
      assert.deepEqual(recovery.warnings, []);
      await again.close();
      return found.map(({ seq }) => seq);
    },
  };
}

describe('A disk that fails', () => {
  for (const [code, words] of [
    ['ENOSPC', 'no space left on the device'],
    ['EROFS', 'the file system is read-only'],
    ['EDQUOT', 'the disk quota is used up'],
  ] as const) {
    test(`a write that is refused with ${code} rejects the append, keeps the file as it was, and the next append works`, async (t) => {
      const { folder, journal, fail, restart } = await bench(t);
      await journal.append(facts(1, 2));
      const before = await readFile(join(folder, FIRST));
      fail('write', code);
      await assert.rejects(journal.append(facts(3, 4)), (error) => {
        assert.ok(error instanceof StoreError);
        assert.ok(error.message.startsWith(`cannot write ${join(folder, FIRST)}: `), error.message);
        assert.ok(error.message.includes(words) && error.message.includes(code), error.message);
        return true;
      });
      assert.deepEqual(await readFile(join(folder, FIRST)), before);
      fail(null);
      await journal.append(facts(3, 3));
      assert.deepEqual(await restart(), [1, 2, 3]);
    });
  }

  test('a short write is cut off again, wherever it ends', async (t) => {
    const { folder, files, journal, restart } = await bench(t);
    await journal.append([fact(1)]);
    const before = await readFile(join(folder, FIRST));
    for (const octets of [1, 17, 100, 160]) {
      let writes = 0;
      files.fault = (step) => {
        if (step !== 'write') return undefined;
        if (++writes > 1) throw systemError('ENOSPC');
        return octets;
      };
      await assert.rejects(journal.append(facts(2, 3)), StoreError);
      assert.deepEqual(await readFile(join(folder, FIRST)), before);
    }
    assert.deepEqual(await restart(), [1]);
  });

  test('a write in several parts is whole', async (t) => {
    const { files, journal, restart } = await bench(t);
    files.fault = (step) => (step === 'write' ? 7 : undefined);
    await journal.append(facts(1, 2));
    assert.deepEqual(await restart(), [1, 2]);
  });

  test('all appends of the group, and all that wait behind it, are refused together', async (t) => {
    const { journal, fail, restart } = await bench(t);
    fail('write', 'ENOSPC');
    const results = await Promise.allSettled(facts(1, 20).map((one) => journal.append([one])));
    assert.ok(results.every(({ status }) => status === 'rejected'));
    fail(null);
    await journal.append(facts(1, 2));
    assert.deepEqual(await restart(), [1, 2]);
  });

  test('when the end cannot be cut off either, every append is refused until it can', async (t) => {
    const { folder, files, journal, restart } = await bench(t);
    await journal.append([fact(1)]);
    let wrote = 0;
    files.fault = (step) => {
      if (step === 'write') return ++wrote === 1 ? 30 : 0;
      if (step === 'truncate') throw systemError('EROFS');
      return undefined;
    };
    await assert.rejects(journal.append([fact(2)]), /the file system wrote no bytes/);
    await assert.rejects(
      journal.append([fact(2)]),
      /cannot truncate the incomplete end of .*read-only \(EROFS\)/,
    );
    files.fault = () => undefined;
    await journal.append([fact(2)]);
    assert.equal((await linesOf(join(folder, FIRST))).length, 2);
    assert.deepEqual(await restart(), [1, 2]);
  });

  test('after a write that failed on the device its facts are gone, and the journal continues in a new file', async (t) => {
    const { folder, files, journal, fail, restart } = await bench(t);
    await journal.append(facts(1, 2));
    const before = await readFile(join(folder, FIRST));
    let writes = 0;
    files.fault = (step) => {
      if (step !== 'write') return undefined;
      if (++writes > 1) throw systemError('EIO');
      return 30;
    };
    await assert.rejects(journal.append([fact(3)]), /cannot durably write .*input\/output error.*\(EIO\)/);
    assert.deepEqual(await readFile(join(folder, FIRST)), before, 'what it took is cut off');
    fail(null);
    await journal.append(facts(3, 4));
    assert.deepEqual(await names(folder), [FIRST, 'journal-000000000003.jsonl']);
    assert.deepEqual(await readFile(join(folder, FIRST)), before, 'and nothing more is written there');
    assert.deepEqual(await restart(), [1, 2, 3, 4]);
  });

  test('a failed write of the very first facts leaves an empty journal that works', async (t) => {
    const { folder, journal, fail, restart } = await bench(t);
    fail('write');
    await assert.rejects(journal.append([fact(1)]), StoreError);
    fail('create', 'ENOSPC');
    await assert.rejects(journal.append([fact(1)]), /cannot create .*ENOSPC/);
    fail(null);
    await journal.append([fact(1)]);
    assert.deepEqual(await names(folder), [FIRST]);
    assert.deepEqual(await restart(), [1]);
  });

  test('when the new file cannot be made, appends are refused until it can, and no stray is left', async (t) => {
    const { folder, journal, fail, restart } = await bench(t);
    await journal.append([fact(1)]);
    fail('write');
    await assert.rejects(journal.append([fact(2)]), StoreError);
    fail('syncFolder', 'ENOSPC');
    await assert.rejects(journal.append([fact(2)]), /cannot create .*journal-000000000002.*no space/);
    assert.deepEqual(await names(folder), [FIRST]);
    fail(null);
    await journal.append([fact(2)]);
    assert.deepEqual(await restart(), [1, 2]);
  });

  test('a segment that is no longer what was acknowledged stops the journal for good', async (t) => {
    const { folder, journal, fail } = await bench(t);
    await journal.append(facts(1, 3));
    fail('write');
    await assert.rejects(journal.append([fact(4)]), StoreError);
    fail(null);
    const handle = await open(join(folder, FIRST), 'r+');
    await handle.write('#', 10);
    await handle.close();
    await assert.rejects(journal.append([fact(4)]), /journal-000000000001\.jsonl:1: checksum mismatch/);
    await journal.close();
  });

  for (const step of ['create', 'write', 'datasync', 'rename', 'syncFolder']) {
    test(`a snapshot whose ${step} fails is refused, leaves no incomplete file, and the journal continues`, async (t) => {
      const { folder, journal, fail, restart } = await bench(t);
      await journal.append(facts(1, 2));
      fail(step, 'ENOSPC');
      await assert.rejects(journal.snapshot({ schema: 1, seq: 2, data: { list: [1, 2] } }), StoreError);
      fail(null);
      assert.ok(!(await names(folder)).some((name) => name.endsWith('.tmp')));
      await journal.append([fact(3)]);
      await journal.snapshot({ schema: 1, seq: 3, data: {} });
      await journal.append([fact(4)]);
      assert.deepEqual(await restart(), [4]);
    });
  }

  test('a rotation that fails leaves no snapshot and keeps on with the old segment', async (t) => {
    const { folder, files, journal, fail, restart } = await bench(t);
    await journal.append(facts(1, 2));
    files.fault = (step, path) => {
      if (step === 'create' && path.includes('journal')) throw systemError('ENOSPC');
      return undefined;
    };
    await assert.rejects(
      journal.snapshot({ schema: 1, seq: 2, data: {} }),
      /cannot create .*journal-000000000003/,
    );
    fail(null);
    await journal.append([fact(3)]);
    assert.deepEqual(await names(folder), [FIRST]);
    assert.deepEqual(await restart(), [1, 2, 3]);
  });

  test('a device that is really full rejects', {
    skip: existsSync('/dev/full') ? false : 'no /dev/full here',
  }, async (t) => {
    const folder = await temporaryFolder(t);
    const files = new FailingFiles();
    const real = files.open.bind(files);
    let full = false;
    files.open = async (path, how) => {
      const file = await real(path, how);
      if (how !== 'create-durably') return file;
      const device = await open('/dev/full', 'a');
      t.after(() => device.close());
      return {
        ...file,
        write: async (bytes) => (full ? (await device.write(bytes)).bytesWritten : file.write(bytes)),
      };
    };
    const journal = new Journal({ folder, files });
    await openAndRead(journal);
    await journal.append([fact(1)]);
    full = true;
    await assert.rejects(journal.append([fact(2)]), /no space left on the device.*ENOSPC/);
    full = false;
    await journal.append([fact(2)]);
    await journal.close();
    const again = new Journal({ folder });
    assert.equal((await openAndRead(again)).facts.length, 2);
    await again.close();
  });
});
