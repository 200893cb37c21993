/** Follows the facts and sends the configured alerts to each destination. Nothing waits for it. */
import type { Fact, RecordedFact } from '../core/facts.ts';
import type { Actor, Mitigation } from '../core/types.ts';
import type { ProtectionStatus } from '../view/protection-view.ts';
import type { AlertSending, AlertTrial } from '../view/alert-sending.ts';
import {
  type Alert,
  type AlertEvent,
  alertOf,
  requestAlert,
  testAlert,
  unenforcedAlert,
  type UnenforcedNeighbor,
} from './alert.ts';
import { type AlertDestination, destinationNames } from './alert-destination.ts';
import type { AlertTimers } from './attempt.ts';
import { DEFAULT_LIMITS, type Delivery, type DeliveryLimits, DeliveryQueue } from './delivery-queue.ts';
import { type ApiUrls, type DestinationFormat, formatOf } from './destinations.ts';
import { makePoster, type Poster } from './post.ts';
import { Refusals } from './refusal-digest.ts';
import { type AlertRoute, isRouted, routeOf } from './routing.ts';
import { tryDestination } from './trial.ts';

export interface AlertOptions extends ApiUrls {
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
}

/** A destination, the alerts that it gets, and those that wait for it. */
interface Station {
  readonly name: string;
  readonly destination: AlertDestination;
  readonly route: AlertRoute;
  readonly format: DestinationFormat;
  readonly queue: DeliveryQueue;
}

/** A digest counts what it does not show, so it may gather more than a queue that only waits for its turn. */
const DIGEST_CAPACITY = 10_000;

/** Sends the alerts of one configuration; a reload closes it and creates another. */
export class AlertDispatcher {
  readonly #options: AlertOptions;
  /** The events of all destinations. */
  readonly #events: ReadonlySet<AlertEvent>;
  readonly #stations: readonly Station[];
  readonly #limits: DeliveryLimits;
  readonly #poster: Poster;
  readonly #refusals: Refusals;

  constructor(options: AlertOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { allowPrivateAddresses, timers } = options;
    this.#options = options;
    this.#limits = limits;
    this.#poster =
      options.poster ?? makePoster({ allowPrivateAddresses, connectTimeoutMs: limits.timeoutMs });
    this.#refusals = options.refusals ?? new Refusals(timers);
    this.#refusals.tellTo((alert) => this.#tell(alert));
    const names = destinationNames(options.destinations);
    this.#stations = options.destinations.map((destination, i) =>
      this.#station(destination, names[i] ?? destination.type),
    );
    this.#events = new Set(this.#stations.flatMap(({ route }) => [...route.events]));
  }

  #station(destination: AlertDestination, name: string): Station {
    const { timers, random, onDelivery, events } = this.#options;
    const { digestSeconds } = destination;
    const format = formatOf(destination, this.#options);
    const digest = digestSeconds === undefined ? {} : { gatherMs: digestSeconds * 1000 };
    const limits =
      digestSeconds === undefined ? this.#limits : { ...this.#limits, capacity: DIGEST_CAPACITY };
    const queue = new DeliveryQueue({
      ...format,
      ...digest,
      name,
      poster: this.#poster,
      timers,
      random,
      onDelivery,
      limits,
    });
    return { name, destination, route: routeOf(destination, events), format, queue };
  }

  /** Number of waiting alerts, for all destinations. */
  get waiting(): number {
    return this.#stations.reduce((sum, { queue }) => sum + queue.waiting, 0);
  }

  /** Takes durable facts right after they have changed the state. Never throws and never waits. */
  record(facts: readonly RecordedFact[]): void {
    if (this.#stations.length === 0) return;
    const { pop, find } = this.#options;
    for (const fact of facts) {
      const protectedNow = victimProtectedBy(fact.fact, find);
      if (protectedNow !== undefined) this.#refusals.mitigated(protectedNow, fact.at);
      const alert = alertOf(fact, this.#events, pop, find);
      if (alert?.event === 'mitigation.rejected') this.#refusals.refused(alert);
      else if (alert !== undefined) this.#tell(alert);
    }
  }

  #tell(alert: Alert): void {
    for (const { route, queue } of this.#stations) if (isRouted(alert, route)) queue.add(alert);
  }

  /** Returns the destinations and what waits for them. */
  destinations(): readonly AlertSending[] {
    return this.#stations.map(({ name, destination, route, queue }) => ({
      name,
      type: destination.type,
      events: [...route.events],
      customers: route.customers === undefined ? undefined : [...route.customers],
      minSeverity: route.minSeverity,
      digestSeconds: destination.digestSeconds,
      waiting: queue.waiting,
    }));
  }

  /**
   * Sends a destination a test message at once, ahead of what waits for it and whatever its rules are. Undefined if no
   * destination has this name.
   */
  async test(name: string, actor: Actor, at: number): Promise<AlertTrial | undefined> {
    const station = this.#stations.find((one) => one.name === name);
    if (station === undefined) return undefined;
    const { format, route, destination } = station;
    const answers = await tryDestination(testAlert(actor, at, this.#options.pop), {
      format,
      hasIncidents: route.hasIncidents,
      poster: this.#poster,
      timers: this.#options.timers,
      timeoutMs: this.#limits.timeoutMs,
    });
    return { name, type: destination.type, answers };
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
    await Promise.all(this.#stations.map(({ queue }) => queue.close(graceMs)));
    await this.#poster.close();
  }
}

/** Returns the victim (an address or a prefix) that is protected from this fact on; undefined for other facts. */
function victimProtectedBy(fact: Fact, find: AlertOptions['find']): string | undefined {
  if (fact.type === 'mitigation.created' || fact.type === 'mitigation.imported')
    return fact.mitigation.victim;
  return fact.type === 'mitigation.widened' ? find(fact.id)?.victim : undefined;
}
