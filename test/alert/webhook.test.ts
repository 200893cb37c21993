import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webhookRequest } from '../../src/alert/webhook-format.ts';
import { alert, MITIGATION } from './support.ts';

test('the body tells the alert in the words of the API', () => {
  const { body, headers, url } = webhookRequest(alert(7), 'https://hook.example/x', undefined);
  assert.equal(url, 'https://hook.example/x');
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['x-prefixd-event'], 'mitigation.created');
  assert.equal(headers['x-prefixd-signature'], undefined);
  const sent = JSON.parse(body);
  assert.deepEqual(
    [sent.version, sent.event, sent.seq, sent.time, sent.pop, sent.subject, sent.summary],
    [1, 'mitigation.created', 7, '2026-01-02T03:04:05.000Z', 'iad1', MITIGATION.id, 'alert 7'],
  );
  assert.equal(sent.mitigation.mitigation_id, MITIGATION.id);
  assert.equal(sent.mitigation.expires_at, '2026-01-02T03:06:05.000Z');
  assert.deepEqual(sent.actor, { kind: 'detector', name: 'fnm' });
});

test('the signature is the HMAC-SHA-256 of the very octets of the body', () => {
  const request = webhookRequest(
    alert(1, { summary: 'é', mitigation: undefined, actor: undefined }),
    'https://hook.example/',
    'key',
  );
  // printf %s BODY | openssl dgst -sha256 -hmac key
  assert.equal(
    request.body,
    '{"version":1,"event":"mitigation.created","seq":1,"time":"2026-01-02T03:04:05.000Z","pop":"iad1","subject":"7b0f4f3e-0000-4000-8000-000000000001","summary":"é","actor":null,"mitigation":null}',
  );
  assert.equal(
    request.headers['x-prefixd-signature'],
    'sha256=fe6d1533d3d890697a2c2eefed98bbe542b8345269320eacd446038191bb18b7',
  );
});
