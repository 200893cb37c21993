import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  captureMessages,
  findFault,
  type FuzzTarget,
  fuzz,
  mutate,
  randomNumbers,
  shrink,
} from '../../scripts/fuzzing.ts';
import { targets as captureTargets } from '../../scripts/fuzz-captures.ts';
import { targets } from '../../scripts/fuzz-messages.ts';
import { toHex } from '../../src/net/bytes.ts';

/** A codec that cannot bear the octet 0xfe. */
const planted: FuzzTarget = {
  name: 'planted',
  seeds: () => [new Uint8Array(32)],
  run: (input) => {
    if (input.includes(0xfe)) throw new TypeError('planted');
  },
};

describe('the fuzzer', () => {
  it('finds a planted fault, and makes the input short', () => {
    const outcome = fuzz([planted], 20, 1);
    assert.ok('why' in outcome);
    assert.match(outcome.why, /TypeError: planted/);
    assert.equal(toHex(outcome.input), 'fe');
  });

  it('finds what is slow, and what writes to its input', () => {
    const slow: FuzzTarget = {
      ...planted,
      run: () => {
        const start = process.cpuUsage();
        while (process.cpuUsage(start).user < 60_000);
      },
    };
    assert.match(findFault(slow, Uint8Array.of(1)) ?? '', /more than 50/);
    const writing: FuzzTarget = { ...planted, run: (input) => void input.fill(1) };
    assert.equal(findFault(writing, Uint8Array.of(0)), 'the input was written to');
    assert.equal(findFault(planted, Uint8Array.of(0)), undefined);
  });

  it('makes the same inputs of the same seed', () => {
    const inputs = (seed: number): readonly string[] =>
      Array.from({ length: 50 }, (_, round) => toHex(mutate(planted.seeds(), randomNumbers(seed + round))));
    assert.deepEqual(inputs(7), inputs(7));
    assert.notDeepEqual(inputs(7), inputs(8));
  });

  it('leaves the fault in what it shortens', () => {
    assert.equal(toHex(shrink(planted, Uint8Array.of(1, 2, 0xfe, 3, 0xfe, 4))), 'fe');
  });

  it('begins with messages of real speakers and with seeds that are well-formed', () => {
    assert.ok(captureMessages().length > 50);
    for (const target of targets) {
      const seeds = target.seeds();
      assert.ok(seeds.length > captureMessages().length);
      for (const seed of seeds) assert.equal(findFault(target, seed), undefined);
    }
  });

  it('reads captures, frames and streams of BGP that nothing was done to', () => {
    assert.deepEqual(
      captureTargets.map(({ name }) => name),
      ['capture-files', 'capture-frames', 'capture-streams'],
    );
    for (const target of captureTargets) {
      const seeds = target.seeds();
      assert.ok(seeds.length > 10, target.name);
      for (const seed of seeds) assert.equal(findFault(target, seed), undefined, target.name);
    }
  });
});
