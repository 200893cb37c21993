import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml } from '../../src/config/yaml/yaml.ts';

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

test('the content of an alias is found at the anchor, the alias itself where it is written', () => {
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

const MERGED = `x-web: &web
  tcp: [80, 443]
x-dns: &dns
  udp: [53]
  tcp: [53]
one: { <<: *web, udp: [443] }
list:
  <<: [*web, *dns]
own:
  tcp: [22]
  <<: *web
inline: { <<: { a: 1 }, b: 2 }
nested: { <<: { <<: *dns, c: 3 } }
quoted: { "<<": 1 }
`;

test('a merge key brings the keys of a section, of a list of them, and never replaces a key', () => {
  const { value, problems } = parseYaml('f.yaml', MERGED);
  assert.deepEqual(problems, []);
  const get = (key: string): unknown => Reflect.get(Object(value), key);
  assert.deepEqual(get('one'), { udp: [443], tcp: [80, 443] });
  assert.deepEqual(get('list'), { tcp: [80, 443], udp: [53] }, 'the first of a list that has a key counts');
  assert.deepEqual(get('own'), { tcp: [22] });
  assert.deepEqual(get('inline'), { b: 2, a: 1 });
  assert.deepEqual(get('nested'), { c: 3, udp: [53], tcp: [53] });
  assert.deepEqual(get('quoted'), { '<<': 1 }, 'in quotes it is a key like any other');
});

test('what a merge key brings is found where it is written', () => {
  const { place } = parseYaml('f.yaml', MERGED);
  assert.deepEqual(place(['one', 'tcp', 1], 'value'), { line: 2, column: 13 });
  assert.deepEqual(place(['one', 'tcp'], 'key'), { line: 2, column: 3 });
  assert.deepEqual(place(['one', 'udp', 0], 'value'), { line: 6, column: 24 });
  assert.deepEqual(place(['list', 'udp'], 'key'), { line: 4, column: 3 });
  assert.deepEqual(place(['nested', 'udp', 0], 'value'), { line: 4, column: 9 });
});

test('a merge key of anything but a section, and an alias without an anchor, are said where they are', () => {
  const said = (text: string) =>
    parseYaml('f.yaml', text).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  assert.deepEqual(said('a: &a 5\nb:\n  <<: *a\n'), [
    '3:7 the value of a merge key must be a section, or a list of sections',
  ]);
  assert.deepEqual(said('b:\n  <<: [{ a: 1 }, 2]\n'), [
    '2:7 the value of a merge key must be a section, or a list of sections',
  ]);
  assert.deepEqual(said('b:\n  c: 1\n  <<:\n'), [], 'a key without a value says nothing');
  assert.deepEqual(said('a: 1\nb: *later\nc: &later 2\n'), [
    '2:4 the alias *later has no anchor &later above it',
  ]);
  assert.deepEqual(said('a: &a\n  b: [*a]\n'), ['2:7 the alias *a refers to a section that contains it']);
  assert.deepEqual(said('a: &a\n  <<: *a\n  b: 1\n'), [
    '2:7 the alias *a refers to a section that contains it',
  ]);
});

test('an anchor may be used as often as there are customers', () => {
  const lines = Array.from({ length: 500 }, (_, i) => `  - { id: c${i}, ports: *web, <<: *base }`);
  const text = `x-web: &web { tcp: [80, 443] }\nx-base: &base { profile: strict }\nlist:\n${lines.join('\n')}\n`;
  const { problems, value, readable } = parseYaml('f.yaml', text);
  assert.deepEqual(problems, []);
  assert.ok(readable);
  const list: unknown = Reflect.get(Object(value), 'list');
  assert.ok(Array.isArray(list) && list.length === 500);
  assert.deepEqual(list[499], { id: 'c499', ports: { tcp: [80, 443] }, profile: 'strict' });
});

test('merge keys within merge keys that would grow without bound cost nothing', () => {
  const layers = ['a0: &a0 { k: [x, x] }'];
  for (let i = 1; i < 40; i++)
    layers.push(`a${i}: &a${i} { <<: [*a${i - 1}, *a${i - 1}], k${i}: [*a${i - 1}, *a${i - 1}] }`);
  const { problems, value } = parseYaml('f.yaml', layers.join('\n'));
  assert.match(problems[0]?.message ?? '', /alias/i);
  assert.equal(value, undefined);
});

test('a key that is there twice is said with its path, also in a list and for a merge key, and leaves the rest readable', () => {
  const { problems, readable, value, place } = parseYaml(
    'f.yaml',
    'a:\n  - b: { c: 1 }\n    b: { d: 2 }\n    e: 1\nz: &z {}\ny: { <<: *z, <<: *z }\n',
  );
  assert.deepEqual(
    problems.map(({ line, column, path, message, fix }) => [line, column, path, message, fix]),
    [
      [3, 5, 'a[0].b', 'this key is written twice', 'remove one of the two'],
      [6, 14, 'y["<<"]', 'this key is written twice', 'write one with a list: <<: [*one, *other]'],
    ],
  );
  assert.ok(readable);
  assert.deepEqual(
    Reflect.get(Object(value), 'a'),
    [{ b: { c: 1, d: 2 }, e: 1 }],
    'both sections are looked at',
  );
  assert.deepEqual(place(['a', 0, 'b', 'c'], 'value'), { line: 2, column: 13 });
  assert.deepEqual(place(['a', 0, 'b', 'd'], 'value'), { line: 3, column: 13 });
});

test('a value without quotes is known as it is written, also behind an alias', () => {
  const { written } = parseYaml('f.yaml', 'a: 010\nb: &b 1e3\nc: *b\nd: "1e3"\ne: { f: 0x10 }\ng: True\n');
  assert.equal(written(['a']), '010');
  assert.equal(written(['b']), '1e3');
  assert.equal(written(['c']), '1e3');
  assert.equal(written(['d']), undefined);
  assert.equal(written(['e', 'f']), '0x10');
  assert.equal(written(['g']), 'True');
});

test('a name that YAML reads as a number stays the name that is written', () => {
  assert.deepEqual(Object.keys(Object(parseYaml('f.yaml', '010: a\n1e3: b\n').value)).sort(), ['010', '1e3']);
});

test('keys written with "?" are refused before they cost anything', () => {
  const said = (text: string) =>
    parseYaml('f.yaml', text).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  for (const levels of [1, 400, 20_000]) {
    assert.deepEqual(said('? '.repeat(levels)), ['1:1 keys written with "?" are not supported']);
  }
  assert.deepEqual(said('a: 1\nb: [x, ? y]\n'), ['2:8 keys written with "?" are not supported']);
  const text = 'a: |\n  ? text\nb: "x\n  ? y"\nc: what?\n# ? no\nd: ?x\n';
  assert.deepEqual(said(text), [], 'in texts and comments it means nothing');
});

test('nesting has a limit however it is written, and siblings do not count', () => {
  const deep = /^lists and sections are nested more than 64 deep here$/;
  const indented = Array.from({ length: 70 }, (_, i) => `${' '.repeat(i)}a:`).join('\n');
  for (const text of [
    '['.repeat(70),
    '{ a: '.repeat(70),
    '- '.repeat(70),
    indented,
    `${'- '.repeat(35)}${'['.repeat(35)}`,
  ]) {
    const { problems, readable } = parseYaml('f.yaml', text);
    assert.equal(problems.length, 1);
    assert.match(problems[0]?.message ?? '', deep);
    assert.ok(!readable);
  }
  const depth = 32;
  const flow = `${'['.repeat(depth)}1${']'.repeat(depth)}`;
  const wide = Array.from({ length: 500 }, (_, i) => `k${i}:\n  - a: ${flow}\n  - b: {}\n`).join('');
  assert.deepEqual(parseYaml('f.yaml', wide).problems, []);
});

test('nesting beyond all measure is a problem, not the end of the process', () => {
  const { problems } = parseYaml('f.yaml', '['.repeat(200_000));
  assert.ok(problems.length > 0);
});
