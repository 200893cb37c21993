import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { routeAttributes, routeKey } from '../../src/bgp/rib/route.ts';
import { PeerSchema, RibRouteSchema } from '../../src/http/answer-schemas.ts';
import { StoreError } from '../../src/store/store.ts';
import { api, bearer, MITIGATION_ID, mitigation } from './support.ts';

const FAMILY = { afi: 1, safi: 133 };
const DISCARD = Uint8Array.of(0x80, 0x06, 0, 0, 0, 0, 0, 0);

function route(host: number) {
  const nlri = Uint8Array.of(6, 1, 32, 203, 0, host >> 8, host & 0xff);
  return {
    key: routeKey(FAMILY, nlri),
    family: FAMILY,
    nlri,
    attributes: routeAttributes({ extendedCommunities: DISCARD }),
    owner: MITIGATION_ID,
    text: `match dst 203.0.${host >> 8}.${host & 0xff}/32 then discard`,
  };
}

describe('GET /v1/peers', () => {
  it('shows each session in RFC 4271 words', async () => {
    const made = await api();
    made.now += 5_000;
    const response = await made.app.inject({ url: '/v1/peers', headers: bearer('viewer') });
    const [edge1, edge2] = z.array(PeerSchema).parse(response.json());
    assert.equal(edge1?.name, 'edge1');
    assert.equal(edge1?.state, 'established');
    assert.equal(edge1?.uptime_seconds, 5);
    assert.deepEqual(edge1?.families, ['ipv4-flowspec', 'ipv6-flowspec']);
    assert.equal(edge2?.address, '192.0.2.2:179');
    assert.equal(edge1?.hint, null);
    assert.deepEqual([edge1?.state_since, edge1?.counters.last_flap_at], [edge1?.established_at, null]);
  });
});

describe('POST /v1/peers/{name}', () => {
  it('disables and enables as facts that the engine records, and leaves a clearing to the audit', async () => {
    const { app, actions, engine } = await api();
    engine.answer = () => ({ type: 'done', affected: ['edge1'] });
    const command = (path: string, payload?: object) =>
      app.inject({
        method: 'POST',
        url: `/v1/peers/edge1/${path}`,
        headers: bearer('operator'),
        ...(payload === undefined ? {} : { payload }),
      });
    const down = await command('disable', { operator_id: 'kim', reason: 'maintenance' });
    assert.equal(down.json().state, 'idle');
    assert.equal(down.json().enabled, false);
    assert.equal((await command('enable')).json().state, 'established');
    assert.equal((await command('clear', { mode: 'hard' })).statusCode, 200);
    assert.equal((await command('clear', { mode: 'brutal' })).statusCode, 400);
    assert.deepEqual(
      actions.map(({ type, target, reason, actor }) => [type, target, reason, actor.name]),
      [['peer.cleared', 'edge1', 'hard', 'the-operator']],
    );
    assert.deepEqual(
      engine.commands.map((one) =>
        one.type === 'peer-disable' || one.type === 'peer-enable'
          ? [one.type, one.peer, one.reason, one.actor.name]
          : one,
      ),
      [
        ['peer-disable', 'edge1', 'maintenance', 'kim'],
        ['peer-enable', 'edge1', '', 'the-operator'],
      ],
    );
  });

  it('shows who keeps a session down, since when and why', async () => {
    const { app, engine } = await api();
    const actor = { kind: 'operator', name: 'kim' } as const;
    engine.record({ type: 'peer.disabled', peer: 'edge1', actor, reason: 'line card' });
    const response = await app.inject({ url: '/v1/peers', headers: bearer('viewer') });
    const [edge1, edge2] = z.array(PeerSchema).parse(response.json());
    assert.deepEqual(edge1?.disabled, { by: 'kim', at: '2026-11-23T12:00:00.000Z', reason: 'line card' });
    assert.equal(edge2?.disabled, null);
  });

  it('touches no session when the fact cannot be written down', async () => {
    const { app, engine, announcer } = await api();
    engine.answer = () => {
      throw new StoreError('no space left');
    };
    const response = await app.inject({
      method: 'POST',
      url: '/v1/peers/edge1/disable',
      headers: bearer('operator'),
    });
    assert.equal(response.statusCode, 503);
    assert.equal(announcer.isEstablished('edge1'), true);
  });

  it('answers 404 to a neighbor that is not configured', async () => {
    const { app } = await api();
    for (const path of ['enable', 'disable', 'clear']) {
      const response = await app.inject({
        method: 'POST',
        url: `/v1/peers/edge9/${path}`,
        headers: bearer('operator'),
      });
      assert.equal(response.statusCode, 404);
    }
  });
});

describe('GET /v1/rib', () => {
  it('shows by neighbor the very octets that were written, and for whom', async () => {
    const { app, announcer, reconciler } = await api();
    announcer.apply('edge1', [route(1), route(2)], []);
    reconciler.owners.set(route(1).key, MITIGATION_ID);
    const response = await app.inject({ url: '/v1/rib', headers: bearer('viewer') });
    const rib = z.record(z.string(), z.array(RibRouteSchema)).parse(response.json());
    assert.deepEqual(Object.keys(rib), ['edge1', 'edge2']);
    assert.deepEqual(rib.edge2, []);
    assert.deepEqual(rib.edge1?.[0], {
      family: 'ipv4-flowspec',
      kind: 'flowspec',
      nlri_hex: '060120cb000001',
      rule: 'match dst 203.0.0.1/32 then discard',
      actions_hex: '8006000000000000',
      mitigation_id: MITIGATION_ID,
      sent_at: '2026-11-23T12:00:00.000Z',
    });
    assert.equal(rib.edge1?.[1]?.mitigation_id, null);
  });

  it('tells the kind of a unicast route by its mitigation', async () => {
    const { app, announcer, reconciler, engine } = await api();
    const action = { type: 'divert', rateBps: null, scrubber: 'fra' } as const;
    engine.record({ type: 'mitigation.created', mitigation: mitigation({ action }) });
    const unicast = (host: number) => ({ ...route(host), family: { afi: 1, safi: 1 } });
    announcer.apply('edge1', [unicast(1), unicast(2), route(3)], []);
    for (const host of [1, 3]) reconciler.owners.set(route(host).key, MITIGATION_ID);
    const response = await app.inject({ url: '/v1/rib?neighbor=edge1', headers: bearer('viewer') });
    const rib = z.record(z.string(), z.array(RibRouteSchema)).parse(response.json());
    assert.deepEqual(
      rib.edge1?.map(({ kind }) => kind),
      ['divert', null, 'flowspec'],
    );
  });

  it('streams a large table whole', async () => {
    const { app, announcer } = await api();
    announcer.apply(
      'edge2',
      Array.from({ length: 5_000 }, (_, host) => route(host)),
      [],
    );
    const response = await app.inject({ url: '/v1/rib?neighbor=edge2', headers: bearer('viewer') });
    assert.deepEqual(Object.keys(response.json()), ['edge2']);
    assert.equal(response.json().edge2.length, 5_000);
    const unknown = await app.inject({ url: '/v1/rib?neighbor=edge9', headers: bearer('viewer') });
    assert.equal(unknown.statusCode, 404);
  });
});
