import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger, withoutSecretKeys } from '../../../src/app/observe/logger.ts';

describe('Keys of secrets in a log line', () => {
  it('are blotted out three levels deep, in lists too, and the fields given stay as they are', () => {
    const fields = {
      token: 'a',
      http: { auth: { token: 'b', name: 'fnm' } },
      destinations: [{ webhookUrl: 'https://c' }, { name: 'pd', routingKey: 'd' }],
      peer: 'edge1',
    };
    const before = structuredClone(fields);
    assert.deepEqual(withoutSecretKeys(fields), {
      token: '***',
      http: { auth: { token: '***', name: 'fnm' } },
      destinations: [{ webhookUrl: '***' }, { name: 'pd', routingKey: '***' }],
      peer: 'edge1',
    });
    assert.deepEqual(fields, before);
  });

  it('cost nothing where there are none: the fields are passed on as they are', () => {
    const fields = { peer: 'edge1', why: ['a', 'b'], none: null, at: new Date(0) };
    assert.equal(withoutSecretKeys(fields), fields);
  });

  it('are found on an error, whose message and cause are logged all the same', () => {
    const lines: string[] = [];
    const { logger } = createLogger({
      format: 'json',
      level: 'info',
      destination: { write: (line) => lines.push(line) },
    });
    const error = Object.assign(new Error('refused'), {
      authorization: 'Bearer x',
      config: { password: 'y' },
    });
    logger.error({ err: error }, 'request failed');
    const { err } = JSON.parse(lines[0] ?? '') as { err: Record<string, unknown> };
    assert.deepEqual([err.message, err.authorization, err.config], ['refused', '***', { password: '***' }]);
  });
});
