/** Runs the alert dispatcher of the active configuration, and replaces it at a reload. */
import type { Logger } from 'pino';
import type { Delivery } from '../alert/delivery-queue.ts';
import { AlertDispatcher } from '../alert/dispatcher.ts';
import { Refusals } from '../alert/refusal-digest.ts';
import type { RequestReport } from '../cloud/protection.ts';
import type { Unenforced } from '../control/types.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { StateView } from '../core/state/state.ts';
import type { Actor } from '../core/types.ts';
import {
  type AlertSending,
  type AlertTrial,
  type DeliveryRecord,
  NO_DELIVERIES,
} from '../view/alert-sending.ts';
import { realTimers } from './clock.ts';
import type { LoadedConfig } from '../config/types.ts';
import type { Metrics } from './observe/metrics.ts';

/** Time for a replaced dispatcher to deliver its waiting alerts (ms). */
const SWAP_GRACE_MS = 10_000;

interface RelayParts {
  readonly state: StateView;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'onAlert'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

export class AlertRelay {
  readonly #parts: RelayParts;
  readonly #refusals = new Refusals(realTimers);
  /** How deliveries went, by destination; a reload keeps them. */
  readonly #records = new Map<string, DeliveryRecord>();
  #dispatcher: AlertDispatcher;

  constructor(config: LoadedConfig, parts: RelayParts) {
    this.#parts = parts;
    this.#dispatcher = this.#make(config);
  }

  /** Passes on durable facts, right after they were applied to the state. */
  record(facts: readonly RecordedFact[]): void {
    this.#dispatcher.record(facts);
  }

  /** Passes on mitigations that are not enforced on some neighbor, as of `at` (ms). */
  unenforced(mitigations: readonly Unenforced[], at: number): void {
    for (const { mitigationId, neighbors } of mitigations) {
      this.#dispatcher.unenforced(mitigationId, neighbors, at);
    }
  }

  /** Passes on a request to a scrubber that has failed, no longer fails, or was given up, as of `at` (ms). */
  scrubberRequest({ status, trouble }: RequestReport, at: number): void {
    this.#dispatcher.scrubberRequest(status, { at, isOver: trouble === 'ends' });
  }

  /** Uses the new configuration for new facts; waiting alerts are sent by the old one. */
  adopt(config: LoadedConfig): void {
    const before = this.#dispatcher;
    this.#dispatcher = this.#make(config);
    void before.close(SWAP_GRACE_MS);
  }

  /** Returns the destinations, what waits for them, and how their deliveries went. */
  destinations(): readonly (AlertSending & DeliveryRecord)[] {
    return this.#dispatcher
      .destinations()
      .map((one) => ({ ...one, ...(this.#records.get(one.name) ?? NO_DELIVERIES) }));
  }

  /** Sends a destination a test message; undefined if there is no such destination. */
  async test(name: string, actor: Actor): Promise<AlertTrial | undefined> {
    const trial = await this.#dispatcher.test(name, actor, this.#parts.clock());
    if (trial === undefined) return undefined;
    const { answers } = trial;
    const fields = { destination: name, by: actor.name, answers };
    if (answers.every(({ delivered }) => delivered)) this.#parts.logger.info(fields, 'a test alert was sent');
    else this.#parts.logger.warn(fields, 'a test alert was not accepted');
    return trial;
  }

  close(graceMs: number): Promise<void> {
    this.#refusals.close();
    return this.#dispatcher.close(graceMs);
  }

  #make({ alerting, policy }: LoadedConfig): AlertDispatcher {
    return new AlertDispatcher({
      ...alerting,
      pop: policy.pop,
      find: (id) => this.#parts.state.mitigations.get(id),
      timers: realTimers,
      refusals: this.#refusals,
      random: Math.random,
      onDelivery: (delivery) => this.#onDelivery(delivery),
    });
  }

  #onDelivery({ destination, outcome, alerts, attempts, detail }: Delivery): void {
    const { metrics, logger, clock } = this.#parts;
    metrics.onAlert(destination, outcome, alerts.length);
    const record = this.#records.get(destination) ?? NO_DELIVERIES;
    this.#records.set(destination, {
      ...record,
      [outcome]: record[outcome] + alerts.length,
      ...(outcome === 'delivered' ? { deliveredAt: clock() } : { failure: { at: clock(), detail } }),
    });
    if (outcome === 'delivered') return;
    const subjects = alerts.map(({ event, subject }) => `${event} ${subject}`);
    logger.warn({ destination, outcome, attempts, detail, alerts: subjects }, 'an alert was not delivered');
  }
}
