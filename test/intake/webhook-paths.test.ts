/** JSONPath and regular expressions of webhooks: what is supported, and that no document makes them slow. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compilePath, documentFlaw, MAX_VALUES } from '../../src/intake/webhook/json-path.ts';
import { compilePattern, MAX_MATCHED, patternMatches } from '../../src/intake/webhook/safe-pattern.ts';
import { processorTime } from '../support/processor-time.ts';

function select(path: string, document: unknown, most = 1000): readonly unknown[] {
  const query = compilePath(path);
  assert.ok(query.ok, query.ok ? '' : query.error);
  return query.value.select(document, most);
}

function refusal(path: string): string {
  const query = compilePath(path);
  return query.ok ? 'accepted' : query.error;
}

describe('a path', () => {
  // Examples and rules of RFC 9535; the section is named.
  const document = {
    o: { j: 1, k: 2 },
    a: [5, 3, [{ j: 4 }, { k: 6 }]],
    "it's": { 'a b': 7 },
    list: [{ kind: 'x', n: 1 }, { kind: 'y', n: null }, { kind: 'x' }],
  };
  const cases: readonly (readonly [section: string, path: string, values: readonly unknown[]])[] = [
    ['2.2.3 root', '$', [document]],
    ['2.3.1 names', "$['it\\'s']['a b']", [7]],
    ['2.3.1 missing names', '$.o.zzz', []],
    ['2.3.1 names of the prototype are no members', '$.o.constructor', []],
    ['2.3.1 nor is __proto__', '$.o.__proto__', []],
    ['2.3.2 wildcards', '$.o.*', [1, 2]],
    ['2.3.3 indices', '$.a[1]', [3]],
    ['2.3.3 negative indices', '$.a[-3]', [5]],
    ['2.3.3 indices beyond the end', '$.a[9]', []],
    ['2.3.4 slices', '$.a[0:2]', [5, 3]],
    ['2.3.5 filters by comparison', "$.list[?@.kind == 'x']", [document.list[0], document.list[2]]],
    ['2.3.5 filters by existence; null exists', '$.list[?@.n]', [document.list[0], document.list[1]]],
    ['2.3.5 comparison with an empty result', '$.list[?@.n == @.zzz].kind', ['x']],
    ['2.3.5 root in a filter', '$.list[?@.n == $.o.j].kind', ['x']],
    ['2.4.4 length', '$.list[?length(@.kind) == 1].kind', ['x', 'y', 'x']],
    ['2.4.5 count', '$.list[?count(@.*) == 1].kind', ['x']],
    ['2.4.6 match is of the whole text', "$.list[?match(@.kind, 'x|z')].kind", ['x', 'x']],
    ['2.4.7 search is anywhere', "$.list[?search(@.kind, '[yz]')].kind", ['y']],
    ['2.5.1 several selectors', "$.o['k','j']", [2, 1]],
    ['2.5.2 descendants', '$..j', [1, 4]],
    ['2.6 null is a value', '$.list[1].n', [null]],
  ];
  for (const [section, path, values] of cases) {
    it(`selects as RFC 9535 says: ${section}`, () => assert.deepEqual(select(path, document), values));
  }

  it('gives no more values than are asked for', () => {
    assert.deepEqual(select('$[*]', [1, 2, 3, 4], 2), [1, 2]);
  });

  const refused: readonly (readonly [path: string, says: RegExp])[] = [
    ['', /not a JSONPath query/],
    ['target', /not a JSONPath query/],
    ['@.a', /not a JSONPath query/],
    ['$.a[', /not a JSONPath query/],
    ['$[(@.length-1)]', /not a JSONPath query/],
    ['$[?@.a == 1 && require("fs")]', /not a JSONPath query/],
    ['$[9007199254740992]', /not a JSONPath query/],
    [`$${'.a'.repeat(300)}`, /longer than 512/],
    ['$..a..b', /more than one "\.\."/],
    ['$[?@..a]', /filter may not use "\.\."/],
    ['$[?count($[*]) > 1]', /only with names and indices/],
    ['$[?@[?@.a]]', /another filter/],
    [`$${"['a','b']".repeat(7)}`, /combines 128 selectors/],
    ['$[?match(@.a, @.b)]', /pattern from the document/],
    ['$[?search(@.a, $.pattern)]', /pattern from the document/],
    ['$[?!(match(@.a, "(a+)+b"))]', /can itself match in several ways/],
    ['$[?match(@.a, "(?i)x")]', /not an I-Regexp/],
  ];
  for (const [path, says] of refused) {
    it(`that could run for long or is no path is refused: ${path.slice(0, 40)}`, () =>
      assert.match(refusal(path), says));
  }

  it('compares only the beginning of a long text with a pattern', () => {
    const long = `${'a'.repeat(1_000_000)}b`;
    assert.deepEqual(select("$[?search(@, 'a+b')]", [long, 'ab']), ['ab']);
    assert.deepEqual(select("$[?match(@, 'a*b')]", [long, 'ab']), ['ab']);
    assert.deepEqual(select("$[?search(@, '^a')]", [long]), [long]);
  });

  it('takes a bounded time on the largest document', () => {
    const document = { rows: Array.from({ length: MAX_VALUES / 3 - 1 }, (_, i) => ({ a: i, b: 'x' })) };
    assert.equal(documentFlaw(document), undefined);
    for (const path of ['$..zzz', '$..[?@.a == -1]', "$.rows[?search(@.b, 'y')]", '$..*']) {
      assert.ok(processorTime(() => select(path, document, 1)) < 500, path);
    }
  });
});

describe('a document', () => {
  it('has a largest number of values and of levels', () => {
    assert.equal(documentFlaw(Array(MAX_VALUES - 1).fill(1)), undefined);
    assert.match(documentFlaw(Array(MAX_VALUES).fill(1)) ?? '', /more than 30000 values/);
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    assert.equal(documentFlaw(nested(32)), undefined);
    assert.match(documentFlaw(nested(33)) ?? '', /deeper than 32/);
    assert.equal(select('$..*', nested(32)).length, 32);
  });
});

describe('a pattern', () => {
  const accepted: readonly (readonly [pattern: string, matches: string, not: string])[] = [
    ['(?i)ntp|dns', 'NTP reflection', 'ssdp'],
    ['^udp', 'udp flood', 'an udp flood'],
    ['flood$', 'udp flood', 'flooded'],
    ['[a-z]+_flood', 'syn_flood', '_flood'],
    ['\\d{1,3}(\\.\\d{1,3}){3}', 'to 203.0.113.10', '203.0.113'],
    ['TCP.*SYN', 'TCP+SYN', 'SYN TCP'],
    ['(UDP|TCP) flood', 'TCP flood', 'ICMP flood'],
    ['\\bsyn\\b', 'a syn flood', 'async'],
    ['\\p{Lu}x', 'Äx', 'äx'],
  ];
  for (const [pattern, matches, not] of accepted) {
    it(`is usual: ${pattern}`, () => {
      const compiled = compilePattern(pattern);
      assert.ok(compiled.ok, compiled.ok ? '' : compiled.error);
      assert.ok(patternMatches(compiled.value, matches));
      assert.ok(!patternMatches(compiled.value, not));
    });
  }

  const refused: readonly (readonly [pattern: string, says: RegExp])[] = [
    ['(a+)+$', /\(\(a\+\)\+\)/],
    ['(a*)*b', /several ways/],
    ['(a|a)*b', /several ways/],
    ['(a|aa)+$', /several ways/],
    ['([a-z]+\\d?)*x', /several ways/],
    ['(.*,){20}x', /several ways|too many ways/],
    ['(x?){20}y', /too many ways/],
    ['x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?y', /too many ways/],
    ['a*a*a*b', /too many ways/],
    ['.*a.*b.*', /too many ways/],
    ['(a)\\1', /refers back/],
    ['(?<n>a)\\k<n>', /refers back/],
    ['(?=a)b', /looks around/],
    ['(?<!a)b', /looks around/],
    ['a(b', /not a valid regular expression/],
    ['[z-a]', /not a valid regular expression/],
    ['a'.repeat(513), /longer than 512/],
  ];
  for (const [pattern, says] of refused) {
    it(`that backtracks without bound or is invalid is refused: ${pattern.slice(0, 30)}`, () => {
      const compiled = compilePattern(pattern);
      assert.ok(!compiled.ok, 'it was accepted');
      assert.match(compiled.error, says);
    });
  }

  it('that is accepted is fast on the texts that are worst for it', () => {
    const texts = ['a', 'ab', '1.', ' '].map((part) => part.repeat(MAX_MATCHED));
    for (const pattern of [
      '.*a.*b',
      'a*a*b',
      '^a*a*a*b',
      '(\\d{1,3}\\.){3}x',
      'a{1,100}a{1,100}b',
      '\\s+\\s+x',
    ]) {
      const compiled = compilePattern(pattern);
      assert.ok(compiled.ok, pattern);
      const { value } = compiled;
      for (const text of texts) {
        assert.ok(
          processorTime(() => patternMatches(value, text)) < 200,
          `${pattern} on ${text.slice(0, 4)}`,
        );
      }
    }
  });
});
