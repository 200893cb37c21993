import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../../../src/app/observe/logger.ts';
import type { LoggerOptions } from '../../../src/app/observe/logger.ts';

function recorded(options: Partial<LoggerOptions>) {
  const lines: string[] = [];
  const { logger } = createLogger({
    format: 'json',
    level: 'info',
    destination: { write: (line) => lines.push(line) },
    ...options,
  });
  return { logger, lines };
}

test('a JSON line has time, level, message and the fields as given', () => {
  const { logger, lines } = recorded({});
  logger.warn({ peer: 'edge1', mitigation_id: 'm1' }, 'session down');
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, { level: 'warn', peer: 'edge1', mitigation_id: 'm1', msg: 'session down' });
});

test('lines below the level are not written', () => {
  const { logger, lines } = recorded({ level: 'warn' });
  logger.info('nothing to see');
  logger.error('something');
  assert.equal(lines.length, 1);
});

test('a text line is one readable line', () => {
  const { logger, lines } = recorded({ format: 'text' });
  logger.info({ peer: 'edge1', why: ['a b', 'c'], expires_at: null }, 'session established');
  assert.match(lines[0] ?? '', /^\S+Z INFO {2}session established peer=edge1 why=\["a b","c"\]\n$/);
});

test('text from outside cannot break a line or forge a field', () => {
  const { logger, lines } = recorded({ format: 'text' });
  logger.info({ source: 'fnm\n2026-01-01 ERROR forged', vector: 'x peer=evil' }, 'event\u2028accepted');
  assert.equal(lines.length, 1);
  assert.equal((lines[0] ?? '').match(/[\n\u2028]/g)?.length, 1, 'the only line feed is the last character');
  assert.match(lines[0] ?? '', /vector="x peer=evil"/);
});

test('values under the keys of secrets are not written', () => {
  const { logger, lines } = recorded({});
  logger.info(
    {
      token: 'hunter22',
      neighbor: { md5Password: 'hunter22' },
      request: { headers: { authorization: 'hunter22' } },
    },
    'x',
  );
  assert.doesNotMatch(lines[0] ?? '', /hunter22/);
});

for (const format of ['json', 'text'] as const) {
  test(`a known secret is taken out of a ${format} line wherever it stands`, () => {
    const { logger, lines } = recorded({ format, secrets: () => ['s3cr"et', 'tok-en-1'] });
    logger.error({ err: new Error('cannot post with tok-en-1'), note: 'it was s3cr"et' }, 'failed tok-en-1');
    assert.doesNotMatch(lines[0] ?? '', /tok-en-1|s3cr/);
    assert.match(lines[0] ?? '', /failed \*\*\*/);
  });
}

test('an error is logged with its message', () => {
  const { logger, lines } = recorded({ format: 'text' });
  logger.error({ err: new Error('disk full') }, 'cannot write');
  assert.match(lines[0] ?? '', /cannot write err="disk full"\n$/);
});
