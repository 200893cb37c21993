import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance, looksLike, nearest } from '../../src/net/nearest.ts';

test('each edit counts once, a swap of neighbors too', () => {
  assert.equal(editDistance('mode', 'mode'), 0);
  assert.equal(editDistance('mod', 'mode'), 1);
  assert.equal(editDistance('moode', 'mode'), 1);
  assert.equal(editDistance('node', 'mode'), 1);
  assert.equal(editDistance('omde', 'mode'), 1);
  assert.equal(editDistance('', 'mode'), 4);
});

test('case and separators count for nothing', () => {
  assert.equal(editDistance('localAsn', 'local_asn'), 0);
  assert.equal(editDistance('Local-ASN', 'local_asn'), 0);
});

test('the nearest word is found, the first of equals', () => {
  assert.equal(nearest('hold_time', ['peer_asn', 'hold_time_seconds', 'port']), 'hold_time_seconds');
  assert.equal(nearest('x', ['ab', 'cd']), 'ab');
  assert.equal(nearest('x', []), undefined);
});

test('only what is close is taken for a slip', () => {
  assert.ok(looksLike('guardrail', 'guardrails'));
  assert.ok(looksLike('dryrun', 'dry-run'));
  assert.ok(!looksLike('colour', 'communities'));
});
