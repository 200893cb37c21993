import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCEPTED, api, bearer, EVENT_ID } from './support.ts';

const send = async (made: Awaited<ReturnType<typeof api>>, name: string, payload: object) =>
  made.app.inject({ method: 'POST', url: `/v1/signals/${name}`, headers: bearer('detector'), payload });

describe('POST /v1/signals/fastnetmon', () => {
  it('takes a call of the notify script: its arguments and its standard input', async () => {
    const made = await api();
    const response = await send(made, 'fastnetmon', {
      args: ['203.0.113.10', 'incoming', '118040', 'ban'],
      stdin: 'IP: 203.0.113.10\nAttack type: udp_flood\nAttack direction: incoming\nAttack protocol: udp\n',
    });
    assert.equal(response.statusCode, 202, response.body);
    assert.equal(response.json().event_id, EVENT_ID);
    const [command] = made.engine.commands;
    assert.equal(command?.type === 'event' && command.detection.vector, 'udp_flood');
    assert.equal(command?.type === 'event' && command.detection.pps, 118_040);
    assert.equal(command?.type === 'event' && command.detection.source, 'fastnetmon');
  });

  it('takes a document of Advanced, whose traffic is in octets', async () => {
    const made = await api();
    const response = await send(made, 'fastnetmon', {
      action: 'ban',
      alert_scope: 'host',
      ip: '203.0.113.10',
      attack_details: {
        attack_uuid: 'a1b2',
        attack_direction: 'incoming',
        attack_type: 'ntp_amplification',
        total_incoming_traffic: 1_000_000,
        total_incoming_pps: 5_000,
      },
    });
    assert.equal(response.statusCode, 202, response.body);
    const [command] = made.engine.commands;
    assert.equal(command?.type === 'event' && command.detection.bps, 8_000_000);
    assert.equal(response.json().external_event_id, 'a1b2');
  });

  it('never makes a rule of an outgoing attack, and says so', async () => {
    const made = await api();
    const args = ['203.0.113.10', 'outgoing', '9000', 'ban'];
    const response = await send(made, 'fastnetmon', { args });
    assert.equal(response.statusCode, 202);
    assert.equal(response.json().status, 'accepted_no_mitigation');
    assert.equal(response.json().event_id, null);
    assert.equal(made.engine.commands.length, 0);
  });

  it('answers 400 to what FastNetMon would not send', async () => {
    const made = await api();
    for (const payload of [
      {},
      { args: ['203.0.113.10'] },
      { args: ['203.0.113.10', 'incoming', 'many', 'ban'] },
      { args: ['203.0.113.10', 'incoming', '5', 'nuke'] },
      { action: 'ban' },
      [],
    ]) {
      const response = await send(made, 'fastnetmon', payload);
      assert.equal(response.statusCode, 400, JSON.stringify(payload));
    }
    assert.equal(made.engine.commands.length, 0);
  });
});

describe('POST /v1/signals/alertmanager', () => {
  const alert = (status: string, victim?: string) => ({
    status,
    labels: {
      alertname: 'DDoS',
      vector: 'udp_flood',
      ...(victim === undefined ? {} : { victim_ip: victim }),
    },
    annotations: {},
    startsAt: '2026-11-23T11:59:00Z',
  });

  it('answers one result an alert: firing is a ban, resolved an unban', async () => {
    const made = await api();
    made.engine.answer = (command) =>
      command.type === 'event' && command.detection.action === 'unban'
        ? {
            ...ACCEPTED,
            type: 'event',
            status: 'withdrawn',
            eventId: EVENT_ID,
            refusal: undefined,
            why: [],
            mitigation: undefined,
          }
        : ACCEPTED;
    const response = await send(made, 'alertmanager', {
      version: '4',
      alerts: [alert('firing', '203.0.113.10'), alert('resolved', '203.0.113.11'), alert('firing')],
    });
    assert.equal(response.statusCode, 207, response.body);
    assert.deepEqual(
      response.json().results.map((result: { code: number; status: string }) => [result.code, result.status]),
      [
        [202, 'accepted'],
        [202, 'withdrawn'],
        [400, 'invalid'],
      ],
    );
    assert.match(response.json().results[2].error, /alerts\[2\]\.labels/);
  });

  it('answers 400 when it is no message of Alertmanager', async () => {
    const made = await api();
    for (const payload of [{}, { alerts: 'none' }, []]) {
      assert.equal((await send(made, 'alertmanager', payload)).statusCode, 400, JSON.stringify(payload));
    }
    assert.equal(made.engine.commands.length, 0);
  });

  it('records an alert that cannot be read as refused, and answers 2xx so that the others are not lost', async () => {
    const made = await api();
    const long = 'x'.repeat(10_000);
    const response = await send(made, 'alertmanager', { alerts: [alert('firing', long), alert('firing')] });
    assert.equal(response.statusCode, 207);
    for (const result of response.json().results) {
      assert.deepEqual([result.code, result.status, result.reason], [400, 'invalid', 'invalid_report']);
      assert.equal(result.event_id, EVENT_ID, 'under which it is shown');
    }
    for (const command of made.engine.commands) {
      assert.ok(command.type === 'event');
      assert.match(String(command.invalid), /alerts\[\d\]/);
      assert.ok(JSON.stringify(command).length < 3_000, 'nobody fills the memory with it');
    }
  });

  it('answers 503 when a report that cannot be read cannot be recorded either', async () => {
    const made = await api();
    made.engine.answer = () => {
      throw Object.assign(new Error('disk'), { name: 'StoreError' });
    };
    assert.equal((await send(made, 'alertmanager', { alerts: [alert('firing')] })).statusCode, 503);
  });

  it('answers 200 to tests and to rules without data, logs why, and asks the engine nothing', async () => {
    const test = { ...alert('firing'), labels: { alertname: 'TestAlert', instance: 'Grafana' } };
    const noData = alert('firing', '203.0.113.16');
    noData.labels.alertname = 'DatasourceNoData';
    for (const alerts of [[test], [noData], [test, noData], []]) {
      const made = await api();
      const response = await send(made, 'alertmanager', { orgId: 1, alerts });
      assert.equal(response.statusCode, 200, response.body);
      assert.equal(response.json().results.length, alerts.length);
      for (const result of response.json().results) assert.match(result.why[0], /nothing is decided/);
      assert.equal(made.engine.commands.length, 0);
      const lines = made.log.lines.filter(({ message }) => message === 'alerts ignored');
      assert.equal(lines.length, alerts.length === 0 ? 0 : 1);
    }
  });

  it('reads the first 1,000 alerts, and says and records that there are more', async () => {
    const made = await api();
    const short = { status: 'firing', labels: { victim_ip: '203.0.113.10' } };
    const alerts = Array.from({ length: 1_003 }, () => short);
    const response = await send(made, 'alertmanager', { alerts, truncatedAlerts: 5 });
    assert.equal(response.statusCode, 207, response.body.slice(0, 200));
    const { results, notes } = response.json();
    assert.equal(results.length, 1_000);
    assert.match(notes[0], /the first 1000 were read and 3 were not.*5 more were dropped/);
    const recorded = made.engine.commands.filter((command) => command.type === 'event' && command.invalid);
    assert.equal(recorded.length, 1);
    assert.equal(made.engine.commands.length, 1_001);
  });

  it('goes by the vector maps as they are at the time', async () => {
    let vectorMaps = new Map([['alertmanager', new Map([['Sturm', 'syn_flood']])]]);
    const made = await api({ vectorMaps: () => vectorMaps });
    const stormy = alert('firing', '203.0.113.10');
    stormy.labels.vector = 'sturm';
    await send(made, 'alertmanager', { alerts: [stormy] });
    vectorMaps = new Map([['alertmanager', new Map([['Sturm', 'ack_flood']])]]);
    await send(made, 'alertmanager', { alerts: [stormy] });
    const vectors = made.engine.commands.map((one) => one.type === 'event' && one.detection.vector);
    assert.deepEqual(vectors, ['syn_flood', 'ack_flood']);
  });
});
