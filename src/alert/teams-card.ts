/**
 * Builds requests for Microsoft Teams: a webhook of the app Workflows, which posts an Adaptive Card to a chat or channel
 * (https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using). Texts are
 * TextRuns, which have no markup (https://learn.microsoft.com/en-us/adaptive-cards/schema-explorer/text-run), and the
 * card lists no entities, without which nobody is mentioned. So text from outside needs no escaping.
 */
import type { Alert, AlertRequest } from './alert.ts';
import type { AlertSeverity } from './alert-destination.ts';
import { type ChatItem, type ChatMessage, EMOJI, fittingMessage } from './chat-message.ts';

/** Teams accepts about 28 KB (https://learn.microsoft.com/en-us/connectors/teams/); the workflow adds some (bytes). */
const CARD_BYTES = 24_000;

/** A run of text in one style (Adaptive Cards 1.2). */
interface TextRun {
  readonly type: 'TextRun';
  readonly text: string;
  readonly weight?: 'Bolder';
  readonly isSubtle?: true;
  readonly fontType?: 'Monospace';
  readonly color?: 'Attention' | 'Warning';
}

interface RichTextBlock {
  readonly type: 'RichTextBlock';
  readonly inlines: readonly TextRun[];
  readonly spacing?: 'Small' | 'None';
}

const COLORS: Readonly<Record<AlertSeverity, Pick<TextRun, 'color'>>> = {
  info: {},
  warning: { color: 'Warning' },
  critical: { color: 'Attention' },
};

export function teamsRequest(alerts: readonly Alert[], url: string): AlertRequest {
  const body = fittingMessage(
    alerts,
    (message) => JSON.stringify(activityOf(message)),
    (text) => Buffer.byteLength(text) <= CARD_BYTES,
  );
  return { url, headers: { 'content-type': 'application/json' }, body };
}

/** Returns the message that a workflow expects: an attachment with the card. */
function activityOf(message: ChatMessage): unknown {
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          msteams: { width: 'Full' },
          body: blocksOf(message),
        },
      },
    ],
  };
}

function blocksOf({ digest, items, more }: ChatMessage): readonly RichTextBlock[] {
  if (digest === undefined) return items.flatMap(itemBlocks);
  const heading = block([
    run(`${EMOJI.bell} `),
    run(`${digest.count} alerts`, { weight: 'Bolder' }),
    run(`: ${digest.kinds}`),
  ]);
  const rest = [run(`and ${more} more: see `), run('prefixd mitigations list', { fontType: 'Monospace' })];
  return [
    heading,
    ...items.map((item) =>
      block([run(`${EMOJI[item.mark]} ${item.summary}`, COLORS[item.severity])], 'Small'),
    ),
    ...(more > 0 ? [block(rest, 'Small')] : []),
  ];
}

function itemBlocks({ mark, severity, summary, id, details, why }: ChatItem): readonly RichTextBlock[] {
  const blocks = [block([run(`${EMOJI[mark]} `), run(summary, { weight: 'Bolder', ...COLORS[severity] })])];
  if (id !== undefined) {
    const rest = details.map((detail) => ` · ${detail}`).join('');
    blocks.push(
      block([run(id, { fontType: 'Monospace', isSubtle: true }), run(rest, { isSubtle: true })], 'None'),
    );
  }
  for (const line of why) blocks.push(block([run(`• ${line}`)], 'None'));
  return blocks;
}

function block(inlines: readonly TextRun[], spacing?: RichTextBlock['spacing']): RichTextBlock {
  return { type: 'RichTextBlock', inlines, ...(spacing === undefined ? {} : { spacing }) };
}

function run(text: string, style: Omit<TextRun, 'type' | 'text'> = {}): TextRun {
  return { type: 'TextRun', text, ...style };
}
