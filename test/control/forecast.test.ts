import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { forecastFor } from '../../src/control/neighbor-forecast.ts';
import { render } from '../../src/control/render-rule.ts';
import type { MitigationAction } from '../../src/core/action.ts';
import { NO_TARGETS } from '../../src/core/policy/scrubbers.ts';
import type { Match, Range } from '../../src/core/types.ts';
import { neighborPolicy } from './support.ts';

const POLICE: MitigationAction = { type: 'police', rateBps: 10_000_000 };
const SHARED: MitigationAction = { ...POLICE, shared: true };
const DISCARD: MitigationAction = { type: 'discard', rateBps: null };

/** TCP to 203.0.113.20 but for ports 22, 80 and 443. */
const AROUND: readonly Range[] = [
  [0, 21],
  [23, 79],
  [81, 442],
  [444, 65535],
];

function tcp(dstPorts: readonly Range[], dstPrefix = '203.0.113.20/32'): Match {
  return { dstPrefix, protocol: 6, dstPorts, srcPorts: [] };
}

describe('a forecast', () => {
  it('counts the routes that a rule takes on each neighbor', () => {
    const forecast = forecastFor(
      [neighborPolicy('edge1'), neighborPolicy('edge2', { dialect: 'juniper' })],
      [],
    );
    assert.deepEqual(forecast(tcp(AROUND), DISCARD), [
      { neighbor: 'edge1', ok: true, routes: 2 },
      { neighbor: 'edge2', ok: true, routes: 2 },
    ]);
    assert.deepEqual(
      forecast(tcp(AROUND), SHARED).map((one) => one.ok && one.routes),
      [2, 2],
    );
  });

  it('says in the words of the dialect why a neighbor cannot enforce a rule', () => {
    const forecast = forecastFor([neighborPolicy('edge1'), neighborPolicy('old', { dialect: 'arista' })], []);
    assert.deepEqual(forecast(tcp(AROUND), POLICE), [
      {
        neighbor: 'edge1',
        ok: false,
        why: 'generic: more than 5 operators in a component, and a rule with traffic-rate cannot be split',
      },
      {
        neighbor: 'old',
        ok: false,
        why: 'arista: rate-limit is accepted but not applied on some models',
      },
    ]);
  });

  it('holds no destination against the next rule of the same shape', () => {
    for (const [special, ordinary] of [
      ['224.0.0.1/32', '203.0.113.20/32'],
      ['ff02::1/128', '2001:db8::20/128'],
    ]) {
      const forecast = forecastFor([neighborPolicy('edge1')], []);
      forecast(tcp([[80, 80]], special), DISCARD);
      assert.deepEqual(forecast(tcp([[80, 80]], ordinary), DISCARD), [
        { neighbor: 'edge1', ok: true, routes: 1 },
      ]);
    }
  });

  it('knows the families of each neighbor', () => {
    const v4 = neighborPolicy('v4', { families: [FAMILIES['ipv4-flowspec']] });
    const forecast = forecastFor([v4, neighborPolicy('both')], []);
    assert.deepEqual(
      forecast(tcp([], '2001:db8::1/128'), POLICE).map(({ ok }) => ok),
      [false, true],
    );
    assert.deepEqual(
      forecast(tcp([]), POLICE).map(({ ok }) => ok),
      [true, true],
    );
  });

  it('finds what the egress check would hold back: a protected port between two allowed ones', () => {
    const forecast = forecastFor([neighborPolicy('edge1')], [179]);
    const around: readonly Range[] = [
      [0, 177],
      [179, 179],
      [181, 65535],
    ];
    assert.deepEqual(forecast(tcp(around), DISCARD), [
      {
        neighbor: 'edge1',
        ok: false,
        why: 'the egress check would hold it back: it names port 179, which is protected',
      },
    ]);
  });

  it('refuses a rule of more routes than a neighbor may hold altogether', () => {
    const forecast = forecastFor([neighborPolicy('small', { maxRules: 1 }), neighborPolicy('edge1')], []);
    const [small, edge1] = forecast(tcp(AROUND), DISCARD);
    assert.deepEqual(small, {
      neighbor: 'small',
      ok: false,
      why: 'it needs 2 routes, but max_rules is 1',
    });
    assert.equal(edge1?.ok, true);
  });

  it('is a reason, not an exception, for a match that no FlowSpec can say', () => {
    const forecast = forecastFor([neighborPolicy('edge1')], []);
    const [one] = forecast(tcp([[0, 65535]]), DISCARD);
    assert.match(one?.ok === false ? one.why : '', /restricts nothing/);
  });

  it('renders a shape once, whatever the destination', () => {
    const forecast = forecastFor([neighborPolicy('edge1')], []);
    assert.equal(forecast(tcp([]), POLICE), forecast(tcp([], '203.0.113.99/32'), POLICE));
    assert.notEqual(forecast(tcp([]), POLICE), forecast(tcp([]), DISCARD));
    assert.notEqual(forecast(tcp([]), POLICE), forecast(tcp([]), SHARED));
  });

  it('says of no neighbors nothing', () => {
    assert.deepEqual(forecastFor([], [])(tcp(AROUND), POLICE), []);
  });

  it('is what the reconciler renders later', () => {
    const neighbor = neighborPolicy('edge1');
    const forecast = forecastFor([neighbor], []);
    for (const action of [POLICE, SHARED, DISCARD]) {
      for (const ports of [AROUND, [], [[53, 53] as const]]) {
        const rendering = render({ match: tcp(ports), action, mitigationId: 'm' }, neighbor, NO_TARGETS);
        const [one] = forecast(tcp(ports), action);
        assert.deepEqual(one?.ok === true ? one.routes : 0, rendering.ok ? rendering.routes.length : 0);
      }
    }
  });
});
