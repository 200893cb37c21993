import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slackRequest } from '../../src/alert/chat-formats.ts';
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

test('no foreign text becomes a mention, a link or a line of its own', () => {
  const { body } = slackRequest(
    [alert(1, { mitigation: undefined, summary: '<!channel> a\n> b & <http://x|y>' })],
    'https://x.example/',
  );
  assert.equal(JSON.parse(body).text, ':shield: *&lt;!channel&gt; a &gt; b &amp; &lt;http://x|y&gt;*');
});

test('several alerts are one message', () => {
  const list = [
    alert(1, { mitigation: undefined }),
    alert(2, { mitigation: undefined, event: 'mitigation.expired' }),
  ];
  assert.equal(
    JSON.parse(slackRequest(list, 'https://x.example/').body).text,
    ':shield: *alert 1*\n:white_check_mark: *alert 2*',
  );
});

test('many alerts are a digest: how many of which kind, the first of them, and how many more', () => {
  const list = [
    ...Array.from({ length: 12 }, (_, i) => alert(i + 1)),
    alert(13, { event: 'mitigation.expired', summary: 'a <b> & c' }),
  ];
  const lines = JSON.parse(slackRequest(list, 'https://x.example/').body).text.split('\n');
  assert.equal(lines[0], ':bell: *13 alerts*: 12 mitigation.created, 1 mitigation.expired');
  assert.equal(lines[1], '> :shield: alert 1');
  assert.equal(lines.length, 12);
  assert.equal(lines.at(-1), '> and 3 more: see `prefixd mitigations list`');
  const few = slackRequest(list.slice(7), 'https://x.example/');
  assert.match(JSON.parse(few.body).text, /> :white_check_mark: a &lt;b&gt; &amp; c$/);
});
