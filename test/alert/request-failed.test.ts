import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestAlert } from '../../src/alert/alert.ts';
import { pagerdutyRequest } from '../../src/alert/incident-formats.ts';
import { webhookRequest } from '../../src/alert/webhook-format.ts';
import { AlertDispatcher } from '../../src/alert/dispatcher.ts';
import type { AlertEvent } from '../../src/alert/alert.ts';
import type { ProtectionStatus } from '../../src/view/protection-view.ts';
import { MITIGATION, NOW, realTimers, server } from './support.ts';

const FAILED: ProtectionStatus = {
  scrubber: 'cloud',
  prefix: '203.0.113.10/32',
  mitigationId: MITIGATION.id,
  state: 'failed',
  request: 'start',
  since: NOW,
  attempts: 5,
  lastError: 'HTTP 503: maintenance',
};

const ALERT = requestAlert(FAILED, MITIGATION, { at: NOW, isOver: false }, 'iad1');

test('the alert of a failed start says what is not protected, and why', () => {
  assert.equal(
    ALERT.summary,
    'Scrubber cloud has not confirmed that it protects 203.0.113.10/32 (pop iad1): HTTP 503: maintenance (5 attempts)',
  );
  const body = JSON.parse(webhookRequest(ALERT, 'https://hooks.example', undefined).body);
  assert.deepEqual(
    [body.event, body.seq, body.subject, body.mitigation.mitigation_id],
    ['scrubber.request_failed', null, 'cloud 203.0.113.10/32', MITIGATION.id],
  );
});

test('the alert of a failed stop says what still costs money', () => {
  const stop = requestAlert({ ...FAILED, request: 'stop' }, undefined, { at: NOW, isOver: false }, 'iad1');
  assert.match(
    stop.summary,
    /^Scrubber cloud may still protect 203\.0\.113\.10\/32: it has not confirmed the stop/,
  );
});

test('PagerDuty has an incident of its own for it, which is resolved when the request is accepted', () => {
  const [begun, over] = [false, true].map((isOver) =>
    JSON.parse(pagerdutyRequest(requestAlert(FAILED, MITIGATION, { at: NOW, isOver }, 'iad1'), 'key').body),
  );
  assert.deepEqual([begun.event_action, begun.payload.severity], ['trigger', 'error']);
  assert.equal(begun.dedup_key, 'prefixd:iad1:request:start:cloud 203.0.113.10/32');
  assert.deepEqual([over.event_action, over.dedup_key], ['resolve', begun.dedup_key]);
});

test('a webhook gets it where it is among the events, and no message that it is over', async (t) => {
  const { url, received } = await server(t, (response) => response.writeHead(202).end('{}'));
  const all: readonly (readonly AlertEvent[])[] = [['scrubber.request_failed'], ['mitigation.created']];
  for (const events of all) {
    const dispatcher = new AlertDispatcher({
      destinations: [{ type: 'webhook', url, secret: undefined }],
      events,
      allowPrivateAddresses: true,
      pop: 'iad1',
      find: () => MITIGATION,
      timers: realTimers,
      random: () => 0.5,
      onDelivery: () => undefined,
    });
    dispatcher.scrubberRequest(FAILED, { at: NOW, isOver: false });
    dispatcher.scrubberRequest(FAILED, { at: NOW, isOver: true });
    await dispatcher.close(5_000);
  }
  assert.equal(received.length, 1);
});
