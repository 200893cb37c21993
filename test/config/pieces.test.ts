import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Assembly, cut } from '../../src/net/pieces.ts';

function through(data: unknown): { readonly whole: unknown; readonly pieces: number } {
  const assembly = new Assembly();
  const pieces = [...cut(data)];
  for (const piece of pieces) assembly.take(piece);
  return { whole: assembly.whole, pieces: pieces.length };
}

test('data is the same after it was cut and put together', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.deepEqual(through(JSON.parse(text)).whole, JSON.parse(text));
    }),
  );
});

test('a key without a value is left out, and a key called __proto__ is a key', () => {
  assert.deepEqual(through({ a: undefined, b: [] }).whole, { b: [] });
  const whole = through(JSON.parse('{"__proto__":{"x":1}}')).whole;
  assert.deepEqual(Object.keys(Object(whole)), ['__proto__']);
  assert.equal(Reflect.get(Object({}), 'x'), undefined);
});

test('a long list and long texts make many pieces, none of them large', () => {
  const list = Array.from({ length: 20_000 }, (_, i) => `198.51.100.${i}`);
  assert.ok(through(list).pieces >= 5);
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(90_000));
  const pieces = [...cut(texts)];
  assert.ok(pieces.length >= 10);
  for (const { values } of pieces) assert.ok(values.join('').length < 300_000);
});

test('what JSON does not have is refused', () => {
  assert.throws(() => [...cut([1n])], RangeError);
});
