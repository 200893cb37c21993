import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { standingIntent } from '../../src/core/own-intents.ts';
import type { Confirmation, ExchangeView, ForeignIntent, KnownPop } from '../../src/exchange/types.ts';
import { api, MITIGATION_ID, mitigation, NOON } from './support.ts';

const OTHER = '00000000-0000-4000-8000-000000000002';

const FRA: KnownPop = {
  name: 'fra1',
  isSelf: false,
  isAccepted: true,
  lagMs: 1_234,
  heartbeat: {
    name: 'fra1',
    epoch: 5,
    n: 9,
    version: '0.2.0',
    policyHash: 'cafe',
    sessionsUp: 1,
    sessionsTotal: 2,
    active: 3,
    ageMs: 0,
  },
  imported: 2,
  unreadable: 0,
};

const ELSEWHERE: ForeignIntent = {
  pop: 'fra1',
  intent: standingIntent(mitigation({ id: OTHER, pop: 'fra1', victim: '203.0.113.77' }), NOON).intent,
  endsAt: NOON + 60_000,
  isForHere: false,
};

/** An exchange with one other POP, which answers as the test says. */
class FakeExchange implements ExchangeView {
  readonly asked: unknown[] = [];
  answers: readonly Confirmation[] = [{ pop: 'fra1', state: 'done', detail: '' }];
  readonly condition = { state: 'connected', since: NOON, problem: undefined } as const;
  readonly importFailure = undefined;
  #n = 0;

  pops(): readonly KnownPop[] {
    const self = { ...FRA, name: 'iad1', isSelf: true, lagMs: 0, imported: 0 };
    return [self, FRA, { ...FRA, name: 'par1', isAccepted: false, lagMs: 9_000 }];
  }
  elsewhere(): readonly ForeignIntent[] {
    return [ELSEWHERE];
  }
  openRequests(): ReturnType<ExchangeView['openRequests']> {
    const request = { type: 'pause', operator: 'kim', reason: 'test' } as const;
    const silent: Confirmation = { pop: 'par1', state: 'unconfirmed', detail: 'it has not answered yet' };
    return [{ id: this.nextRequest(), request, ageMs: 5_000, confirmations: [silent] }];
  }
  nextRequest() {
    return { pop: 'iad1', epoch: 1, n: ++this.#n };
  }
  ask(...request: Parameters<ExchangeView['ask']>): Promise<readonly Confirmation[]> {
    this.asked.push(request);
    return Promise.resolve(this.answers);
  }
}

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
        ['par1', 'silent', 9, false],
      ],
    );
    assert.equal(requests[0].request, 'pause');
    assert.equal(requests[0].confirmations[0].pop, 'par1');
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
    assert.match(unknown.json().detail, /there is no POP atlantis; known POPs: iad1, fra1, par1/);
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
