import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeExchange, OTHER } from './fake-exchange.ts';
import { api, MITIGATION_ID, mitigation, NOON } from './support.ts';

const OPEN = { auth: () => ({ mode: 'none' as const }) };

async function withExchange() {
  const exchange = new FakeExchange();
  return { ...(await api({ exchange, ...OPEN })), exchange };
}

const BODY = { operator_id: 'kim', reason: 'test' };

describe('GET /v1/pops', () => {
  it('shows each POP, how far it is behind, and what is not confirmed', async () => {
    const { app } = await withExchange();
    const { exchange, pops, requests } = (await app.inject('/v1/pops')).json();
    assert.equal(exchange.state, 'connected');
    assert.deepEqual(
      pops.map(({ name, state, lag_seconds: lag, accepted }: Record<string, unknown>) => [
        name,
        state,
        lag,
        accepted,
      ]),
      [
        ['iad1', 'up', 0, true],
        ['fra1', 'up', 1.234, true],
        ['ams1', 'silent', 9, false],
      ],
    );
    assert.equal(requests[0].request, 'pause');
    assert.equal(requests[0].confirmations[0].pop, 'ams1');
  });

  it('says that there is no exchange', async () => {
    const { app } = await api(OPEN);
    const answer = (await app.inject('/v1/pops')).json();
    assert.deepEqual(answer, { pop: 'iad1', exchange: null, pops: [], requests: [] });
  });
});

describe('requests that name POPs', () => {
  it('are done here first, and say what each POP did', async () => {
    const { app, exchange, engine } = await withExchange();
    engine.answer = () => ({ type: 'done', affected: [] });
    const payload = { ...BODY, pops: ['*'] };
    const { confirmations } = (
      await app.inject({ method: 'POST', url: '/v1/control/pause', payload })
    ).json();
    assert.deepEqual(confirmations, [
      { pop: 'iad1', state: 'done', detail: '' },
      { pop: 'fra1', state: 'done', detail: '' },
    ]);
    assert.equal(engine.commands.length, 1);
    assert.deepEqual(exchange.asked, [
      [{ pop: 'iad1', epoch: 1, n: 1 }, { type: 'pause', operator: 'kim', reason: 'test' }, 'all'],
    ]);
  });

  it('without this POP do nothing here', async () => {
    const { app, exchange, engine } = await withExchange();
    const payload = { ...BODY, prefix: '203.0.113.9', pops: ['fra1'] };
    const answer = await app.inject({ method: 'POST', url: '/v1/safelist', payload });
    assert.deepEqual(answer.json(), {
      prefix: '203.0.113.9/32',
      confirmations: [{ pop: 'fra1', state: 'done', detail: '' }],
    });
    assert.equal(engine.commands.length, 0);
    assert.equal(exchange.asked.length, 1);
  });

  it('tag the entry that they add to the safelist', async () => {
    const { app, engine } = await withExchange();
    const entry = {
      prefix: '203.0.113.9/32',
      reason: 'test',
      addedAt: NOON,
      addedBy: { kind: 'operator', name: 'kim' },
      configured: false,
    } as const;
    engine.answer = () => ({ type: 'safelist', entry, withdrawn: [MITIGATION_ID] });
    const payload = { ...BODY, prefix: '203.0.113.9', pops: ['all'] };
    const answer = await app.inject({ method: 'POST', url: '/v1/safelist', payload });
    assert.equal(answer.statusCode, 201);
    assert.equal(answer.json().confirmations[0].detail, '1 mitigation withdrawn');
    const [command] = engine.commands;
    assert.ok(command?.type === 'safelist-add');
    assert.deepEqual(command.tag, { pop: 'iad1', epoch: 1, n: 1 });
  });

  it('withdraw what only another POP has, by a beginning of its id', async () => {
    const { app, exchange } = await withExchange();
    const payload = { ...BODY, pops: ['all'] };
    const url = `/v1/mitigations/${OTHER}/withdraw`;
    const answer = await app.inject({ method: 'POST', url, payload });
    assert.equal(answer.json().mitigation_id, OTHER);
    assert.equal(exchange.asked.length, 1);
    const alone = await app.inject({ method: 'POST', url, payload: BODY });
    assert.equal(alone.statusCode, 404);
  });

  it('are refused for a POP that nobody knows, and without an exchange', async () => {
    const { app } = await withExchange();
    const payload = { ...BODY, pops: ['atlantis'] };
    const unknown = await app.inject({ method: 'POST', url: '/v1/control/pause', payload });
    assert.equal(unknown.statusCode, 400);
    assert.match(unknown.json().detail, /there is no POP atlantis; known POPs: iad1, fra1, ams1/);
    const { app: alone } = await api(OPEN);
    const none = await alone.inject({ method: 'POST', url: '/v1/control/pause', payload });
    assert.equal(none.statusCode, 409);
    assert.equal(none.json().reason, 'no_exchange');
  });
});

describe('GET /v1/mitigations of several POPs', () => {
  it('adds what is active elsewhere and not here', async () => {
    const { app, engine } = await withExchange();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const { mitigations, elsewhere } = (await app.inject('/v1/mitigations?pop=all')).json();
    assert.equal(mitigations.length, 1);
    assert.deepEqual(
      elsewhere.map((one: Record<string, unknown>) => [one.mitigation_id, one.pop, one.for_here]),
      [[OTHER, 'fra1', false]],
    );
    const own = (await app.inject('/v1/mitigations')).json();
    assert.equal(own.elsewhere, undefined);
    const ofVictim = (await app.inject('/v1/mitigations?pop=all&victim_ip=203.0.113.10')).json();
    assert.deepEqual(ofVictim.elsewhere, []);
  });
});
