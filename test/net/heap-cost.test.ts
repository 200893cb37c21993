import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heapCost, textCost } from '../../src/net/heap-cost.ts';
import { retained } from '../support/retained.ts';

/** JSON of some kilobytes, each of another kind. `i` makes each one different. */
const KINDS: Readonly<Record<string, (i: number) => string>> = {
  objects: () => `[${Array(2000).fill('{}').join(',')}]`,
  lists: () => `[${Array(2000).fill('[]').join(',')}]`,
  'objects of one shape': () => `[${Array(1000).fill('{"a":1}').join(',')}]`,
  'objects of ever new shapes': (i) =>
    `[${Array.from({ length: 300 }, (_, k) => `{"k${i}_${k}":1}`).join(',')}]`,
  'many keys': (i) => `{${Array.from({ length: 500 }, (_, k) => `"k${i}_${k}":1`).join(',')}}`,
  numbers: () => `[${Array(4000).fill('1.5').join(',')}]`,
  texts: (i) => `[${Array.from({ length: 1000 }, (_, k) => `"text ${i} ${k}"`).join(',')}]`,
  'a long text': (i) => JSON.stringify({ a: `${i}${'x'.repeat(20_000)}` }),
  'a long text in another script': (i) => JSON.stringify({ a: `${i}${'中'.repeat(20_000)}` }),
};

describe('the memory that a value takes', () => {
  for (const [kind, json] of Object.entries(KINDS)) {
    it(`is at most about twice what is said, and no less than a quarter of it: ${kind}`, () => {
      const real = retained(100, (i) => JSON.parse(json(i)) as unknown);
      const said = heapCost(JSON.parse(json(1)));
      assert.ok(real < 2 * said, `${real} bytes where ${said} are said`);
      assert.ok(real > said / 4, `${real} bytes where ${said} are said`);
    });
  }

  it('of a text is a byte a character, or two', () => {
    assert.equal(textCost('x'.repeat(100)), 124);
    assert.equal(textCost('ÿ'.repeat(100)), 124);
    assert.equal(textCost('中'.repeat(100)), 224);
  });

  it('is not counted further than asked', () => {
    const value = Array.from({ length: 1_000_000 }, () => 'text');
    const cost = heapCost(value, 10_000);
    assert.ok(cost > 10_000 && cost < 20_000);
  });
});
