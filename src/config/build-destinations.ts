/** Converts a destination of alerts, with its secrets. */
import type { AlertDestination } from '../alert/alert-destination.ts';
import { dotted } from './config-problem.ts';
import type { Settings } from './schema/prefixd-schema.ts';
import type { Secrets } from './secrets.ts';

type DestinationSection = Settings['alerting']['destinations'][number];

/** Returns the destination with this index. Throws RangeError if a secret was not read. */
export function buildDestination(entry: DestinationSection, i: number, secrets: Secrets): AlertDestination {
  const secretOf = (key: string): string => {
    const path = dotted(['alerting', 'destinations', i, key]);
    const secret = secrets.get(path);
    if (secret === undefined) throw new RangeError(`the secret for ${path} was not read`);
    return secret;
  };
  return { ...addressOf(entry, secretOf), ...rulesOf(entry) };
}

function addressOf(entry: DestinationSection, secretOf: (key: string) => string): AlertDestination {
  switch (entry.type) {
    case 'slack':
    case 'discord':
    case 'teams':
      return { type: entry.type, webhookUrl: secretOf('webhook_url_env') };
    case 'telegram':
      return {
        type: 'telegram',
        botToken: secretOf('bot_token_env'),
        chatId: entry.chat_id,
        ...(entry.thread_id === undefined ? {} : { threadId: entry.thread_id }),
      };
    case 'pagerduty':
      return { type: 'pagerduty', routingKey: secretOf('routing_key_env'), ...regionOf(entry) };
    case 'opsgenie':
      return { type: 'opsgenie', apiKey: secretOf('api_key_env'), ...regionOf(entry) };
    case 'webhook':
      return {
        type: 'webhook',
        url: entry.url ?? secretOf('url_env'),
        secret: entry.secret_env === undefined ? undefined : secretOf('secret_env'),
      };
  }
}

function regionOf({
  region,
}: Extract<DestinationSection, { region: string }>): Pick<
  Extract<AlertDestination, { type: 'pagerduty' }>,
  'region'
> {
  return region === 'us' ? {} : { region };
}

/** Returns the rules that differ from the defaults. */
function rulesOf(
  entry: DestinationSection,
): Pick<AlertDestination, 'name' | 'events' | 'customers' | 'minSeverity' | 'digestSeconds'> {
  const { name, events, customers, min_severity: minSeverity } = entry;
  const digestSeconds = 'digest_seconds' in entry ? entry.digest_seconds : undefined;
  return {
    ...(name === undefined ? {} : { name }),
    ...(events === undefined ? {} : { events }),
    ...(customers === undefined ? {} : { customers }),
    ...(minSeverity === 'info' ? {} : { minSeverity }),
    ...(digestSeconds === undefined ? {} : { digestSeconds }),
  };
}
