import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cutText, keptText } from '../../src/net/text.ts';

describe('what is kept of a text', () => {
  it('is the text where it fits, in bytes and not in characters', () => {
    assert.equal(keptText('udp_flood', 64), 'udp_flood');
    assert.equal(keptText('', 64), '');
    assert.equal(keptText('ä'.repeat(16), 32), 'ä'.repeat(16));
    assert.equal(keptText('x'.repeat(32), 32), 'x'.repeat(32));
  });

  it('ends between two characters, and says that something is missing', () => {
    assert.equal(keptText('x'.repeat(33), 32), `${'x'.repeat(29)}…`);
    assert.equal(keptText('ä'.repeat(17), 32), `${'ä'.repeat(14)}…`);
    assert.equal(keptText('😀'.repeat(9), 32), `${'😀'.repeat(7)}…`);
    for (let bytes = 3; bytes < 40; bytes++) {
      const kept = keptText('a中😀ä'.repeat(10), bytes);
      assert.ok(Buffer.byteLength(kept) <= bytes, `${bytes}: ${kept}`);
      assert.doesNotMatch(kept, /\ufffd/);
    }
  });

  it('has no lone surrogates, which are no UTF-8', () => {
    assert.equal(keptText(`a lone one: \ud83d, in a text`, 64), 'a lone one: \ufffd, in a text');
  });
});

describe('a text that is shown', () => {
  it('is cut in characters', () => {
    assert.equal(cutText('abcdef', 6), 'abcdef');
    assert.equal(cutText('abcdefg', 6), 'abcde…');
  });
});
