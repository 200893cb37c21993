/** Follows the facts and sends the configured alerts to each destination. Nothing waits for it. */
import type { Fact, RecordedFact } from '../core/facts.ts';
import type { Mitigation } from '../core/types.ts';
import type { ProtectionStatus } from '../view/protection-view.ts';
import {
  type Alert,
  type AlertDestination,
  type AlertEvent,
  alertOf,
  requestAlert,
  type AlertRequest,
  unenforcedAlert,
  type UnenforcedNeighbor,
} from './alert.ts';
import { type AlertTimers, urlSecrets } from './attempt.ts';
import { DEFAULT_LIMITS, type Delivery, type DeliveryLimits, DeliveryQueue } from './delivery-queue.ts';
import { PAGERDUTY_URL, pagerdutyRequest, slackRequest, webhookRequest } from './destinations.ts';
import { makePoster, type Poster } from './post.ts';
import { Refusals } from './refusal-digest.ts';

export interface AlertOptions {
  readonly destinations: readonly AlertDestination[];
  readonly events: readonly AlertEvent[];
  readonly allowPrivateAddresses: boolean;
  readonly pop: string;
  /** Returns a mitigation's present state; also of an ended one, as long as it is remembered. */
  readonly find: (id: string) => Mitigation | undefined;
  readonly timers: AlertTimers;
  /** Returns a number from 0 to less than 1, which spreads the attempts of many daemons. */
  readonly random: () => number;
  /** Called with each alert's outcome. Must not throw. */
  readonly onDelivery: (delivery: Delivery) => void;
  readonly limits?: Partial<DeliveryLimits>;
  /** Open refusals, passed from one dispatcher to the next, so that a reload keeps them. */
  readonly refusals?: Refusals;
  readonly poster?: Poster;
  /** URL of PagerDuty's API. */
  readonly pagerdutyUrl?: string;
}

/**
 * Slack accepts about 1 message per second (https://api.slack.com/apis/rate-limits); waiting alerts share the next one.
 */
const SLACK_INTERVAL_MS = 1_000;

/** Sends the alerts of one configuration; a reload closes it and creates another. */
export class AlertDispatcher {
  readonly #options: AlertOptions;
  readonly #events: ReadonlySet<AlertEvent>;
  readonly #queues: readonly DeliveryQueue[];
  /** The events, and refusals if unenforced mitigations raise alerts. */
  readonly #orRefusals: ReadonlySet<AlertEvent>;
  readonly #poster: Poster;
  readonly #refusals: Refusals;

  constructor(options: AlertOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { allowPrivateAddresses, timers, random, onDelivery } = options;
    const poster =
      options.poster ?? makePoster({ allowPrivateAddresses, connectTimeoutMs: limits.timeoutMs });
    this.#options = options;
    this.#events = new Set(options.events);
    this.#orRefusals = this.#events.has('mitigation.unenforced')
      ? new Set([...options.events, 'mitigation.rejected' as const])
      : this.#events;
    this.#poster = poster;
    this.#refusals = options.refusals ?? new Refusals(timers);
    this.#refusals.tellTo((alert) => this.#tell(alert));
    const names = destinationNames(options.destinations);
    this.#queues = options.destinations.map(
      (destination, i) =>
        new DeliveryQueue({
          name: names[i] ?? destination.type,
          ...requestFormatOf(destination, options.pagerdutyUrl ?? PAGERDUTY_URL),
          poster,
          timers,
          random,
          onDelivery,
          limits,
        }),
    );
  }

  /** Number of waiting alerts, for all destinations. */
  get waiting(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.waiting, 0);
  }

  /** Takes durable facts right after they have changed the state. Never throws and never waits. */
  record(facts: readonly RecordedFact[]): void {
    if (this.#queues.length === 0) return;
    const { pop, find } = this.#options;
    for (const fact of facts) {
      const protectedNow = victimProtectedBy(fact.fact, find);
      if (protectedNow !== undefined) this.#refusals.mitigated(protectedNow, fact.at);
      const alert = alertOf(fact, leavesUnprotected(fact.fact) ? this.#orRefusals : this.#events, pop, find);
      if (alert?.event === 'mitigation.rejected') this.#refusals.refused(alert);
      else if (alert !== undefined) this.#tell(alert);
    }
  }

  #tell(alert: Alert): void {
    for (const [i, queue] of this.#queues.entries()) {
      if (alert.resolves === true && this.#options.destinations[i]?.type !== 'pagerduty') continue;
      queue.add(alert);
    }
  }

  /** Reports that these neighbors do not enforce a mitigation, as of `at` (ms). Never throws and never waits. */
  unenforced(id: string, neighbors: readonly UnenforcedNeighbor[], at: number): void {
    if (!this.#events.has('mitigation.unenforced')) return;
    const { pop, find } = this.#options;
    const alert = unenforcedAlert(id, find(id), neighbors, at, pop);
    this.#tell(alert);
  }

  /** Reports that a request to a scrubber has failed, or no longer fails. Never throws and never waits. */
  scrubberRequest(status: ProtectionStatus, when: { readonly at: number; readonly isOver: boolean }): void {
    if (!this.#events.has('scrubber.request_failed')) return;
    const { pop, find } = this.#options;
    this.#tell(requestAlert(status, find(status.mitigationId), when, pop));
  }

  /** Tries for at most `graceMs` to deliver the waiting alerts; the rest is reported as dropped. */
  async close(graceMs: number): Promise<void> {
    // The next dispatcher reports refusals that are passed on.
    if (this.#options.refusals === undefined) this.#refusals.close();
    await Promise.all(this.#queues.map((queue) => queue.close(graceMs)));
    await this.#poster.close();
  }
}

interface RequestFormat {
  readonly requestOf: (alerts: readonly Alert[]) => AlertRequest;
  readonly batch: number;
  readonly intervalMs?: number;
  readonly secrets: readonly string[];
}

function requestFormatOf(destination: AlertDestination, pagerdutyUrl: string): RequestFormat {
  switch (destination.type) {
    case 'slack': {
      const { webhookUrl } = destination;
      return {
        requestOf: (alerts) => slackRequest(alerts, webhookUrl),
        batch: Number.POSITIVE_INFINITY,
        intervalMs: SLACK_INTERVAL_MS,
        secrets: urlSecrets(webhookUrl),
      };
    }
    case 'pagerduty':
      return {
        requestOf: ([alert]) => pagerdutyRequest(only(alert), destination.routingKey, pagerdutyUrl),
        batch: 1,
        secrets: [destination.routingKey],
      };
    case 'webhook': {
      const { url, secret } = destination;
      return {
        requestOf: ([alert]) => webhookRequest(only(alert), url, secret),
        batch: 1,
        secrets: [...urlSecrets(url), ...(secret === undefined ? [] : [secret])],
      };
    }
  }
}

function only(alert: Alert | undefined): Alert {
  if (alert === undefined) throw new RangeError('a request needs an alert');
  return alert;
}

/** Names destinations by type: `slack`, `webhook`, and `webhook-2` for the second of a type. */
function destinationNames(destinations: readonly AlertDestination[]): readonly string[] {
  const counts = new Map<string, number>();
  return destinations.map(({ type }) => {
    const count = (counts.get(type) ?? 0) + 1;
    counts.set(type, count);
    return count === 1 ? type : `${type}-${count}`;
  });
}

/** Returns the victim (an address or a prefix) that is protected from this fact on; undefined for other facts. */
function victimProtectedBy(fact: Fact, find: AlertOptions['find']): string | undefined {
  if (fact.type === 'mitigation.created' || fact.type === 'mitigation.imported')
    return fact.mitigation.victim;
  return fact.type === 'mitigation.widened' ? find(fact.id)?.victim : undefined;
}

/**
 * True for a refusal that leaves a victim unprotected only because a quota is used up or no neighbor can enforce a
 * rule.
 */
function leavesUnprotected(fact: Fact): boolean {
  if (fact.type !== 'mitigation.rejected') return false;
  const { reason } = fact.mitigation;
  return reason.startsWith('quota_') || reason === 'not_enforceable';
}
