/** Runs the alert dispatcher of the active configuration, and replaces it at a reload. */
import type { Logger } from 'pino';
import type { Delivery } from '../alert/delivery-queue.ts';
import { AlertDispatcher } from '../alert/dispatcher.ts';
import { Refusals } from '../alert/refusal-digest.ts';
import type { RequestReport } from '../cloud/protection.ts';
import type { Unenforced } from '../control/types.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { StateView } from '../core/state/state.ts';
import { realTimers } from './clock.ts';
import type { LoadedConfig } from '../config/types.ts';
import type { Metrics } from './observe/metrics.ts';

/** Time for a replaced dispatcher to deliver its waiting alerts (ms). */
const SWAP_GRACE_MS = 10_000;

export class AlertRelay {
  readonly #state: StateView;
  readonly #logger: Logger;
  readonly #metrics: Pick<Metrics, 'onAlert'>;
  readonly #refusals = new Refusals(realTimers);
  #dispatcher: AlertDispatcher;

  constructor(config: LoadedConfig, state: StateView, logger: Logger, metrics: Pick<Metrics, 'onAlert'>) {
    this.#state = state;
    this.#logger = logger;
    this.#metrics = metrics;
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

  close(graceMs: number): Promise<void> {
    this.#refusals.close();
    return this.#dispatcher.close(graceMs);
  }

  #make({ alerting, policy }: LoadedConfig): AlertDispatcher {
    return new AlertDispatcher({
      ...alerting,
      pop: policy.pop,
      find: (id) => this.#state.mitigations.get(id),
      timers: realTimers,
      refusals: this.#refusals,
      random: Math.random,
      onDelivery: (delivery) => this.#onDelivery(delivery),
    });
  }

  #onDelivery({ destination, outcome, alerts, attempts, detail }: Delivery): void {
    this.#metrics.onAlert(destination, outcome, alerts.length);
    if (outcome === 'delivered') return;
    const subjects = alerts.map(({ event, subject }) => `${event} ${subject}`);
    this.#logger.warn(
      { destination, outcome, attempts, detail, alerts: subjects },
      'an alert was not delivered',
    );
  }
}
