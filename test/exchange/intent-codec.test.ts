import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { endedIntent, standingIntent } from '../../src/core/own-intents.ts';
import { decodeIntent, decodeRequest, encodeIntent, encodeRequest } from '../../src/exchange/intent-codec.ts';
import type { PopRequest } from '../../src/exchange/types.ts';
import { mitigation, OPERATOR } from '../control/support.ts';

const { intent: INTENT } = standingIntent(
  mitigation({
    pops: ['*'],
    match: {
      dstPrefix: '203.0.113.10/32',
      protocol: 6,
      dstPorts: [
        [80, 80],
        [443, 443],
      ],
      srcPorts: [],
      tcpFlags: 2,
      tcpFlagsClear: 16,
      fragments: true,
    },
    action: { type: 'redirect', rateBps: null, target: { scrubber: 'fra' }, copy: true },
    why: ['one', 'two'],
  }),
  1_000,
);

/** Decodes the intent with these values in place of its own. */
function changed(values: Readonly<Record<string, unknown>>) {
  return decodeIntent(JSON.stringify({ ...JSON.parse(encodeIntent(INTENT)), ...values }));
}

describe('intents as text', () => {
  it('are read as they were written', () => {
    assert.deepEqual(decodeIntent(encodeIntent(INTENT)), { ok: true, value: INTENT });
    const ending = { to: 'withdrawn', at: 0, actor: OPERATOR, reason: 'over' } as const;
    const ended = endedIntent({ id: INTENT.id, ending });
    assert.ok(ended);
    assert.deepEqual(decodeIntent(encodeIntent(ended)), { ok: true, value: ended });
  });

  it('of every kind of action are read as they were written', () => {
    for (const action of [
      { type: 'police', rateBps: 5, shared: true },
      { type: 'discard', rateBps: null },
      { type: 'redirect', rateBps: 7, target: { vrf: '65010:666' } },
      { type: 'redirect', rateBps: null, target: { ip: '192.0.2.1' } },
      { type: 'divert', rateBps: null, scrubber: 'fra' },
      { type: 'blackhole', rateBps: null },
    ] as const) {
      const intent = { ...INTENT, action };
      assert.deepEqual(decodeIntent(encodeIntent(intent)), { ok: true, value: intent });
    }
  });

  it('have texts that are cut and on one line', () => {
    const long = { ...INTENT, reason: `two\nlines ${'x'.repeat(600)}`, why: Array<string>(50).fill('why') };
    const read = decodeIntent(encodeIntent(long));
    assert.ok(read.ok && read.value.kind === 'standing');
    assert.equal(read.value.reason.length, 500);
    assert.match(read.value.reason, /^two lines x+…$/);
    assert.equal(read.value.why.length, 32);
  });

  for (const [what, values] of [
    ['a destination with host bits', { match: { ...INTENT.match, dstPrefix: '203.0.113.10/24' } }],
    ['a destination that is not canonical', { match: { ...INTENT.match, dstPrefix: '2001:DB8::1/128' } }],
    [
      'ports that overlap',
      {
        match: {
          ...INTENT.match,
          dstPorts: [
            [1, 5],
            [4, 9],
          ],
        },
      },
    ],
    [
      'ports that are adjacent',
      {
        match: {
          ...INTENT.match,
          dstPorts: [
            [1, 5],
            [6, 9],
          ],
        },
      },
    ],
    ['a range that is reversed', { match: { ...INTENT.match, dstPorts: [[9, 1]] } }],
    ['a key that the match does not have', { match: { ...INTENT.match, ttl: 5 } }],
    ['a rate of 0', { action: { type: 'police', rateBps: 0 } }],
    ['a rate that is not finite', { action: { type: 'police', rateBps: '1e999' } }],
    ['an unknown action', { action: { type: 'accept' } }],
    ['a victim that is a name', { victim: 'example.net' }],
    ['an id that is none', { id: '../../etc' }],
    ['no POPs', { pops: [] }],
    ['control characters', { reason: 'a\u001b[31mb' }],
    ['a list without end', { why: Array<string>(33).fill('x') }],
    ['an unknown kind', { kind: 'perhaps' }],
  ] as const) {
    it(`with ${what} are refused`, () => {
      assert.equal(changed(values).ok, false);
    });
  }

  it('that are anything else are refused in words, and never throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const read = decodeIntent(text);
        return !read.ok && read.error.length > 0;
      }),
      { numRuns: 500 },
    );
  });
});

describe('requests as text', () => {
  const operator = 'kim';
  const reason = 'test';
  const requests: readonly PopRequest[] = [
    { type: 'withdraw', id: INTENT.id, operator, reason },
    { type: 'withdraw-all', operator, reason },
    { type: 'pause', operator, reason },
    { type: 'resume', operator, reason },
    { type: 'safelist-add', prefix: '203.0.113.0/24', operator, reason, confirmed: true },
    { type: 'safelist-remove', prefix: '203.0.113.0/24', operator, tags: [{ pop: 'fra', epoch: 5, n: 1 }] },
  ];
  for (const request of requests) {
    it(`are read as they were written: ${request.type}`, () => {
      assert.deepEqual(decodeRequest(encodeRequest(request)), { ok: true, value: request });
    });
  }

  it('of another kind are refused', () => {
    assert.equal(decodeRequest('{"type":"reload","operator":"kim","reason":"x"}').ok, false);
    assert.equal(decodeRequest('{"type":"pause","operator":"","reason":"x"}').ok, false);
  });
});
