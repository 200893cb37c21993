import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slackRequest } from '../../src/alert/slack.ts';
import { alert, MITIGATION } from './support.ts';

test('a message says what happened and, at the beginning, why', () => {
  const { body, url } = slackRequest([alert(1)], 'https://hooks.slack.example/T/B/x');
  assert.equal(url, 'https://hooks.slack.example/T/B/x');
  assert.deepEqual(JSON.parse(body).text.split('\n'), [
    ':shield: *alert 1*',
    `> \`${MITIGATION.id}\` · 203.0.113.10/32 · ports 53 · until 2026-01-02T03:06:05.000Z`,
    '> • customer &lt;acme&gt; &amp; service dns',
    '> • playbook udp, step 0',
  ]);
});

test("nobody's text becomes a mention, a link or a line of its own", () => {
  const { body } = slackRequest(
    [alert(1, { mitigation: null, summary: '<!channel> a\n> b & <http://x|y>' })],
    'https://x.example/',
  );
  assert.equal(JSON.parse(body).text, ':shield: *&lt;!channel&gt; a &gt; b &amp; &lt;http://x|y&gt;*');
});

test('several alerts are one message', () => {
  const list = [alert(1, { mitigation: null }), alert(2, { mitigation: null, event: 'mitigation.expired' })];
  assert.equal(
    JSON.parse(slackRequest(list, 'https://x.example/').body).text,
    ':shield: *alert 1*\n:white_check_mark: *alert 2*',
  );
});
