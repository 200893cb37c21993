/** Checks `alerting`: names, addresses and rules of the destinations. */

import type { AlertEvent } from '../../alert/alert.ts';
import { destinationNames } from '../../alert/alert-destination.ts';
import { isPrivateHost } from '../../alert/post.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { likely } from '../../net/nearest.ts';
import type { Findings, Path } from '../config-problem.ts';
import type { DeepPartial } from '../parse-partial.ts';
import type { Settings } from '../schema/prefixd-schema.ts';

type DestinationEntry = Settings['alerting']['destinations'][number];

const at = (i: number, key: string): Path => ['alerting', 'destinations', i, key];

/** Checks what needs no other section, also of a file with other errors. */
export function destinationChecks(settings: DeepPartial<Settings>, found: Findings): void {
  const allowed = settings.alerting?.allow_private_addresses ?? false;
  for (const [i, destination] of (settings.alerting?.destinations ?? []).entries()) {
    if (destination?.type !== 'webhook') continue;
    const { url: text, url_env: variable } = destination;
    const path = at(i, 'url');
    if (text !== undefined && variable !== undefined) {
      found.problem(path, 'url and url_env are both set', 'remove one of the two');
    }
    if (text === undefined && variable === undefined) {
      found.problem(
        path,
        'required key url is missing',
        'add url: a URL that begins with https://, or url_env',
      );
    }
    if (text === undefined) continue;
    const url = new URL(text);
    if (!allowed && isPrivateHost(url.hostname)) {
      found.problem(
        path,
        `${url.hostname} is a private address`,
        'use a public address; alerting.allow_private_addresses controls private ones',
      );
    } else if (url.protocol === 'http:') {
      found.warning(path, 'alerts are sent unencrypted', 'use https://');
    }
  }
}

/** Checks the destinations' names and rules. */
export function routingChecks(settings: Settings, policy: Policy, found: Findings): void {
  const { destinations } = settings.alerting;
  const names = destinationNames(destinations);
  for (const [i, destination] of destinations.entries()) {
    const name = names[i] ?? '';
    if (names.indexOf(name) < i) {
      found.problem(at(i, 'name'), `"${name}" is the name of two destinations`, 'give it another name');
    }
    eventChecks(destination, i, found);
    customerChecks(destination, i, policy, found);
  }
  scrubberChecks(settings, found);
}

/** Events that open the incident of a mitigation, and those that close it. */
const OPENS: ReadonlySet<AlertEvent> = new Set<AlertEvent>([
  'mitigation.created',
  'mitigation.imported',
  'mitigation.extended',
  'mitigation.widened',
  'mitigation.escalated',
  'mitigation.unenforced',
]);
const ENDS: readonly AlertEvent[] = ['mitigation.withdrawn', 'mitigation.expired'];

function customerChecks(
  { customers = [] }: DestinationEntry,
  i: number,
  { inventory }: Policy,
  found: Findings,
): void {
  const known = inventory.data.customers.map(({ customer_id: id }) => id);
  for (const [k, customer] of customers.entries()) {
    if (known.includes(customer)) continue;
    const guess = likely(customer, known);
    const fix = guess === undefined ? 'add the customer, or remove this entry' : `did you mean "${guess}"?`;
    found.warning([...at(i, 'customers'), k], `there is no customer "${customer}" in the inventory`, fix);
  }
}

function eventChecks({ type, events }: DestinationEntry, i: number, found: Findings): void {
  if (events === undefined) return;
  if (events.length === 0) {
    found.warning(at(i, 'events'), 'no alert is sent to this destination', 'name events, or omit this key');
  }
  if (type !== 'pagerduty' && type !== 'opsgenie') return;
  const missing = ENDS.filter((end) => !events.includes(end));
  if (!events.some((event) => OPENS.has(event)) || missing.length === 0) return;
  const what = 'incidents of some mitigations are not closed when they end';
  found.warning(at(i, 'events'), what, `add ${missing.join(' and ')}`);
}

/** Warns if alerts are sent, but none about a scrubber that fails. */
function scrubberChecks({ scrubbers, alerting }: Settings, found: Findings): void {
  const { destinations, events } = alerting;
  if (destinations.length === 0) return;
  const sent = new Set(destinations.flatMap((destination) => destination.events ?? events));
  const wanted = [
    { event: 'scrubber.down', is: scrubbers.some(({ probe }) => probe !== undefined) },
    { event: 'scrubber.request_failed', is: scrubbers.some(({ requests }) => requests !== undefined) },
  ] as const;
  for (const { event, is } of wanted) {
    if (!is || sent.has(event)) continue;
    const what =
      event === 'scrubber.down'
        ? 'a scrubber that fails its probe'
        : 'a request that a scrubber does not accept';
    found.warning(['alerting', 'events'], `no alert is sent about ${what}`, `add ${event}`);
  }
}
