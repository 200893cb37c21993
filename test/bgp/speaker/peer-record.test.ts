import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PeerRecord } from '../../../src/bgp/speaker/peer-record.ts';

const NOW = 1_000_000;

describe('what is remembered of a neighbor', () => {
  it('messages by type and direction, routes, sessions', () => {
    const record = new PeerRecord();
    record.message('in', 'open');
    record.message('in', 'keepalive');
    record.message('in', 'keepalive');
    record.message('out', 'update');
    record.routes(3);
    record.routes(4);
    record.up(1000);
    assert.deepEqual(record.counters(), {
      messagesIn: { open: 1, update: 0, notification: 0, keepalive: 2, route_refresh: 0 },
      messagesOut: { open: 0, update: 1, notification: 0, keepalive: 0, route_refresh: 0 },
      routesReceived: 7,
      established: 1,
      flaps: 0,
    });
    assert.equal(record.establishedAt, 1000);
  });

  it('counters handed out do not change afterwards', () => {
    const record = new PeerRecord();
    const before = record.counters();
    record.message('in', 'update');
    assert.equal(before.messagesIn.update, 0);
  });

  it('the last NOTIFICATION each way, with its time', () => {
    const record = new PeerRecord();
    const cease = { type: 'notification', code: 6, subcode: 2, data: new Uint8Array(0) } as const;
    record.notification('in', cease, 'Cease/Administrative Shutdown (6/2)', 5);
    record.notification('out', { ...cease, subcode: 4 }, 'Cease/Administrative Reset (6/4)', 6);
    record.notification('out', { ...cease, subcode: 3 }, 'Cease/Peer De-configured (6/3)', 7);
    assert.deepEqual(
      [record.notificationReceived, record.notificationSent],
      [
        { code: 6, subcode: 2, text: 'Cease/Administrative Shutdown (6/2)', at: 5 },
        { code: 6, subcode: 3, text: 'Cease/Peer De-configured (6/3)', at: 7 },
      ],
    );
  });
});

describe('the last error of a neighbor', () => {
  it('is why attempts fail, and goes once a session is up', () => {
    const record = new PeerRecord();
    assert.equal(record.ended('refused the connection', true, NOW), true);
    assert.equal(record.lastError, 'refused the connection');
    record.up(0);
    assert.equal(record.lastError, undefined);
  });

  it('stays when it ended a session, so that whoever looks after the next has come up still sees why', () => {
    const record = new PeerRecord();
    record.up(0);
    record.down();
    record.ended('peer reset the connection', true, NOW);
    record.up(1);
    assert.equal(record.lastError, 'peer reset the connection');
  });

  it('gives way to a newer one, and that goes with the next session if it ended none', () => {
    const record = new PeerRecord();
    record.up(0);
    record.down();
    record.ended('peer reset the connection', true, NOW);
    record.ended('refused the connection', true, NOW);
    assert.equal(record.lastError, 'refused the connection');
    record.up(1);
    assert.equal(record.lastError, undefined);
  });

  it('is news the first time and not while it repeats itself, save that it ends a session each time', () => {
    const record = new PeerRecord();
    const refused = () => record.ended('refused the connection', true, NOW);
    assert.deepEqual([refused(), refused(), refused()], [true, false, false]);
    record.up(0);
    record.down();
    assert.equal(refused(), true);
  });

  it('is not what someone here asked for', () => {
    const record = new PeerRecord();
    record.up(0);
    record.down();
    assert.equal(record.ended('session closed: Cease/Administrative Shutdown (6/2)', false, NOW), true);
    assert.equal(record.lastError, undefined);
    assert.equal(record.establishedAt, undefined);
    // Without a session there is nothing to tell.
    assert.equal(record.ended('session closed: Cease/Administrative Shutdown (6/2)', false, NOW), false);
  });

  it('comes with what it suggests, which is no part of the cause that it follows', () => {
    const record = new PeerRecord();
    record.ended('peer reset the connection', true, NOW, 'it had sent no OPEN');
    assert.equal(record.lastError, 'peer reset the connection; it had sent no OPEN');
    const badPeerAs = { type: 'notification', code: 2, subcode: 2, data: new Uint8Array(0) } as const;
    record.notification('out', badPeerAs, 'OPEN Message Error/Bad Peer AS (2/2)', NOW + 1);
    record.ended('wrong AS', true, NOW + 1);
    record.ended('peer reset the connection', true, NOW + 2, 'it had sent no OPEN');
    assert.equal(record.lastError, 'wrong AS');
    assert.equal(record.lastCause?.symptom, 'peer reset the connection');
  });

  it('counts as a flap only when it ended a session, and when that was', () => {
    const record = new PeerRecord();
    record.ended('refused the connection', true, NOW);
    record.up(0);
    record.down();
    record.ended('session closed: Cease/Administrative Shutdown (6/2)', false, NOW);
    assert.equal(record.counters().flaps, 0);
    record.up(1);
    record.down();
    assert.equal(record.lastFlapAt, undefined);
    record.ended('hold time', true, NOW);
    assert.equal(record.counters().flaps, 1);
    assert.equal(record.lastFlapAt, NOW);
  });
});

describe('the cause at BGP level', () => {
  const BAD_PEER_AS = { type: 'notification', code: 2, subcode: 2, data: new Uint8Array(0) } as const;
  const WRONG_AS = 'peer is AS 65002 but peer_asn says 65012';

  function refusedOpen(record: PeerRecord, at: number): boolean {
    record.notification('out', BAD_PEER_AS, 'OPEN/Bad Peer AS (2/2)', at);
    return record.ended(WRONG_AS, true, at);
  }

  it('is kept while the router refuses the retries, with what has become of the connections beside it', () => {
    const record = new PeerRecord();
    refusedOpen(record, NOW);
    record.ended('peer reset the connection', true, NOW + 1_000);
    record.ended('refused the connection', true, NOW + 2_000);
    assert.equal(record.lastError, WRONG_AS);
    assert.deepEqual(record.lastCause, {
      text: WRONG_AS,
      firstAt: NOW,
      lastAt: NOW,
      count: 1,
      symptom: 'refused the connection',
    });
  });

  it('counts how often it came, and since when; the log has it once', () => {
    const record = new PeerRecord();
    const news = [0, 1, 2].map((i) => {
      const first = refusedOpen(record, NOW + i * 30_000);
      record.ended('peer reset the connection', true, NOW + i * 30_000 + 1);
      return first;
    });
    assert.deepEqual(news, [true, false, false]);
    const { firstAt, lastAt, count } = record.lastCause ?? {};
    assert.deepEqual({ firstAt, lastAt, count }, { firstAt: NOW, lastAt: NOW + 60_000, count: 3 });
  });

  it('gives way to another cause, and goes when the session is established', () => {
    const record = new PeerRecord();
    refusedOpen(record, NOW);
    record.notification(
      'in',
      { ...BAD_PEER_AS, code: 6, subcode: 5 },
      'Cease/Connection Rejected (6/5)',
      NOW + 1,
    );
    record.ended('peer sent Cease/Connection Rejected (6/5)', true, NOW + 1);
    assert.equal(record.lastCause?.text, 'peer sent Cease/Connection Rejected (6/5)');
    assert.equal(record.lastCause?.count, 1);
    record.up(NOW + 2);
    assert.equal(record.lastCause, undefined);
    assert.equal(record.lastError, undefined);
  });
});
