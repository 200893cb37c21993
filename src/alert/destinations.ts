/** Says for each type of destination how its requests look, how many alerts one may have, and how often one may be sent. */
import type { Alert, AlertRequest } from './alert.ts';
import type { AlertDestination } from './alert-destination.ts';
import { urlSecrets } from './attempt.ts';
import { discordRequest, slackRequest, TELEGRAM_URL, telegramRequest } from './chat-formats.ts';
import { OPSGENIE_URLS, opsgenieRequest, PAGERDUTY_URLS, pagerdutyRequest } from './incident-formats.ts';
import { teamsRequest } from './teams-card.ts';
import { webhookRequest } from './webhook-format.ts';

/** URLs of APIs, for tests. Default: the services' own. */
export interface ApiUrls {
  readonly pagerdutyUrl?: string;
  readonly opsgenieUrl?: string;
  readonly telegramUrl?: string;
}

/** How a destination takes alerts. */
export interface DestinationFormat {
  readonly requestOf: (alerts: readonly Alert[]) => AlertRequest;
  /** Most alerts in one request. */
  readonly batch: number;
  /** Minimum interval between requests (ms). Default: none. */
  readonly intervalMs?: number;
  /** Texts that must not be shown. */
  readonly secrets: readonly string[];
  /** Returns the pause that a response's body asks for (ms), for services whose header does not. */
  readonly bodyPauseMs?: (body: string) => number | undefined;
}

/** Slack accepts about 1 message per second (https://docs.slack.dev/apis/web-api/rate-limits). */
const SLACK_INTERVAL_MS = 1_000;

/** Discord's limits vary and are told with each answer; this is below those that people observe for webhooks. */
const DISCORD_INTERVAL_MS = 2_000;

/**
 * A workflow answers before it posts, so a message that is posted too often is lost unseen; Power Automate throttles
 * calls of one connection over minutes.
 */
const TEAMS_INTERVAL_MS = 5_000;

/** A bot may send 20 messages per minute to a group (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this). */
const TELEGRAM_INTERVAL_MS = 3_000;

/** Waiting alerts of a chat share the next message. */
const CHAT_BATCH = Number.POSITIVE_INFINITY;

export function formatOf(destination: AlertDestination, urls: ApiUrls): DestinationFormat {
  switch (destination.type) {
    case 'slack': {
      const { webhookUrl } = destination;
      return {
        requestOf: (alerts) => slackRequest(alerts, webhookUrl),
        batch: CHAT_BATCH,
        intervalMs: SLACK_INTERVAL_MS,
        secrets: secretsOf(webhookUrl),
      };
    }
    case 'discord': {
      const { webhookUrl } = destination;
      return {
        requestOf: (alerts) => discordRequest(alerts, webhookUrl),
        batch: CHAT_BATCH,
        intervalMs: DISCORD_INTERVAL_MS,
        secrets: secretsOf(webhookUrl),
        bodyPauseMs: (body) => secondsIn(body, (answer) => answer.retry_after),
      };
    }
    case 'teams': {
      const { webhookUrl } = destination;
      return {
        requestOf: (alerts) => teamsRequest(alerts, webhookUrl),
        batch: CHAT_BATCH,
        intervalMs: TEAMS_INTERVAL_MS,
        secrets: secretsOf(webhookUrl),
      };
    }
    case 'telegram': {
      const { botToken } = destination;
      return {
        requestOf: (alerts) => telegramRequest(alerts, destination, urls.telegramUrl ?? TELEGRAM_URL),
        batch: CHAT_BATCH,
        intervalMs: TELEGRAM_INTERVAL_MS,
        secrets: [botToken, ...botToken.split(':').slice(1)],
        bodyPauseMs: (body) => secondsIn(body, (answer) => fieldsOf(answer.parameters).retry_after),
      };
    }
    case 'pagerduty': {
      const { routingKey, region = 'us' } = destination;
      const base = urls.pagerdutyUrl ?? PAGERDUTY_URLS[region];
      return {
        requestOf: ([alert]) => pagerdutyRequest(only(alert), routingKey, base),
        batch: 1,
        secrets: [routingKey],
      };
    }
    case 'opsgenie': {
      const { apiKey, region = 'us' } = destination;
      const base = urls.opsgenieUrl ?? OPSGENIE_URLS[region];
      return {
        requestOf: ([alert]) => opsgenieRequest(only(alert), apiKey, base),
        batch: 1,
        secrets: [apiKey],
      };
    }
    case 'webhook': {
      const { url, secret } = destination;
      return {
        requestOf: ([alert]) => webhookRequest(only(alert), url, secret),
        batch: 1,
        secrets: [...secretsOf(url), ...(secret === undefined ? [] : [secret])],
      };
    }
  }
}

/** Shorter parts of a URL also occur in ordinary words. */
const SECRET_LENGTH = 12;

/** Returns the URL, and the parts of its path and query that may be its token. */
function secretsOf(url: string): readonly string[] {
  const { pathname, searchParams } = new URL(url);
  const parts = [...pathname.split('/'), ...searchParams.values()];
  return [...urlSecrets(url), ...parts.filter((part) => part.length >= SECRET_LENGTH)];
}

function only(alert: Alert | undefined): Alert {
  if (alert === undefined) throw new RangeError('a request needs an alert');
  return alert;
}

type AnswerFields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): AnswerFields {
  return typeof value === 'object' && value !== null ? (value as AnswerFields) : {};
}

/** Returns a number of seconds of a JSON body as milliseconds; undefined if it has none. */
function secondsIn(body: string, find: (answer: AnswerFields) => unknown): number | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    return undefined; // an error page of a proxy
  }
  const seconds = find(fieldsOf(answer));
  return typeof seconds === 'number' && seconds >= 0 ? Math.ceil(seconds * 1000) : undefined;
}
