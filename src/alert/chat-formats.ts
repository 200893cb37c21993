/**
 * Builds requests for chats whose messages are marked-up text: Slack (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
 * Discord (https://discord.com/developers/docs/resources/webhook#execute-webhook) and Telegram
 * (https://core.telegram.org/bots/api#sendmessage). Text from outside can neither mark anything up nor notify anybody.
 */
import type { Alert, AlertRequest } from './alert.ts';
import type { AlertDestination } from './alert-destination.ts';
import { type ChatItem, type ChatMessage, EMOJI, fittingMessage, type Mark } from './chat-message.ts';

/** How a service marks up text. */
interface Markup {
  readonly mark: (mark: Mark) => string;
  /** Takes the meaning from characters of a text from outside. */
  readonly plain: (text: string) => string;
  /** Takes text that is escaped. */
  readonly bold: (text: string) => string;
  /** Takes text from outside. */
  readonly code: (text: string) => string;
  /** Begin of a line that belongs to the one above. */
  readonly quote: string;
}

function textOf({ digest, items, more }: ChatMessage, markup: Markup): string {
  const { mark, plain, bold, code, quote } = markup;
  if (digest === undefined) return items.map((item) => itemText(item, markup)).join('\n');
  const heading = `${mark('bell')} ${bold(`${digest.count} alerts`)}: ${plain(digest.kinds)}`;
  const lines = items.map((item) => `${quote}${mark(item.mark)} ${plain(item.summary)}`);
  const rest = more > 0 ? [`${quote}and ${more} more: see ${code('prefixd mitigations list')}`] : [];
  return [heading, ...lines, ...rest].join('\n');
}

function itemText({ mark, summary, id, details, why }: ChatItem, markup: Markup): string {
  const { plain, bold, code, quote } = markup;
  const lines = [`${markup.mark(mark)} ${bold(plain(summary))}`];
  if (id !== undefined) lines.push(`${quote}${[code(id), ...details.map(plain)].join(' · ')}`);
  for (const line of why) lines.push(`${quote}• ${plain(line)}`);
  return lines.join('\n');
}

/** Returns the text of these alerts that has at most this many characters. */
function fittingText(alerts: readonly Alert[], markup: Markup, characters: number): string {
  return fittingMessage(
    alerts,
    (message) => textOf(message, markup),
    (text) => text.length <= characters,
  );
}

const JSON_HEADERS = { 'content-type': 'application/json' } as const;

// Slack.

/** Longest text that Slack does not cut (characters). */
const SLACK_LENGTH = 40_000;

/** Ends a word invisibly, so that the character before it neither marks up nor mentions. */
const JOINER = '\u2060';

const SLACK: Markup = {
  mark: (mark) => `:${mark}:`,
  // Slack escapes three characters and has no escape for the ones that mark up; these need a border of a word.
  plain: (text) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll(/[*~`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, `${JOINER}$&${JOINER}`),
  bold: (text) => `*${text}*`,
  code: (text) => `\`${text.replaceAll(/[&<>`]/g, '')}\``,
  quote: '> ',
};

export function slackRequest(alerts: readonly Alert[], url: string): AlertRequest {
  const text = fittingText(alerts, SLACK, SLACK_LENGTH);
  return { url, headers: JSON_HEADERS, body: JSON.stringify({ text }) };
}

// Discord.

/** Longest content of a message (characters). */
const DISCORD_LENGTH = 2_000;

/** Flag of a message whose links have no preview (SUPPRESS_EMBEDS). */
const SUPPRESS_EMBEDS = 4;

const DISCORD: Markup = {
  mark: (mark) => EMOJI[mark],
  plain: (text) => text.replaceAll(/[\\*_~`|<>[\]()@#]/g, '\\$&'),
  bold: (text) => `**${text}**`,
  code: (text) => `\`${text.replaceAll('`', '')}\``,
  quote: '> ',
};

export function discordRequest(alerts: readonly Alert[], webhookUrl: string): AlertRequest {
  const body = {
    content: fittingText(alerts, DISCORD, DISCORD_LENGTH),
    // Nobody is notified, whatever the text says.
    allowed_mentions: { parse: [] },
    flags: SUPPRESS_EMBEDS,
  };
  return { url: discordUrl(webhookUrl), headers: JSON_HEADERS, body: JSON.stringify(body) };
}

/**
 * Returns the webhook's URL in version 10 of the API, whose `retry_after` counts seconds, with `wait`, without which a
 * message that is not saved is answered as a success.
 */
function discordUrl(webhookUrl: string): string {
  const url = new URL(webhookUrl);
  url.pathname = url.pathname.replace(/^\/api\/webhooks\//, '/api/v10/webhooks/');
  url.searchParams.set('wait', 'true');
  return url.href;
}

// Telegram.

export const TELEGRAM_URL = 'https://api.telegram.org';

/** Longest text after the entities are parsed (characters). */
const TELEGRAM_LENGTH = 4_096;

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const TELEGRAM: Markup = {
  mark: (mark) => EMOJI[mark],
  // A name after an @ is a mention without any markup.
  plain: (text) => escapeHtml(text).replaceAll('@', `@${JOINER}`),
  bold: (text) => `<b>${text}</b>`,
  code: (text) => `<code>${escapeHtml(text)}</code>`,
  quote: '   ',
};

export function telegramRequest(
  alerts: readonly Alert[],
  { botToken, chatId, threadId }: Omit<Extract<AlertDestination, { type: 'telegram' }>, 'type'>,
  base = TELEGRAM_URL,
): AlertRequest {
  const body = {
    chat_id: chatId,
    ...(threadId === undefined ? {} : { message_thread_id: threadId }),
    text: fittingText(alerts, TELEGRAM, TELEGRAM_LENGTH),
    parse_mode: 'HTML',
    link_preview_options: { is_disabled: true },
  };
  return { url: `${base}/bot${botToken}/sendMessage`, headers: JSON_HEADERS, body: JSON.stringify(body) };
}
