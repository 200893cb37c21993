import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainNotification } from '../../../src/bgp/fsm/peer-advice.ts';
import { CONFIG } from './support.ts';

function explain(code: number, subcode: number, data: readonly number[] = []): string {
  return explainNotification({ type: 'notification', code, subcode, data: Uint8Array.from(data) }, CONFIG);
}

describe('a NOTIFICATION of the peer tells an operator what to do', () => {
  it('2/2: on which side the AS number is to be corrected', () => {
    assert.equal(
      explain(2, 2),
      'peer sent OPEN Message Error/Bad Peer AS (2/2); the peer expects a different AS here than AS 65010: correct local_asn here or the remote AS there',
    );
  });

  it('2/3 and 2/6: what of our OPEN it refuses', () => {
    assert.match(
      explain(2, 3),
      /refuses our router id 192\.0\.2\.10, most likely because it has the same one: change router_id here$/,
    );
    assert.match(
      explain(2, 6),
      /refuses our hold time of 90 s: change hold_time_seconds here or its minimum there$/,
    );
  });

  it('4/0: that it heard nothing from us', () => {
    assert.match(
      explain(4, 0),
      /received nothing from us within its hold time: check the path to it and the load on this host$/,
    );
  });

  it('6/5: that this side is not configured there', () => {
    assert.match(explain(6, 5), /is our address configured as a neighbor there, and enabled\?$/);
  });

  it('2/7, as Junos answers when the families do not fit', () => {
    assert.match(explain(2, 7), /configure the same ones in families here and there$/);
  });

  it('2/7 that names families: which ones (RFC 5492 §5)', () => {
    // Multiprotocol, AFI 1 SAFI 1 and AFI 1 SAFI 133.
    assert.match(
      explain(2, 7, [1, 4, 0, 1, 0, 1, 1, 4, 0, 1, 0, 133]),
      /do not match \(it names ipv4-unicast, ipv4-flowspec\): configure the same ones in families/,
    );
  });

  it('2/7 that names a capability which this side offers: what to turn off, or that the peer is at fault', () => {
    assert.match(
      explain(2, 7, [64, 2, 0x80, 0x78]),
      /refuses the capability graceful-restart \(64\): remove graceful_restart from this neighbor here, or update the peer$/,
    );
    assert.match(
      explain(2, 7, [6, 0, 70, 0]),
      /extended-message \(6\), which is always offered .*; .*enhanced-route-refresh \(70\), .*: update the peer$/,
    );
  });

  it('2/7 that names a capability which this side does not have: that the peer demands it', () => {
    assert.match(explain(2, 7, [9, 1, 0]), /requires capability 9, .*: make it optional there$/);
  });

  it('2/7 with data that cannot be read: as without', () => {
    assert.match(explain(2, 7, [1, 200, 0]), /families do not match: configure/);
  });

  it('2/4: that FlowSpec needs what the peer does not take', () => {
    assert.match(explain(2, 4), /which FlowSpec needs: enable them there or update the peer$/);
  });

  it('6/1: which limit was reached', () => {
    assert.match(explain(6, 1), /set max_rules here to its prefix limit$/);
  });

  it('6/2 with the words of its operator (RFC 9003)', () => {
    assert.equal(
      explain(6, 2, [3, 0x62, 0x79, 0x65]),
      'peer sent Cease/Administrative Shutdown (6/2): bye; the operator there shut the session down: it must be enabled there',
    );
  });

  it('6/9: as the NOTIFICATION that the Hard Reset encloses (RFC 8538 §3.1)', () => {
    assert.match(explain(6, 9, [6, 3]), /restore it there or remove the neighbor here$/);
  });

  it('3/9: that the peer does not know what a rule says, and where to say what kind of router it is', () => {
    assert.match(explain(3, 9), /set dialect here to match the router, and look for the rule in its log$/);
  });

  it('says what came where there is nothing to advise', () => {
    assert.equal(explain(99, 7), 'peer sent unknown error (99/7)');
  });
});
