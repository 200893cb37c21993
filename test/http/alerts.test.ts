/** Tests the routes of the destinations of alerts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { alertsTo, api, bearer } from './support.ts';

describe('GET /v1/alerts', () => {
  it('lists what each destination gets and how its deliveries went', async () => {
    const failure = { at: Date.UTC(2026, 0, 2), detail: 'HTTP 404: no_service' };
    const [one] = alertsTo('noc').destinations();
    assert.ok(one !== undefined);
    const alerts = { ...alertsTo('noc'), destinations: () => [{ ...one, failed: 2, failure }] };
    const { app } = await api({ alerts });
    const response = await app.inject({ url: '/v1/alerts', headers: bearer('viewer') });
    assert.equal(response.statusCode, 200);
    assert.deepEqual(response.json(), {
      destinations: [
        {
          name: 'noc',
          type: 'slack',
          events: ['control.paused'],
          customers: null,
          min_severity: 'warning',
          digest_seconds: 60,
          waiting: 3,
          delivered: 0,
          failed: 2,
          dropped: 0,
          last_delivered_at: null,
          last_failed_at: '2026-01-02T00:00:00.000Z',
          last_error: 'HTTP 404: no_service',
        },
      ],
    });
  });
});

describe('POST /v1/alerts/{name}/test', () => {
  const post = (name: string, payload: object = {}) =>
    ({ method: 'POST', url: `/v1/alerts/${name}/test`, headers: bearer('operator'), payload }) as const;

  it('returns what the destination answered, and is in the audit log', async () => {
    const { app, actions } = await api({ alerts: alertsTo('noc') });
    const response = await app.inject(post('noc', { operator_id: 'ada' }));
    assert.equal(response.statusCode, 200);
    assert.deepEqual(response.json(), {
      name: 'noc',
      type: 'slack',
      delivered: true,
      answers: [{ request: 'message', delivered: true, status: 200, detail: 'ok' }],
    });
    assert.deepEqual(
      actions.map(({ type, target, reason, actor }) => [type, target, reason, actor.name, actor.via]),
      [['alert.tested', 'noc', 'delivered', 'ada', 'the-operator']],
    );
  });

  it('says that a destination did not accept it', async () => {
    const answers = [{ request: 'open', delivered: false, status: undefined, detail: 'connect' }] as const;
    const test = async () => ({ name: 'duty', type: 'pagerduty', answers });
    const { app, actions } = await api({ alerts: { ...alertsTo('duty'), test } });
    const { delivered, answers: said } = (await app.inject(post('duty'))).json();
    assert.equal(delivered, false);
    assert.deepEqual(said, [{ request: 'open', delivered: false, status: null, detail: 'connect' }]);
    assert.equal(actions[0]?.reason, 'not delivered');
  });

  it('names the destinations that there are', async () => {
    const { app, actions } = await api({ alerts: alertsTo('noc') });
    const response = await app.inject(post('nok'));
    assert.equal(response.statusCode, 404);
    assert.match(response.json().detail, /no destination of alerts with this name; configured: noc/);
    assert.equal(actions.length, 0);
  });
});
