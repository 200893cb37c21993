/** Tests that what a detector writes can neither break a format, nor notify people, nor be too long for any service. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import type { Alert } from '../../src/alert/alert.ts';
import { discordRequest, slackRequest, telegramRequest } from '../../src/alert/chat-formats.ts';
import { cutLine, plainLine } from '../../src/alert/chat-message.ts';
import { opsgenieRequest } from '../../src/alert/incident-formats.ts';
import { teamsRequest } from '../../src/alert/teams-card.ts';
import { alert, MITIGATION } from './support.ts';

const BOT = { botToken: '1:t', chatId: '-1' };

const HOSTILE = [
  '@everyone',
  '@here <@123> <@&5> <#7> <!channel> <!here>',
  '[click](https://evil.example)',
  '<https://evil.example|bank>',
  '<a href="https://evil.example">x</a><b>',
  '**b** __u__ ~~s~~ ||spoiler|| `code` ```block',
  '*b* _i_ ~s~',
  '</b></code>&amp;&lt;',
  'line\nbreak\r\n# heading\u2028- list',
  '\u202egnp.exe\u2066',
  '\ud800 lone',
  '<at>Ada</at>',
  '{{DATE(2026-01-01T00:00:00Z)}} $\u007benv.X}',
  '\\',
];

/** An alert with this text in every field that comes from outside. */
function hostile(text: string): Alert {
  return alert(1, {
    summary: text,
    mitigation: {
      ...MITIGATION,
      vector: text,
      customerId: text,
      victim: text,
      reason: text,
      why: [text, text],
    },
    subject: text,
  });
}

/** Returns the text of each service's message. */
const TEXTS = {
  slack: (alerts: readonly Alert[]): string =>
    JSON.parse(slackRequest(alerts, 'https://x.example/').body).text,
  discord: (alerts: readonly Alert[]): string =>
    JSON.parse(discordRequest(alerts, 'https://discord.com/api/webhooks/1/t').body).content,
  telegram: (alerts: readonly Alert[]): string => JSON.parse(telegramRequest(alerts, BOT).body).text,
};

/** Removes our own markup: the tags of Telegram. */
const withoutTags = (text: string): string => text.replaceAll(/<\/?(?:b|code)>/g, '');

describe('text from outside', () => {
  it('has no command, mention or link of Slack', () => {
    for (const text of HOSTILE) {
      const sent = TEXTS.slack([hostile(text)]);
      assert.doesNotMatch(sent.replaceAll(/^> /gm, ''), /[<>]/, text);
      // Of the characters that mark up, only ours stand at the border of a word.
      assert.equal(sent.replaceAll(/\u2060[*~`_]\u2060/g, '').match(/[*`~]/g)?.length, 4, text);
    }
  });

  it('is escaped for Discord, which is told to notify nobody', () => {
    for (const text of HOSTILE) {
      const body = JSON.parse(discordRequest([hostile(text)], 'https://discord.com/api/webhooks/1/t').body);
      assert.deepEqual(body.allowed_mentions, { parse: [] });
      const [first = '', ...rest] = body.content.split('\n');
      const inner = [first.replace(/^\S+ \*\*(.*)\*\*$/, '$1'), ...rest.slice(1)];
      for (const line of inner) {
        const bare = line.replace(/^> /, '').replaceAll(/\\[\\*_~`|<>[\]()@#]/g, '');
        assert.doesNotMatch(bare, /[\\*_~`|<>[\]()@#]/, text);
      }
    }
  });

  it('has no tag and no entity of its own at Telegram, and mentions nobody', () => {
    for (const text of HOSTILE) {
      const sent = TEXTS.telegram([hostile(text)]);
      const bare = withoutTags(sent);
      assert.doesNotMatch(bare, /[<>]/, text);
      assert.doesNotMatch(bare, /&(?!(?:amp|lt|gt);)/, text);
      assert.doesNotMatch(bare, /@\w/, text);
      assert.equal(sent.match(/<b>/g)?.length, sent.match(/<\/b>/g)?.length);
      assert.equal(sent.match(/<b>/g)?.length, 1, text);
    }
  });

  it('is plain runs of text at Teams, without entities', () => {
    for (const text of HOSTILE) {
      const { attachments } = JSON.parse(teamsRequest([hostile(text)], 'https://x.example/').body);
      const { content } = attachments[0];
      assert.deepEqual(content.msteams, { width: 'Full' });
      for (const { type, inlines } of content.body) {
        assert.equal(type, 'RichTextBlock');
        for (const run of inlines) assert.equal(run.type, 'TextRun');
      }
    }
  });

  it('has no HTML at Opsgenie', () => {
    for (const text of HOSTILE) {
      const { body } = opsgenieRequest(hostile(text), 'key');
      assert.doesNotMatch(body, /[<>]/, text);
    }
  });

  it('begins no line, and reverses no direction', () => {
    for (const text of HOSTILE) {
      for (const of of Object.values(TEXTS)) {
        const sent = of([hostile(text)]);
        assert.equal(sent.split(/[\n\r\u2028\u2029]/).length, 4, text);
        assert.doesNotMatch(sent, /[\u202a-\u202e\u2066-\u2069]|\p{Cs}/u, text);
      }
    }
  });
});

test('no service gets more than it takes, and the summary is cut last', () => {
  const long = `${'@<*_`[x](y)&'.repeat(800)}\u{1F4A9}`;
  for (const count of [1, 3, 5, 6, 40, 1_000]) {
    const alerts = Array.from({ length: count }, () => hostile(long));
    assert.ok(TEXTS.slack(alerts).length <= 40_000, `slack ${count}`);
    assert.ok(TEXTS.discord(alerts).length <= 2_000, `discord ${count}`);
    assert.ok(TEXTS.telegram(alerts).length <= 4_096, `telegram ${count}`);
    assert.ok(Buffer.byteLength(teamsRequest(alerts, 'https://x.example/').body) <= 24_000, `teams ${count}`);
  }
  const explained = { ...MITIGATION, why: Array.from({ length: 6 }, () => 'w'.repeat(500)) };
  const text = TEXTS.discord([alert(1, { summary: 's'.repeat(250), mitigation: explained })]);
  assert.ok(text.includes('s'.repeat(250)));
  const opsgenie = JSON.parse(opsgenieRequest(hostile(long), 'key').body);
  const lengths = [opsgenie.message, opsgenie.alias, opsgenie.description, opsgenie.entity].map(
    (t) => t.length,
  );
  assert.deepEqual(
    lengths.map((length, i) => length <= ([130, 512, 15_000, 512][i] ?? 0)),
    [true, true, true, true],
  );
  assert.ok(JSON.stringify(opsgenie.details).length <= 8_000);
  for (const tag of opsgenie.tags) assert.ok(tag.length <= 50);
});

test('a text is cut between characters, and whole lines stay', () => {
  assert.equal(cutLine('abc', 3), 'abc');
  assert.equal(cutLine('abcd', 3), 'ab…');
  assert.equal(cutLine('a\u{1F4A9}b', 3), 'a…');
  assert.equal(plainLine('a\tb\u0000\u0007c'), 'a b c');
});
