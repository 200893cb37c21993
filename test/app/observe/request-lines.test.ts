import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requestLines } from '../../../src/app/observe/health-lines.ts';
import type { ProtectionStatus } from '../../../src/view/protection-view.ts';

const NOW = 10_000_000;

function status(n: number, changes: Partial<ProtectionStatus> = {}): ProtectionStatus {
  return {
    scrubber: 'cloud',
    prefix: `203.0.113.${n}/32`,
    mitigationId: `m${n}`,
    state: 'failed',
    request: 'start',
    since: NOW,
    attempts: 5,
    lastError: 'HTTP 503',
    ...changes,
  };
}

const texts = (...of: Parameters<typeof requestLines>): readonly string[] =>
  requestLines(...of).map(({ text }) => text);

describe('of requests to scrubbers, health says', () => {
  it('nothing while they are confirmed, waiting or stopping', () => {
    const states = ['confirmed', 'requested', 'stopping'] as const;
    assert.deepEqual(
      texts(
        states.map((state, n) => status(n, { state })),
        {},
      ),
      [],
    );
  });

  it('what is not protected, and what still is, since when', () => {
    assert.deepEqual(texts([status(1), status(2, { request: 'stop', attempts: 1 })], {}), [
      'cloud has not confirmed that it protects 203.0.113.1/32: HTTP 503 (5 attempts); trying again',
      'cloud may still protect 203.0.113.2/32, which nobody needs any more: HTTP 503 (1 attempt); trying again',
    ]);
    assert.equal(requestLines([status(1)], {})[0]?.since, NOW);
  });

  it('how many others there are', () => {
    const all = texts(
      Array.from({ length: 9 }, (_, n) => status(n)),
      {},
    );
    assert.equal(all.length, 6);
    assert.match(all[5] ?? '', /^and 4 more failed requests to scrubbers/);
  });

  it('that the file which remembers them cannot be written, or could not be read', () => {
    const [writing, reading] = texts([], { writing: 'ENOSPC', reading: 'its content is invalid' });
    assert.match(writing ?? '', /cannot be written, so a restart may forget .*: ENOSPC$/);
    assert.match(reading ?? '', /could not be read at the start \(its content is invalid\)/);
  });
});
