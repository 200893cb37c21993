import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findTests, groupsOf, isSlow } from '../../scripts/test-files.ts';

const ROOT = join(import.meta.dirname, '..', '..');

describe('the quick tests', () => {
  it('are all but those of real daemons and those that are named slow', () => {
    assert.ok(isSlow('test/interop/bird.test.ts'));
    assert.ok(isSlow('test/e2e/daemon.test.ts'));
    assert.ok(isSlow('test/store/crash.slow.test.ts'));
    assert.ok(!isSlow('test/store/journal.test.ts'));
    assert.ok(!isSlow('test/lab/interop.test.ts'));
  });

  it('are there for every room', () => {
    const quick = findTests(ROOT).filter((path) => !isSlow(path));
    const rooms = [
      'alert',
      'app',
      'bgp/flowspec',
      'bgp/fsm',
      'bgp/rib',
      'bgp/speaker',
      'bgp/wire',
      'cli',
      'config',
      'control',
    ];
    for (const room of [...rooms, 'core', 'http', 'intake', 'lab', 'net', 'store', 'tools', 'view']) {
      const tested = quick.some((path) => path.startsWith(`test/${room}/`));
      assert.ok(tested, room);
    }
  });
});

describe('the processes of a run', () => {
  it('take every file once', () => {
    const paths = findTests(ROOT);
    const taken = groupsOf(paths).flatMap(({ files }) => files);
    assert.deepEqual(taken.sort(), paths);
  });

  it('share a folder, a slow file has one to itself, and slow ones start first', () => {
    const groups = groupsOf([
      'test/net/a.test.ts',
      'test/net/b.slow.test.ts',
      'test/net/c.test.ts',
      'test/e2e/d.test.ts',
      'test/architecture.test.ts',
    ]);
    assert.deepEqual(groups, [
      { name: 'test/net/b.slow.test.ts', files: ['test/net/b.slow.test.ts'] },
      { name: 'test/e2e/d.test.ts', files: ['test/e2e/d.test.ts'] },
      { name: 'test/net', files: ['test/net/a.test.ts', 'test/net/c.test.ts'] },
      { name: 'test', files: ['test/architecture.test.ts'] },
    ]);
  });

  it('are more than one for a folder of many files, and about the same size', () => {
    const paths = Array.from({ length: 12 }, (_, n) => `test/core/t${n}.test.ts`);
    const groups = groupsOf(paths);
    assert.deepEqual(
      groups.map(({ name, files }) => [name, files.length]),
      [
        ['test/core (1 of 2)', 6],
        ['test/core (2 of 2)', 6],
      ],
    );
  });
});
