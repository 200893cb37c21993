import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { alternatives, intervalsOf, matchedIntervals } from '../../../src/bgp/flowspec/intervals.ts';
import { fitOperators } from '../../../src/bgp/flowspec/split.ts';
import type { FlowSpec, NumericOp } from '../../../src/bgp/flowspec/types.ts';
import { rule } from './octets.ts';

/** RFC 8955 §4.2.1.1 word for word: AND binds to the pair before, OR starts anew. */
function holds(ops: readonly NumericOp[], value: number): boolean {
  let any = false;
  let all = true;
  for (const [i, op] of ops.entries()) {
    if (i > 0 && !op.and) {
      any ||= all;
      all = true;
    }
    const limit = Number(op.value);
    all &&= (op.lt && value < limit) || (op.gt && value > limit) || (op.eq && value === limit);
  }
  return any || all;
}

const SAMPLES = [...Array(25).keys(), 52, 53, 54, 65533, 65534, 65535];

const anyOps: fc.Arbitrary<readonly NumericOp[]> = fc
  .array(
    fc.record({
      and: fc.boolean(),
      lt: fc.boolean(),
      gt: fc.boolean(),
      eq: fc.boolean(),
      value: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(53, 65534, 65535, 70_000)),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((ops) => ops.map((op, i) => (i === 0 ? { ...op, and: false } : op)));

/** Many single values apart from each other, which no range can join. */
const sparseOps: fc.Arbitrary<readonly NumericOp[]> = fc
  .uniqueArray(fc.integer({ min: 0, max: 11 }), { minLength: 4, maxLength: 12 })
  .map((values) => values.map((value) => ({ and: false, lt: false, gt: false, eq: true, value: 2 * value })));

describe('a list of numeric operators as intervals', () => {
  it('holds exactly the values that the standard lets match', () => {
    fc.assert(
      fc.property(anyOps, (ops) => {
        const intervals = matchedIntervals({ type: 5, ops });
        for (const value of SAMPLES) {
          const inside = intervals.some(([from, to]) => from <= value && value <= to);
          assert.equal(inside, holds(ops, value), `value ${value}`);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is ascending, disjoint and not adjacent', () => {
    fc.assert(
      fc.property(anyOps, (ops) => {
        const intervals = matchedIntervals({ type: 5, ops });
        for (const [i, [from, to]] of intervals.entries()) {
          assert.ok(0 <= from && from <= to && to <= 65535);
          assert.ok(i === 0 || from > (intervals[i - 1]?.[1] ?? 0) + 1);
        }
      }),
    );
  });

  it('of one alternative is the intersection of its conditions', () => {
    const component = rule('match port >52&<100&!=80').components[0];
    assert.ok(component?.type === 4);
    const [group] = alternatives(component.ops);
    assert.deepEqual(intervalsOf(group ?? [], 65535), [
      [53, 79],
      [81, 99],
    ]);
  });
});

describe('fitting a rule into a bound on operators', () => {
  it('changes nothing about a rule that fits', () => {
    const spec = rule('match dst 203.0.113.10/32 dst-port <53,>53&<123,>123 tcp-flags =syn&!ack');
    const fitted = fitOperators(spec, 5);
    assert.ok(fitted.ok);
    assert.equal(fitted.value[0], spec);
  });

  it('yields rules that match together exactly what the one did', () => {
    let split = 0;
    fc.assert(
      fc.property(fc.oneof(anyOps, sparseOps), fc.integer({ min: 2, max: 5 }), (ops, most) => {
        fc.pre(matchedIntervals({ type: 5, ops }).length > 0);
        const spec: FlowSpec = { afi: 1, safi: 133, components: [{ type: 5, ops }] };
        const fitted = fitOperators(spec, most);
        assert.ok(fitted.ok);
        if (fitted.value.length > 1) split++;
        const lists = fitted.value.map((part) => {
          const [component] = part.components;
          assert.ok(component?.type === 5 && component.ops.length <= most);
          assert.equal(component.ops[0]?.and, false);
          return component.ops;
        });
        for (const value of SAMPLES) {
          assert.equal(
            lists.some((list) => holds(list, value)),
            holds(ops, value),
          );
        }
      }),
      { numRuns: 1000 },
    );
    assert.ok(split > 50, `only ${split} of the lists had to be split`);
  });

  it('splits masks between alternatives and never within one', () => {
    const fitted = fitOperators(rule('match tcp-flags =syn&!ack,=fin&!ack,=rst'), 4);
    assert.ok(fitted.ok);
    assert.deepEqual(fitted.value, [
      rule('match tcp-flags =syn&!ack,=fin&!ack'),
      rule('match tcp-flags =rst'),
    ]);
    assert.ok(!fitOperators(rule('match tcp-flags =syn&!ack&!rst'), 2).ok);
  });
});
