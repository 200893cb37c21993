/** Defines the section `alerting` of prefixd.yaml: destinations of alerts, which alerts each gets, and how often. */
import { z } from 'zod';
import { ALERT_EVENTS } from '../../alert/alert.ts';
import { SERVICE_REGIONS, SEVERITIES } from '../../alert/alert-destination.ts';
import { flag, integer, oneOf, text, words } from '../../core/policy/value-kinds.ts';
import { environment, name, webUrl } from './fields.ts';

/** Longest time for which alerts are gathered (s). */
const MAX_DIGEST_SECONDS = 3_600;

/** The rules of every destination. */
const rules = {
  name: name
    .optional()
    .describe(
      'Name in logs, metrics and `prefixd alerts`, unique. Default: the type, such as `slack`, and `slack-2` for the second of a type.',
    ),
  events: z
    .array(z.enum(ALERT_EVENTS).meta({ expects: 'an event of `alerting.events`' }))
    .optional()
    .describe('Events for this destination. Default: `alerting.events`.'),
  customers: z
    .array(words)
    .optional()
    .describe(
      'Only alerts about these customers, by id. Alerts about no customer, such as a pause, are not sent. Default: all alerts.',
    ),
  min_severity: oneOf(SEVERITIES)
    .default('info')
    .describe(
      'Only alerts that are at least this severe; see [monitoring](monitoring.md#alerts). An incident that was opened is always closed.',
    ),
};

/** The rules of a chat, whose messages may be about many alerts. */
const chatRules = {
  ...rules,
  digest_seconds: integer(1, MAX_DIGEST_SECONDS, 'seconds')
    .optional()
    .describe(
      'Gathers alerts for this long after the first one, and sends one message. Default: the first one is sent at once, and those that arrive before the next message may be sent share it.',
    ),
};

const webhookUrlEnv = environment.describe("Environment variable that contains the webhook's URL.");

const region = oneOf(SERVICE_REGIONS).default('us').describe('Service region of the account.');

const chatId = text(
  'the id of a chat in quotes, such as "-1001234567890", or the name of a public channel, such as "@noc"',
  (value) => /^(?:-?\d{1,20}|@[A-Za-z]\w{1,63})$/.test(value),
);

const destination = z.discriminatedUnion('type', [
  z.strictObject({
    type: z
      .literal('slack')
      .describe('A Slack incoming webhook: about one message per second, a digest if more alerts wait.'),
    webhook_url_env: webhookUrlEnv,
    ...chatRules,
  }),
  z.strictObject({
    type: z
      .literal('discord')
      .describe('A Discord webhook: one message in 2 seconds, a digest if more alerts wait.'),
    webhook_url_env: webhookUrlEnv,
    ...chatRules,
  }),
  z.strictObject({
    type: z
      .literal('teams')
      .describe(
        'Microsoft Teams: a webhook of the app Workflows, which posts a card. One message in 5 seconds, a digest if more alerts wait.',
      ),
    webhook_url_env: environment.describe(
      'Environment variable that contains the URL of the workflow, not of a connector.',
    ),
    ...chatRules,
  }),
  z.strictObject({
    type: z
      .literal('telegram')
      .describe('A bot of Telegram: one message in 3 seconds, a digest if more alerts wait.'),
    bot_token_env: environment.describe("Environment variable that contains the bot's token."),
    chat_id: chatId.describe('The chat, group or channel. The bot must be a member.'),
    thread_id: integer(1, Number.MAX_SAFE_INTEGER).optional().describe('Topic of a group. Default: none.'),
    ...chatRules,
  }),
  z.strictObject({
    type: z
      .literal('pagerduty')
      .describe(
        'PagerDuty Events API v2. Each mitigation, each pause and the refusals of each victim are one incident, which is resolved at the end.',
      ),
    routing_key_env: environment.describe('Environment variable that contains the routing key.'),
    region,
    ...rules,
  }),
  z.strictObject({
    type: z
      .literal('opsgenie')
      .describe('Opsgenie Alert API, with one alert for what is an incident of PagerDuty.'),
    api_key_env: environment.describe('Environment variable that contains the key of an API integration.'),
    region,
    ...rules,
  }),
  z.strictObject({
    type: z.literal('webhook').describe('An HTTP POST with JSON.'),
    url: webUrl.optional().describe('Destination URL. Required, unless `url_env` is set.'),
    url_env: environment
      .optional()
      .describe('Environment variable that contains the URL, if its path is a secret.'),
    secret_env: environment
      .optional()
      .describe('Environment variable that contains the key of `X-Prefixd-Signature` (HMAC-SHA256).'),
    ...rules,
  }),
]);

export const alerting = z.strictObject({
  destinations: z.array(destination).default([]).describe('Destinations of alerts.'),
  events: z
    .array(oneOf(ALERT_EVENTS))
    .default([
      'mitigation.created',
      'mitigation.escalated',
      'mitigation.withdrawn',
      'mitigation.expired',
      'mitigation.unenforced',
    ])
    .describe(
      'Events that raise an alert. `mitigation.rejected` raises one alert per victim and reason, and for a quota one alert per customer. `mitigation.unenforced`: a neighbor cannot enforce an active mitigation or has no room for it. `scrubber.request_failed`: a cloud scrubber has not accepted a start or a stop. Mitigations that another POP decided raise alerts only if `mitigation.imported` is listed.',
    ),
  allow_private_addresses: flag
    .default(false)
    .describe('Allows alerts to loopback, private and link-local addresses.'),
});
