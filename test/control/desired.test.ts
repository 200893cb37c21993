import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { desired, toActions, toFlowSpec } from '../../src/control/desired.ts';
import type { Match, Mitigation } from '../../src/core/types.ts';
import { formatPrefix } from '../../src/net/prefix.ts';
import { mitigation, OPERATOR, stateOf } from './support.ts';

const POLICE = { type: 'police', rateBps: 5_000_000 } as const;

function winnerAmong(...mitigations: Mitigation[]): string | undefined {
  return desired(
    stateOf(mitigations, () => 'k'),
    ['k'],
    1_000,
  ).get('k')?.mitigationId;
}

function match(changes: Partial<Match>): Match {
  return { dstPrefix: '203.0.113.10/32', protocol: null, dstPorts: [], srcPorts: [], ...changes };
}

/** Operators of a component in short: `=53`, `>53 &<123`. */
function ops(spec: ReturnType<typeof toFlowSpec>, type: number): string {
  const component = spec.components.find((one) => one.type === type);
  assert.ok(component !== undefined && 'ops' in component, `component ${type} is there`);
  return component.ops
    .map((op) =>
      'eq' in op
        ? `${op.and ? '&' : ''}${op.lt ? '<' : ''}${op.gt ? '>' : ''}${op.eq ? '=' : ''}${op.value}`
        : `${op.and ? '&' : ''}${op.not ? '!' : ''}${op.match ? '=' : ''}${op.value}`,
    )
    .join(' ');
}

describe('desired', () => {
  it('wants one rule for each key and none where nothing deserves one', () => {
    const state = stateOf([mitigation({ id: 'a' })], () => 'k');
    const wanted = desired(state, ['k', 'other'], 1_000);
    assert.equal(wanted.get('k')?.mitigationId, 'a');
    assert.equal(wanted.get('other'), undefined);
  });

  it('drops by itself what has expired, whatever the journal could record', () => {
    const state = stateOf([mitigation({ expiresAt: 5_000 })], () => 'k');
    assert.notEqual(desired(state, ['k'], 4_999).get('k'), undefined);
    assert.equal(desired(state, ['k'], 5_000).get('k'), undefined);
  });

  it('drops what is ending, what has ended and what was decided in dry-run', () => {
    const ending = { to: 'withdrawn', at: 0, actor: OPERATOR, reason: 'false positive' } as const;
    for (const gone of [
      mitigation({ ending }),
      mitigation({ status: 'withdrawn' }),
      mitigation({ status: 'expired' }),
      mitigation({ status: 'rejected' }),
      mitigation({ dryRun: true }),
    ]) {
      assert.equal(winnerAmong(gone), undefined);
    }
  });

  it('lets the stricter of two with one match win in either order, then the older, then the smaller id', () => {
    const police = mitigation({ id: 'p', action: POLICE });
    const strictPolice = mitigation({ id: 's', action: { type: 'police', rateBps: 1_000_000 } });
    const discard = mitigation({ id: 'd', createdAt: 900 });
    assert.equal(winnerAmong(police, strictPolice), 's');
    assert.equal(winnerAmong(strictPolice, police, discard), 'd');
    assert.equal(winnerAmong(discard, mitigation({ id: 'e', createdAt: 100 })), 'e');
    assert.equal(winnerAmong(mitigation({ id: 'b' }), mitigation({ id: 'a' })), 'a');
  });

  it('hands the rule to the loser when the winner expires', () => {
    const strict = mitigation({ id: 's', expiresAt: 2_000 });
    const police = mitigation({ id: 'p', action: POLICE });
    const state = stateOf([strict, police], () => 'k');
    assert.equal(desired(state, ['k'], 1_000).get('k')?.mitigationId, 's');
    assert.equal(desired(state, ['k'], 2_000).get('k')?.mitigationId, 'p');
  });
});

describe('toFlowSpec', () => {
  it('says the destination, protocol and single ports', () => {
    const spec = toFlowSpec(
      match({
        protocol: 17,
        dstPorts: [
          [53, 53],
          [123, 123],
        ],
      }),
    );
    assert.equal(spec.afi, 1);
    assert.deepEqual(
      spec.components.map((component) => component.type),
      [1, 3, 5],
    );
    const [destination] = spec.components;
    assert.ok(destination?.type === 1);
    assert.equal(formatPrefix(destination.prefix), '203.0.113.10/32');
    assert.equal(ops(spec, 3), '=17');
    assert.equal(ops(spec, 5), '=53 =123');
  });

  it('says everything but allowed ports as strict ranges, because some routers reset on !=', () => {
    const spec = toFlowSpec(
      match({
        dstPorts: [
          [0, 52],
          [54, 122],
          [124, 65535],
        ],
      }),
    );
    assert.equal(ops(spec, 5), '<53 >53 &<123 >123');
  });

  it('says a single port between two allowed ones as itself', () => {
    assert.equal(
      ops(
        toFlowSpec(
          match({
            dstPorts: [
              [0, 52],
              [54, 54],
              [56, 65535],
            ],
          }),
        ),
        5,
      ),
      '<53 =54 >55',
    );
  });

  it('never begins a list of operators with AND (osrg/gobgp#1322: it dropped sessions)', () => {
    for (const first of [
      [0, 52],
      [54, 122],
      [124, 65535],
      [80, 80],
    ] as const) {
      const component = toFlowSpec(match({ dstPorts: [first] })).components.find((one) => one.type === 5);
      assert.ok(component !== undefined && 'ops' in component);
      assert.equal(component.ops[0]?.and, false);
    }
  });

  it('matches reflectors by their source port', () => {
    const spec = toFlowSpec(match({ protocol: 17, srcPorts: [[53, 53]] }));
    assert.deepEqual(
      spec.components.map((component) => component.type),
      [1, 3, 6],
    );
  });

  it('says SYN without ACK as a match on the one and not any of the other', () => {
    assert.equal(ops(toFlowSpec(match({ protocol: 6, tcpFlags: 0x02, tcpFlagsClear: 0x10 })), 9), '=2 &!16');
  });

  it('is IPv6 for an IPv6 destination', () => {
    const spec = toFlowSpec(match({ dstPrefix: '2001:db8::10/128', protocol: 58 }));
    assert.equal(spec.afi, 2);
    assert.equal(ops(spec, 3), '=58');
  });

  it('refuses a range that restricts nothing and a destination that is none', () => {
    assert.throws(() => toFlowSpec(match({ dstPorts: [[0, 65535]] })), RangeError);
    assert.throws(() => toFlowSpec(match({ dstPrefix: 'everything' })), RangeError);
  });
});

describe('toActions', () => {
  it('is one traffic-rate: zero for discard, bits a second for police, the id octets zero', () => {
    assert.deepEqual(toActions({ type: 'discard', rateBps: null }), [
      { type: 'traffic-rate', bitsPerSecond: 0, asn: 0 },
    ]);
    assert.deepEqual(toActions(POLICE), [{ type: 'traffic-rate', bitsPerSecond: 5_000_000, asn: 0 }]);
  });
});
