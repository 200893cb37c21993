import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ceaseNotification, endsForGood } from '../../../src/bgp/fsm/leave-state.ts';

/** Code, subcode and data as hexadecimal. */
function said(subcode: number, communication: string | undefined, hard: boolean): string {
  const cease = communication === undefined ? { subcode } : { subcode, communication };
  const { code, subcode: sent, data } = ceaseNotification(cease, hard);
  return `${code}/${sent} ${Buffer.from(data).toString('hex')}`.trim();
}

describe('a Cease', () => {
  it('of a shutdown or a reset carries the words for the other side (RFC 9003 §2)', () => {
    assert.equal(said(2, 'bye', false), '6/2 03627965');
    assert.equal(said(4, 'bye', false), '6/4 03627965');
  });

  it('of any other kind carries none', () => {
    for (const subcode of [1, 3, 5, 6, 7, 8]) assert.equal(said(subcode, 'bye', false), `6/${subcode}`);
  });

  it('without words, or with empty ones, has no data', () => {
    assert.equal(said(2, undefined, false), '6/2');
    assert.equal(said(2, '', false), '6/2');
  });

  it('that shall flush routes encloses itself in a Hard Reset (RFC 8538 §3.1)', () => {
    assert.equal(said(2, 'bye', true), '6/9 060203627965');
    assert.equal(said(3, undefined, true), '6/9 0603');
  });

  it('with words of 255 octets is sent whole; longer ones are cut between two characters', () => {
    assert.equal(said(2, 'x'.repeat(255), false), `6/2 ff${'78'.repeat(255)}`);
    // é has two octets: 127 of them fit, and half of one is not sent.
    assert.equal(said(2, 'é'.repeat(128), false), `6/2 fe${'c3a9'.repeat(127)}`);
  });

  it('is for good when the session is not meant to come back soon (RFC 8538 §5.2)', () => {
    const forGood = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].filter((subcode) => endsForGood({ subcode }));
    assert.deepEqual(forGood, [2, 3]);
  });
});
