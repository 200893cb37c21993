import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fittingLimits, LIMITS, openFilesLimit } from '../../src/http/http-listener.ts';

const PROC = `Limit                     Soft Limit           Hard Limit           Units
Max processes             127235               127235               processes
Max open files            1024                 524288               files
`;

describe('the limits on connections', () => {
  it('leave half of the open files to everything else, each share in proportion', () => {
    const limits = fittingLimits(LIMITS, 1024);
    assert.equal(limits.connections, 512);
    assert.equal(limits.reserve, 32);
    assert.equal(limits.perNetwork, 32);
    assert.equal(limits.perTrustedNetwork, 256);
    assert.equal(limits.idle, LIMITS.idle);
  });

  it('are as they are where there are enough files, or where the system does not say', () => {
    assert.equal(fittingLimits(LIMITS, 20_000), LIMITS);
    assert.equal(
      fittingLimits(
        LIMITS,
        openFilesLimit(() => 'nothing'),
      ),
      LIMITS,
    );
    const fails = (): string => {
      throw new Error('no such file');
    };
    assert.equal(openFilesLimit(fails), Number.POSITIVE_INFINITY);
  });

  it('read the soft limit', () => {
    assert.equal(
      openFilesLimit(() => PROC),
      1024,
    );
  });
});
