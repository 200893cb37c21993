/** Tests the messages of Discord, Teams and Telegram as their APIs want them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { discordRequest, telegramRequest } from '../../src/alert/chat-formats.ts';
import { teamsRequest } from '../../src/alert/teams-card.ts';
import { alert, MITIGATION } from './support.ts';

const UNTIL = '2026-01-02T03:06:05.000Z';
const many = [
  ...Array.from({ length: 199 }, (_, i) => alert(i + 1)),
  alert(200, { event: 'mitigation.unenforced', summary: 'not enforced' }),
];

test('Discord: content without mentions or previews, answered only once it is saved', () => {
  const { url, body } = discordRequest([alert(1)], 'https://discord.com/api/webhooks/1/t?thread_id=9');
  assert.equal(url, 'https://discord.com/api/v10/webhooks/1/t?thread_id=9&wait=true');
  const { content, allowed_mentions, flags } = JSON.parse(body);
  assert.deepEqual([allowed_mentions, flags], [{ parse: [] }, 4]);
  assert.deepEqual(content.split('\n'), [
    '\u{1F6E1}\uFE0F **alert 1**',
    `> \`${MITIGATION.id}\` · 203.0.113.10/32 · ports 53 · until ${UNTIL}`,
    '> • customer \\<acme\\> & service dns',
    '> • playbook udp, step 0',
  ]);
});

test('Telegram: HTML to the chat, and to its topic', () => {
  const to = { botToken: '1:t', chatId: '@noc', threadId: 7 };
  const { url, body } = telegramRequest([alert(1)], to);
  assert.equal(url, 'https://api.telegram.org/bot1:t/sendMessage');
  const { text, ...rest } = JSON.parse(body);
  assert.deepEqual(rest, {
    chat_id: '@noc',
    message_thread_id: 7,
    parse_mode: 'HTML',
    link_preview_options: { is_disabled: true },
  });
  assert.deepEqual(text.split('\n'), [
    '\u{1F6E1}\uFE0F <b>alert 1</b>',
    `   <code>${MITIGATION.id}</code> · 203.0.113.10/32 · ports 53 · until ${UNTIL}`,
    '   • customer &lt;acme&gt; &amp; service dns',
    '   • playbook udp, step 0',
  ]);
});

test('Teams: a message with one Adaptive Card, whose color is the severity', () => {
  const { url, body } = teamsRequest(
    [alert(1, { event: 'mitigation.escalated' })],
    'https://x.example/workflows/1?sig=s',
  );
  assert.equal(url, 'https://x.example/workflows/1?sig=s');
  const { type, attachments } = JSON.parse(body);
  assert.equal(type, 'message');
  const [{ contentType, content }] = attachments;
  assert.equal(contentType, 'application/vnd.microsoft.card.adaptive');
  assert.deepEqual([content.type, content.version], ['AdaptiveCard', '1.4']);
  const lines = content.body.map(({ inlines }: { inlines: { text: string }[] }) =>
    inlines.map(({ text }) => text).join(''),
  );
  assert.deepEqual(lines, [
    '\u{1F6A8} alert 1',
    `${MITIGATION.id} · 203.0.113.10/32 · ports 53 · until ${UNTIL}`,
    '• customer <acme> & service dns',
    '• playbook udp, step 0',
  ]);
  assert.equal(content.body[0].inlines[1].color, 'Attention');
});

test('200 alerts are one digest that begins with the most severe one', () => {
  const heading = '\u{1F514} **200 alerts**: 199 mitigation.created, 1 mitigation.unenforced';
  const discord = JSON.parse(discordRequest(many, 'https://discord.com/api/webhooks/1/t').body);
  const lines = discord.content.split('\n');
  assert.deepEqual(lines.slice(0, 3), [heading, '> \u26A0\uFE0F not enforced', '> \u{1F6E1}\uFE0F alert 1']);
  assert.equal(lines.at(-1), '> and 190 more: see `prefixd mitigations list`');
  const telegram = JSON.parse(telegramRequest(many, { botToken: '1:t', chatId: '1' }).body);
  assert.match(telegram.text, /^\u{1F514} <b>200 alerts<\/b>: 199 mitigation\.created/u);
  const { content } = JSON.parse(teamsRequest(many, 'https://x.example/').body).attachments[0];
  assert.equal(content.body.length, 12);
  assert.equal(content.body[11].inlines[0].text, 'and 190 more: see ');
});
