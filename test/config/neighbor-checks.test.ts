import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { load, SHORTEST, warningsOf } from './folder.ts';

const warned = async (t: TestContext, keys: string): Promise<readonly string[]> =>
  warningsOf(await load(t, `${SHORTEST}      ${keys}\n`));

describe('hold_time_seconds', () => {
  test('is no matter of a warning where routers have it so', async (t) => {
    for (const seconds of [3, 9, 90, 180, 600]) {
      assert.deepEqual(await warned(t, `hold_time_seconds: ${seconds}`), [], `${seconds}`);
    }
  });

  test('of 0 keeps rules on a router forever when this machine fails', async (t) => {
    const [only = '', ...others] = await warned(t, 'hold_time_seconds: 0');
    assert.match(
      only,
      /bgp\.neighbors\[0\]\.hold_time_seconds: .* if this machine fails, the router keeps the rules forever; write 90/,
    );
    assert.deepEqual(others, []);
  });

  test('that is very long keeps them for so long', async (t) => {
    for (const seconds of [601, 65535]) {
      const [only = '', ...others] = await warned(t, `hold_time_seconds: ${seconds}`);
      assert.match(
        only,
        new RegExp(`the router keeps the rules for ${seconds} s before it detects the failure`),
      );
      assert.deepEqual(others, []);
    }
  });
});
