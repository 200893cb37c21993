import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { issueWords } from '../../src/ingest/issue-words.ts';

function words(schema: z.ZodType, value: unknown): string {
  const issue = schema.safeParse(value).error?.issues[0];
  assert.ok(issue);
  return issueWords({ ...issue }, issue.message);
}

test('a bound is named', () => {
  assert.equal(words(z.number().max(1), 2), 'must be at most 1');
  assert.equal(words(z.number().min(0), -1), 'must be at least 0');
  assert.equal(words(z.number().positive(), 0), 'must be above 0');
  assert.equal(words(z.string().max(3), 'long'), 'must have at most 3 characters');
  assert.equal(words(z.array(z.int()).min(1), []), 'must have at least 1 entries');
});

test('a choice is listed', () => {
  assert.equal(words(z.enum(['police', 'discard']), 'drop'), 'must be one of police, discard');
  assert.equal(words(z.literal('ban'), 'unban'), 'must be ban');
});

test('the words of a schema, and what reads well already, stand', () => {
  assert.equal(words(z.string().min(1, 'must not be empty'), ''), 'must not be empty');
  assert.match(words(z.number(), 'x'), /expected number, received string/);
});
