/**
 * Converts the alerting settings of upstream prefixd (Rust, lance0/prefixd: `alerting.yaml`, or a section of
 * prefixd.yaml). Pure. Upstream keeps URLs, keys and headers in the file; here the file names environment variables, so
 * no value is copied.
 */
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

const PAGERDUTY_EVENTS = 'https://events.pagerduty.com/v2/enqueue';

/** Supported types: the upstream keys that hold a secret, and our keys that name a variable instead. */
const KINDS: Readonly<Record<string, readonly (readonly [secret: string, key: string, word: string])[]>> = {
  slack: [['webhook_url', 'webhook_url_env', 'URL']],
  pagerduty: [['routing_key', 'routing_key_env', 'KEY']],
  webhook: [
    ['url', 'url_env', 'URL'],
    ['secret', 'secret_env', 'SECRET'],
  ],
};

/** Keys of our own destinations, kept as they are. */
const OURS = new Set(['type', 'webhook_url_env', 'routing_key_env', 'url_env', 'secret_env']);

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
      `${/^[a-z]{1,20}$/.test(type) ? type : 'this type of'} destination is not supported; use slack, pagerduty or webhook`,
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
  if (entry.channel !== undefined && entry.channel !== null) {
    note('dropped', `${path}.channel`, 'a Slack webhook posts to its own channel');
  }
  if (entry.events_url !== undefined && entry.events_url !== PAGERDUTY_EVENTS) {
    note(
      'todo',
      `${path}.events_url`,
      'alerts are sent only to the US service of PagerDuty; use a webhook for this account',
    );
  }
  if (isSection(entry.headers) && Object.keys(entry.headers).length > 0) {
    note(
      'todo',
      `${path}.headers`,
      'custom headers are not supported; the receiver can check X-Prefixd-Signature',
    );
  }
  const handled = new Set([
    ...OURS,
    ...secrets.map(([secret]) => secret),
    'channel',
    'events_url',
    'headers',
  ]);
  for (const key of Object.keys(entry)) {
    if (!handled.has(key)) note('unknown', `${path}.${key}`, '');
  }
  return [destination];
}

/** Upstream treats an empty list as all events; here it would mean the default events. */
function migrateEvents(value: unknown, needed: boolean, note: Note): readonly string[] | undefined {
  const given = Array.isArray(value) ? value.map(String) : [];
  if (given.length === 0) {
    if (!needed) return undefined;
    note('added', 'alerting.events', "all of upstream's events, because upstream sends all if none is named");
    return [...EVENTS.values()];
  }
  return given.flatMap((event) => {
    const ours = EVENTS.get(event);
    if (ours === undefined) return [event];
    if (ours !== event) note('changed', `alerting.events: ${event}`, ours);
    return [ours];
  });
}
