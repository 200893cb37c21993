import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { localOpen, negotiate } from '../../../src/bgp/fsm/negotiate.ts';
import type { FsmConfig } from '../../../src/bgp/fsm/types.ts';
import { FAMILIES } from '../../../src/bgp/wire/iana.ts';
import { NotificationError } from '../../../src/bgp/wire/notification.ts';
import type { OpenMessage } from '../../../src/bgp/wire/types.ts';
import { agreementWith, CONFIG, peerOpen } from './support.ts';

const RESTART = { restartTimeSeconds: 120, longLivedStaleSeconds: 0, restarting: true };

function refusal(open: OpenMessage, config: FsmConfig = CONFIG): NotificationError {
  const outcome = negotiate(open, config);
  assert.ok(outcome instanceof NotificationError);
  return outcome;
}

describe('the OPEN of this side', () => {
  it('offers exactly the configured families, in their order', () => {
    const families = localOpen(CONFIG).capabilities.filter((c) => c.type === 'multiprotocol');
    assert.deepEqual(families, [
      { type: 'multiprotocol', family: { afi: 1, safi: 133 } },
      { type: 'multiprotocol', family: { afi: 2, safi: 133 } },
    ]);
  });

  it('puts AS_TRANS where four octets do not fit (RFC 6793 §9)', () => {
    assert.equal(localOpen({ ...CONFIG, localAsn: 4200000000 }).myAs, 23456);
    assert.equal(localOpen(CONFIG).myAs, 65010);
  });

  it('says nothing of graceful restart unless it is configured', () => {
    assert.ok(!localOpen(CONFIG).capabilities.some((c) => c.type === 'graceful-restart'));
  });

  it('has the R bit after a start, the F bit always, and the N bit (RFC 4724 §3, RFC 8538 §2)', () => {
    for (const restarting of [true, false]) {
      const open = localOpen({ ...CONFIG, gracefulRestart: { ...RESTART, restarting } });
      assert.deepEqual(
        open.capabilities.find((c) => c.type === 'graceful-restart'),
        {
          type: 'graceful-restart',
          restarting,
          notification: true,
          restartTime: 120,
          families: [
            { family: { afi: 1, safi: 133 }, forwardingPreserved: true },
            { family: { afi: 2, safi: 133 }, forwardingPreserved: true },
          ],
        },
      );
    }
  });

  it('offers long-lived graceful restart when a stale time is configured (RFC 9494 §3.1)', () => {
    const open = localOpen({ ...CONFIG, gracefulRestart: { ...RESTART, longLivedStaleSeconds: 3600 } });
    const capability = open.capabilities.find((c) => c.type === 'long-lived-graceful-restart');
    assert.deepEqual(
      capability?.families.map((one) => one.staleTime),
      [3600, 3600],
    );
  });
});

describe('what a session with the peer will be', () => {
  it('takes the smaller hold time and a third of it between keepalives (RFC 4271 §4.2, §4.4)', () => {
    const agreement = agreementWith(peerOpen({ holdTime: 30 }));
    assert.equal(agreement.holdTimeSeconds, 30);
    assert.equal(agreement.keepaliveSeconds, 10);
    assert.equal(agreementWith(peerOpen({ holdTime: 0 })).keepaliveSeconds, 0);
    assert.equal(agreementWith(peerOpen(), { ...CONFIG, holdTimeSeconds: 0 }).holdTimeSeconds, 0);
  });

  it('takes the families of both sides, and says which are missing', () => {
    const agreement = agreementWith(peerOpen({}, { families: [FAMILIES['ipv6-flowspec']] }));
    assert.deepEqual(agreement.families, [{ afi: 2, safi: 133 }]);
    assert.deepEqual(agreement.familiesRefused, [{ afi: 1, safi: 133 }]);
  });

  it('takes a peer without capabilities for one of IPv4 unicast with 2-octet AS numbers (RFC 4760 §8)', () => {
    const open = peerOpen({ capabilities: [] });
    const agreement = agreementWith(open, { ...CONFIG, families: [FAMILIES['ipv4-unicast']] });
    assert.deepEqual(agreement.families, [{ afi: 1, safi: 1 }]);
    assert.equal(agreement.fourOctetAs, false);
    assert.equal(agreement.routeRefresh, false);
    assert.equal(agreement.extendedMessages, false);
  });

  it('knows the peer by its 4-octet AS number (RFC 6793 §4.1)', () => {
    const open = peerOpen({}, { localAsn: 4200000001 });
    assert.equal(open.myAs, 23456);
    assert.equal(agreementWith(open, { ...CONFIG, peerAsn: 4200000001 }).peerAsn, 4200000001);
  });

  it('is restartable when both sides say so, even if the peer lists no family of its own (RFC 4724 §3)', () => {
    const ours = { ...CONFIG, gracefulRestart: RESTART };
    const helper = peerOpen();
    const capability = {
      type: 'graceful-restart',
      restarting: false,
      notification: false,
      restartTime: 0,
      families: [],
    } as const;
    const open = { ...helper, capabilities: [...helper.capabilities, capability] };
    assert.equal(agreementWith(open, ours).gracefulRestart, true);
    assert.equal(agreementWith(open, ours).notificationRestart, false);
    assert.equal(agreementWith(open, CONFIG).gracefulRestart, false);
    assert.equal(agreementWith(helper, ours).gracefulRestart, false);
  });

  it('goes by the last of two graceful restart capabilities (RFC 4724 §3)', () => {
    const first = {
      type: 'graceful-restart',
      restarting: false,
      notification: true,
      restartTime: 120,
      families: [],
    } as const;
    const last = { ...first, notification: false, restartTime: 7 } as const;
    const helper = peerOpen();
    const agreement = agreementWith(
      { ...helper, capabilities: [first, ...helper.capabilities, last] },
      { ...CONFIG, gracefulRestart: RESTART },
    );
    assert.equal(agreement.peerRestartSeconds, 7);
    assert.equal(agreement.notificationRestart, false);
  });

  it('is internal when both sides are in one AS', () => {
    const open = peerOpen({}, { localAsn: 65010 });
    assert.equal(agreementWith(open, { ...CONFIG, peerAsn: 65010 }).internal, true);
    assert.equal(agreementWith().internal, false);
  });
});

describe('OPENs that are refused (RFC 4271 §6.2)', () => {
  it('2/2 for another AS, and says what to change on which side', () => {
    const error = refusal(peerOpen({}, { localAsn: 65002 }));
    assert.deepEqual([error.code, error.subcode], [2, 2]);
    assert.equal(
      error.message,
      'peer is AS 65002 but peer_asn says 65001: correct peer_asn here or the local AS there',
    );
  });

  it('2/2 for a peer without 4-octet AS numbers, whose AS_TRANS is nobody (RFC 6793 §9)', () => {
    const open = peerOpen({}, { localAsn: 4200000000 });
    const old = { ...open, capabilities: open.capabilities.filter(({ type }) => type !== 'four-octet-as') };
    assert.equal(
      refusal(old, { ...CONFIG, peerAsn: 4200000000 }).message,
      'peer sent AS 23456 (AS_TRANS) and no 4-octet AS number, but peer_asn says 4200000000: enable 4-octet AS numbers there (RFC 6793)',
    );
  });

  it('2/3 for our own router id inside one AS, and inside one alone (RFC 6286 §2.2)', () => {
    const twin = { localIdentifier: CONFIG.localIdentifier };
    const error = refusal(peerOpen({}, { ...twin, localAsn: 65010 }), { ...CONFIG, peerAsn: 65010 });
    assert.deepEqual([error.code, error.subcode], [2, 3]);
    assert.equal(agreementWith(peerOpen({}, twin)).peerRouterId, '192.0.2.10');
  });

  it('accepts any other router id, an address or not (RFC 6286 §2.1)', () => {
    assert.equal(agreementWith(peerOpen({ bgpIdentifier: 1 })).peerRouterId, '0.0.0.1');
    assert.equal(agreementWith(peerOpen({ bgpIdentifier: 0xffffffff })).peerRouterId, '255.255.255.255');
  });

  it('2/7 without a family in common, with the capabilities that are wanted as data (RFC 5492 §5)', () => {
    const error = refusal(peerOpen({}, { families: [FAMILIES['ipv4-unicast']] }));
    assert.deepEqual([error.code, error.subcode], [2, 7]);
    assert.deepEqual([...error.data], [1, 4, 0, 1, 0, 133, 1, 4, 0, 2, 0, 133]);
    assert.equal(
      error.message,
      'no address family in common: this side offers ipv4-flowspec, ipv6-flowspec, peer offers ipv4-unicast: add the missing family there or correct families here',
    );
  });
});
