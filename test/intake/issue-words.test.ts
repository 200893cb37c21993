import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { issueWords } from '../../src/intake/issue-words.ts';

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
  assert.equal(words(z.array(z.int()).min(1), []), 'must not be empty');
  assert.equal(words(z.array(z.int()).min(2), []), 'must have at least 2 entries');
});

test('a choice is listed', () => {
  assert.equal(words(z.enum(['police', 'discard']), 'drop'), 'must be one of police, discard');
  assert.equal(words(z.literal('ban'), 'unban'), 'must be ban');
});

test('a type is called by its name', () => {
  assert.equal(words(z.number(), 'x'), 'must be a number');
  assert.equal(words(z.int(), 1.5), 'must be a whole number');
  assert.equal(words(z.string(), 5), 'must be a string');
});

test("a schema's own words are kept", () => {
  assert.equal(words(z.string().min(1, 'must not be empty'), ''), 'must not be empty');
});
