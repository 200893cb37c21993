/**
 * Converts the alerting settings of upstream prefixd (Rust, lance0/prefixd: `alerting.yaml`, or a section of
 * prefixd.yaml). Pure. Upstream keeps URLs, keys and headers in the file; here the file names environment variables, so
 * no value is copied.
 */
import type { ServiceRegion } from '../../alert/alert-destination.ts';
import { isConnectorUrl } from '../secrets.ts';
import { isSection, type Note, type Section } from './migrate-notes.ts';

/** Upstream's events and our names for them. */
const EVENTS: ReadonlyMap<string, string> = new Map([
  ['mitigation.created', 'mitigation.created'],
  ['mitigation.escalated', 'mitigation.escalated'],
  ['mitigation.withdrawn', 'mitigation.withdrawn'],
  ['mitigation.expired', 'mitigation.expired'],
  ['config.reloaded', 'policy.loaded'],
  ['guardrail.rejected', 'mitigation.rejected'],
]);

/** Hosts of PagerDuty's regions; upstream names the whole URL. */
const PAGERDUTY_REGIONS: ReadonlyMap<string, ServiceRegion> = new Map([
  ['https://events.pagerduty.com/v2/enqueue', 'us'],
  ['https://events.eu.pagerduty.com/v2/enqueue', 'eu'],
]);

const WEBHOOK_URL = ['webhook_url', 'webhook_url_env', 'URL'] as const;

/** Supported types: the upstream keys that hold a secret, and our keys that name a variable instead. */
const KINDS: Readonly<Record<string, readonly (readonly [secret: string, key: string, word: string])[]>> = {
  slack: [WEBHOOK_URL],
  discord: [WEBHOOK_URL],
  teams: [WEBHOOK_URL],
  telegram: [['bot_token', 'bot_token_env', 'TOKEN']],
  pagerduty: [['routing_key', 'routing_key_env', 'KEY']],
  opsgenie: [['api_key', 'api_key_env', 'KEY']],
  webhook: [
    ['url', 'url_env', 'URL'],
    ['secret', 'secret_env', 'SECRET'],
  ],
};

/** Keys of our own destinations, kept as they are. */
const OURS = new Set(['type', ...Object.values(KINDS).flatMap((secrets) => secrets.map(([, key]) => key))]);

/** Keys of upstream that are handled besides the secrets. */
const HANDLED = ['channel', 'events_url', 'headers', 'events', 'chat_id', 'region'];

export function migrateAlerting(upstream: Section, note: Note): Section {
  const given = Array.isArray(upstream.destinations) ? upstream.destinations.filter(isSection) : [];
  const seen = new Map<string, number>();
  const destinations = given.flatMap((entry, i): readonly Section[] => {
    const type =
      String(entry.type).toLowerCase() === 'generic' ? 'webhook' : String(entry.type).toLowerCase();
    const count = (seen.get(type) ?? 0) + 1;
    seen.set(type, count);
    const variable = `PREFIXD_${type.toUpperCase()}${count === 1 ? '' : `_${count}`}`;
    return migrateDestination(entry, type, variable, `alerting.destinations[${i}]`, note);
  });
  const events = migrateEvents(upstream.events, destinations.length > 0, note);
  return {
    ...(destinations.length === 0 ? {} : { destinations }),
    ...(events === undefined ? {} : { events }),
    ...(typeof upstream.allow_private_addresses === 'boolean'
      ? { allow_private_addresses: upstream.allow_private_addresses }
      : {}),
  };
}

function migrateDestination(
  entry: Section,
  type: string,
  variable: string,
  path: string,
  note: Note,
): readonly Section[] {
  const secrets = Object.hasOwn(KINDS, type) ? (KINDS[type] ?? []) : [];
  if (secrets.length === 0) {
    note(
      'todo',
      path,
      `${/^[a-z]{1,20}$/.test(type) ? type : 'this type of'} destination is not supported; use ${Object.keys(KINDS).join(', ')}`,
    );
    return [];
  }
  const destination: Record<string, unknown> = { type };
  for (const [secret, key, word] of secrets) {
    if (entry[key] !== undefined) destination[key] = entry[key];
    else if (entry[secret] !== undefined && entry[secret] !== null) {
      destination[key] = `${variable}_${word}`;
      note(
        'changed',
        `${path}.${secret}`,
        `${key}: ${variable}_${word}; its value is not copied`,
        `${variable}_${word}`,
      );
    }
  }
  if (type === 'teams' && isConnectorUrl(String(entry.webhook_url))) {
    note('todo', `${path}.webhook_url`, 'Microsoft has ended connectors: create a workflow, and use its URL');
  }
  Object.assign(destination, migrateKeys(entry, type, path, note));
  const handled = new Set([...OURS, ...secrets.map(([secret]) => secret), ...HANDLED]);
  for (const key of Object.keys(entry)) {
    if (!handled.has(key)) note('unknown', `${path}.${key}`, '');
  }
  return [destination];
}

/** Converts the keys that hold no secret. */
function migrateKeys(entry: Section, type: string, path: string, note: Note): Section {
  const { channel, chat_id: chat, events_url: eventsUrl, region, headers, events } = entry;
  if (channel !== undefined && channel !== null) {
    note('dropped', `${path}.channel`, 'a Slack webhook posts to its own channel');
  }
  if (isSection(headers) && Object.keys(headers).length > 0) {
    note(
      'todo',
      `${path}.headers`,
      'custom headers are not supported; the receiver can check X-Prefixd-Signature',
    );
  }
  const ofPagerduty = eventsUrl === undefined ? 'us' : PAGERDUTY_REGIONS.get(String(eventsUrl));
  if (type === 'pagerduty' && ofPagerduty === undefined) {
    note('todo', `${path}.events_url`, 'PagerDuty is reached by its region, us or eu; write region');
  }
  const place = type === 'opsgenie' ? region : type === 'pagerduty' ? ofPagerduty : undefined;
  // An empty list means the events of alerting, as here.
  const own = Array.isArray(events) && events.length > 0 ? migrateNames(events, `${path}.events`, note) : [];
  return {
    ...(type === 'telegram' && chat !== undefined ? { chat_id: String(chat) } : {}),
    ...(place === 'eu' ? { region: place } : {}),
    ...(own.length === 0 ? {} : { events: own }),
  };
}

/** Upstream treats an empty list as all events; here it would mean the default events. */
function migrateEvents(value: unknown, needed: boolean, note: Note): readonly string[] | undefined {
  const given = Array.isArray(value) ? value.map(String) : [];
  if (given.length === 0) {
    if (!needed) return undefined;
    note('added', 'alerting.events', "all of upstream's events, because upstream sends all if none is named");
    return [...EVENTS.values()];
  }
  return migrateNames(given, 'alerting.events', note);
}

function migrateNames(given: readonly unknown[], path: string, note: Note): readonly string[] {
  return given.map(String).map((event) => {
    const ours = EVENTS.get(event);
    if (ours !== undefined && ours !== event) note('changed', `${path}: ${event}`, ours);
    return ours ?? event;
  });
}
