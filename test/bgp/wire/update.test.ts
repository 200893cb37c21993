import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FAMILIES, type Family } from '../../../src/bgp/wire/iana.ts';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import type { CodecContext, UpdateMessage } from '../../../src/bgp/wire/types.ts';
import { endOfRib, isEndOfRib, isTreatAsWithdraw, makeUpdate } from '../../../src/bgp/wire/update.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { EXTERNAL, INTERNAL, message, notificationOf, octets, updateMessage } from './support.ts';

const ORIGIN = '40 01 01 00';
const AS_PATH = '40 02 06 02 01 0000fde9';
const NEXT_HOP = '40 03 04 c0000201';
const FLOWSPEC_REACH = '80 0e 09 0001 85 00 00 03 038106';

function decode(bytes: Uint8Array, context: CodecContext = EXTERNAL): UpdateMessage {
  const decoded = decodeMessage(bytes, context);
  assert.equal(decoded.type, 'update');
  return decoded as UpdateMessage;
}

const missing = (update: UpdateMessage): readonly number[] => {
  assert.ok(update.problems.every((problem) => problem.treatment === 'treat-as-withdraw'));
  return update.problems.map((problem) => problem.attribute);
};

describe('UPDATE (RFC 4271 §4.3)', () => {
  it('has withdrawn routes, attributes and NLRI', () => {
    const bytes = message(
      2,
      '0005 20 c6336401  0014 40 01 01 00 40 02 06 02 01 0000fde9 40 03 04 c0000201  18 cb0071',
    );
    assert.deepEqual(decode(bytes), {
      type: 'update',
      withdrawn: octets('20c6336401'),
      attributes: {
        origin: 0,
        asPath: [{ kind: 'sequence', asns: [65001] }],
        nextHop: octets('c0000201'),
      },
      nlri: octets('18cb0071'),
      problems: [],
    });
    assert.equal(toHex(encodeMessage(decode(bytes), EXTERNAL)), toHex(bytes));
  });

  it('is read without copying', () => {
    const bytes = updateMessage(`${ORIGIN} ${AS_PATH} ${NEXT_HOP}`, '18 cb0071', '08 0a');
    const update = decode(bytes);
    for (const part of [update.withdrawn, update.nlri, update.attributes.nextHop]) {
      assert.equal(part?.buffer, bytes.buffer);
    }
  });

  /** RFC 7606 §3.b: these stay session resets. */
  for (const [what, bodyHex] of [
    ['a withdrawn routes length above the message', '0005 00 0000'],
    ['a withdrawn routes length that leaves no attributes length', '0002 0000'],
    ['an attributes length above the message', '0000 0004 400101'],
    ['both at their highest', 'ffff ffff'],
  ] as const) {
    it(`${what} is 3/1`, () => {
      assert.equal(
        notificationOf(() => decode(message(2, bodyHex))),
        '3/1',
      );
    });
  }

  /** RFC 7606 §3.i, §5.3. */
  for (const [what, bytes] of [
    ['NLRI with a prefix length of 33', updateMessage(`${ORIGIN} ${AS_PATH} ${NEXT_HOP}`, '21 0a00000000')],
    ['NLRI that is cut off', updateMessage(`${ORIGIN} ${AS_PATH} ${NEXT_HOP}`, '18 0a00')],
    ['withdrawn routes with a prefix length of 40', updateMessage('', '', '28 0a00000000')],
    ['withdrawn routes that are cut off', updateMessage('', '', '20 0a')],
  ] as const) {
    it(`${what} is 3/10`, () => {
      assert.equal(
        notificationOf(() => decode(bytes)),
        '3/10',
      );
    });
  }
});

describe('mandatory attributes that are missing (RFC 7606 §3.d)', () => {
  it('are ORIGIN, AS_PATH and NEXT_HOP for IPv4 NLRI', () => {
    assert.deepEqual(missing(decode(updateMessage('', '18 cb0071'))), [1, 2, 3]);
    assert.deepEqual(missing(decode(updateMessage(`${ORIGIN} ${AS_PATH}`, '18 cb0071'))), [3]);
  });

  it('are ORIGIN and AS_PATH for MP_REACH_NLRI, which has its own next hop (RFC 4760 §3)', () => {
    assert.deepEqual(missing(decode(updateMessage(FLOWSPEC_REACH))), [1, 2]);
    assert.deepEqual(missing(decode(updateMessage(`${FLOWSPEC_REACH} ${ORIGIN} ${AS_PATH}`))), []);
  });

  it('are LOCAL_PREF besides on internal sessions (RFC 4271 §5.1.5)', () => {
    const update = decode(updateMessage(`${FLOWSPEC_REACH} ${ORIGIN} ${AS_PATH}`), INTERNAL);
    assert.deepEqual(missing(update), [5]);
    assert.ok(isTreatAsWithdraw(update));
    assert.deepEqual(update.attributes.mpReach?.nlri, octets('03038106'));
  });

  it('are none when nothing is announced', () => {
    assert.deepEqual(decode(updateMessage('', '', '18 cb0071')).problems, []);
    assert.deepEqual(decode(updateMessage('80 0f 07 0001 85 03 038106')).problems, []);
  });
});

describe('errors without a route to withdraw (RFC 7606 §5.2)', () => {
  const BAD_ORIGIN = '40 01 01 09';
  const BAD_COMMUNITIES = 'c0 08 03 fdf202';

  it('reset the session with the NOTIFICATION of the first', () => {
    assert.equal(
      notificationOf(() => decode(updateMessage(BAD_ORIGIN))),
      '3/6 40010109',
    );
    assert.equal(
      notificationOf(() => decode(updateMessage(`${BAD_COMMUNITIES} ${BAD_ORIGIN}`, '', '18 cb0071'))),
      '3/5 c00803fdf202',
    );
    assert.equal(
      notificationOf(() => decode(updateMessage(`80 0f 07 0001 85 03 038106 ${BAD_ORIGIN}`))),
      '3/6 40010109',
    );
    assert.equal(
      notificationOf(() => decode(updateMessage('40'))),
      '3/1 40',
    );
  });

  it('reset it as well where MP_REACH_NLRI announces nothing', () => {
    const empty = '80 0e 05 0001 85 00 00';
    assert.equal(
      notificationOf(() => decode(updateMessage(`${empty} ${BAD_ORIGIN} ${AS_PATH}`))),
      '3/6 40010109',
    );
  });

  it('do not, when all they ask for is to discard an attribute', () => {
    const update = decode(updateMessage('40 05 04 00000064', '', '18 cb0071'));
    assert.deepEqual(
      update.problems.map((problem) => problem.treatment),
      ['attribute-discard'],
    );
    assert.ok(!isTreatAsWithdraw(update));
  });

  it('are treat-as-withdraw as soon as there is a route', () => {
    const update = decode(updateMessage(`${FLOWSPEC_REACH} ${BAD_ORIGIN} ${AS_PATH}`));
    assert.ok(isTreatAsWithdraw(update));
    assert.deepEqual(update.attributes.mpReach?.nlri, octets('03038106'));
  });
});

describe('End-of-RIB (RFC 4724 §2)', () => {
  const VECTORS: readonly (readonly [family: Family, message: Uint8Array])[] = [
    [FAMILIES['ipv4-unicast'], message(2, '0000 0000')],
    [FAMILIES['ipv4-flowspec'], message(2, '0000 0006 80 0f 03 0001 85')],
    [FAMILIES['ipv6-flowspec'], message(2, '0000 0006 80 0f 03 0002 85')],
    [FAMILIES['ipv6-unicast'], message(2, '0000 0006 80 0f 03 0002 01')],
  ];
  for (const [family, bytes] of VECTORS) {
    it(`of ${family.afi}/${family.safi} in both directions`, () => {
      assert.equal(toHex(encodeMessage(endOfRib(family), EXTERNAL)), toHex(bytes));
      assert.deepEqual(isEndOfRib(decode(bytes)), family);
    });
  }

  it('is nothing that withdraws, announces or carries anything', () => {
    for (const bytes of [
      updateMessage('80 0f 07 0001 85 03 038106'),
      updateMessage('', '', '18 cb0071'),
      updateMessage(`${ORIGIN} ${AS_PATH} ${NEXT_HOP}`, '18 cb0071'),
      updateMessage('80 0f 03 0001 85 c0 08 04 fdf2029a'),
      updateMessage('c0 08 04 fdf2029a'),
      updateMessage('40 05 04 00000064'),
      updateMessage('80 0e 05 0001 85 00 00 40 01 01 00 40 02 00'),
    ]) {
      assert.equal(isEndOfRib(decode(bytes)), undefined, toHex(bytes));
    }
  });

  it('is what an empty update is', () => {
    assert.deepEqual(isEndOfRib(makeUpdate({})), { afi: 1, safi: 1 });
  });
});
