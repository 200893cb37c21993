import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unenforcedAlert, type UnenforcedNeighbor } from '../../src/alert/alert.ts';
import { slackRequest } from '../../src/alert/chat-formats.ts';
import { pagerdutyRequest } from '../../src/alert/incident-formats.ts';
import { webhookRequest } from '../../src/alert/webhook-format.ts';
import { AlertDispatcher } from '../../src/alert/dispatcher.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { MITIGATION, NOW, realTimers, server } from './support.ts';

const FULL: UnenforcedNeighbor = {
  neighbor: 'edge1',
  state: 'over_budget',
  why: 'max_rules (10) is used up by stricter or older rules',
};

const ALERT = unenforcedAlert(MITIGATION.id, MITIGATION, [FULL], NOW, 'iad1');

test('the summary names the mitigation, the neighbor and the reason', () => {
  assert.match(
    ALERT.summary,
    /^Mitigation not enforced everywhere: .*: edge1: max_rules \(10\) is used up by stricter or older rules$/,
  );
  assert.equal(ALERT.subject, MITIGATION.id);
});

test('of many neighbors it names four', () => {
  const many = Array.from({ length: 30 }, (_, i) => ({ ...FULL, neighbor: `edge${i}` }));
  const { summary } = unenforcedAlert(MITIGATION.id, MITIGATION, many, NOW, 'iad1');
  assert.match(summary, /edge0: .*edge3: .* and 26 more neighbors$/);
  assert.doesNotMatch(summary, /edge4:/);
});

test('a webhook has the neighbors as data, and no number of a fact', () => {
  const body = JSON.parse(webhookRequest(ALERT, 'https://hooks.example', undefined).body);
  assert.deepEqual([body.event, body.seq, body.neighbors], ['mitigation.unenforced', null, [FULL]]);
  assert.equal(body.mitigation.mitigation_id, MITIGATION.id);
});

test("PagerDuty gets it as an error of the mitigation's own incident", () => {
  const body = JSON.parse(pagerdutyRequest(ALERT, 'key').body);
  assert.equal(body.dedup_key, `prefixd:iad1:${MITIGATION.id}`);
  assert.deepEqual([body.event_action, body.payload.severity], ['trigger', 'error']);
  assert.deepEqual(body.payload.custom_details.neighbors, [FULL]);
});

test('Slack marks it as a warning', () => {
  assert.match(
    JSON.parse(slackRequest([ALERT], 'https://slack.example').body).text,
    /^:warning: \*Mitigation not/,
  );
});

test('it is sent where it is among the events, and only there', { timeout: PATIENCE_MS }, async (t) => {
  const { url, received } = await server(t, (response) => response.writeHead(202).end('{}'));
  for (const events of [['mitigation.unenforced'], ['mitigation.created']] as const) {
    const dispatcher = new AlertDispatcher({
      destinations: [{ type: 'webhook', url, secret: undefined }],
      events,
      allowPrivateAddresses: true,
      pop: 'iad1',
      find: () => MITIGATION,
      timers: realTimers,
      random: () => 0,
      onDelivery: () => undefined,
    });
    dispatcher.unenforced(MITIGATION.id, [FULL], NOW);
    await dispatcher.close(PATIENCE_MS);
  }
  assert.equal(received.length, 1);
});
