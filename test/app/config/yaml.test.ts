import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml } from '../../../src/app/config/yaml.ts';

const TEXT = `a:
  b: [1, {c: 2}]
  "d e": x
f: &anchor
  g: 1
h: *anchor
i:
`;

test('values and keys are found where they stand', () => {
  const { place } = parseYaml('f.yaml', TEXT);
  assert.deepEqual(place(['a', 'b', 1, 'c'], 'value'), { line: 2, column: 14 });
  assert.deepEqual(place(['a', 'b', 1, 'c'], 'key'), { line: 2, column: 11 });
  assert.deepEqual(place(['a', 'd e'], 'value'), { line: 3, column: 10 });
});

test('what stands behind an alias is found at the anchor, the alias itself where it is written', () => {
  const { place, value } = parseYaml('f.yaml', TEXT);
  assert.deepEqual(place(['h', 'g'], 'value'), { line: 5, column: 6 });
  assert.deepEqual(place(['h'], 'value'), { line: 6, column: 4 });
  assert.deepEqual(Reflect.get(Object(value), 'h'), { g: 1 });
});

test('what is not there is placed at what is there above it', () => {
  const { place } = parseYaml('f.yaml', TEXT);
  assert.deepEqual(place(['f', 'missing'], 'value'), place(['f'], 'value'));
  assert.deepEqual(parseYaml('f.yaml', '').place(['x'], 'value'), { line: 1, column: 1 });
});

test('a key without a value is left out', () => {
  assert.equal(Object.hasOwn(Object(parseYaml('f.yaml', TEXT).value), 'i'), false);
});

test('any text at all gives a value or problems, never an exception', () => {
  for (const text of [
    'a: [',
    '}{',
    '\t',
    'a: b: c',
    '&x *x',
    '*nowhere',
    '? [1]: 2',
    '%YAML 9',
    '"\\x"',
    'a: !!js/function x',
  ]) {
    const { problems, value } = parseYaml('f.yaml', text);
    assert.ok(problems.length > 0 || value !== undefined, JSON.stringify(text));
    for (const { line, column } of problems) assert.ok((line ?? 0) >= 1 && (column ?? 0) >= 1);
  }
});

test('aliases that would grow without bound are refused', () => {
  const layers = ['a0: &a0 [x, x]'];
  for (let i = 1; i < 30; i++) layers.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
  const { problems } = parseYaml('f.yaml', layers.join('\n'));
  assert.match(problems[0]?.message ?? '', /alias/i);
});

test('a key named __proto__ is data', () => {
  const { value } = parseYaml('f.yaml', '__proto__: { polluted: true }\n');
  assert.deepEqual(Object.keys(Object(value)), ['__proto__']);
  assert.equal(Reflect.get({}, 'polluted'), undefined);
});
