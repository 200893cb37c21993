/** Adds the metrics of the exchange with other POPs; a daemon without an exchange has none of them. */
import type { Counter, Histogram } from 'prom-client';
import type { RefusalReason } from '../../core/types.ts';
import type { ExchangeView } from '../../exchange/types.ts';
import type { MetricRegistry } from './metric-registry.ts';

/** Bounds of the time from a publication to its import (s). */
const IMPORT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

export class ExchangeMetrics {
  readonly #importSeconds: Histogram;
  readonly #published: Counter;
  readonly #refused: Counter<'reason'>;

  constructor(registry: MetricRegistry, exchange: ExchangeView) {
    addGauges(registry, exchange);
    this.#importSeconds = registry.histogram(
      'prefixd_exchange_import_seconds',
      'Time from the publication of a mitigation at another POP to its import here',
      IMPORT_SECONDS,
    );
    this.#published = registry.counter(
      'prefixd_exchange_published_total',
      'Versions of mitigations that this POP published',
    );
    this.#refused = registry.counter(
      'prefixd_exchange_imports_refused_total',
      'Mitigations of other POPs that this POP refused, by reason',
      ['reason'],
    );
  }

  onImported(ageMs: number): void {
    this.#importSeconds.observe(ageMs / 1000);
  }

  onPublished(count: number): void {
    this.#published.inc(count);
  }

  onRefused(reason: RefusalReason): void {
    this.#refused.inc({ reason });
  }
}

function addGauges(registry: MetricRegistry, exchange: ExchangeView): void {
  const others = () => exchange.pops().filter(({ isSelf }) => !isSelf);
  registry.gauge(
    'prefixd_exchange_up',
    "1 while this POP is connected to the exchange's database and has its name's lock",
    [],
    () => [[{}, exchange.condition.state === 'connected' ? 1 : 0]],
  );
  registry.gauge(
    'prefixd_exchange_lag_seconds',
    'Time since the last heartbeat of an accepted POP up to which everything was imported; +Inf: none since the start',
    ['pop'],
    () =>
      others().flatMap(({ name, isAccepted, lagMs }) =>
        isAccepted ? [[{ pop: name }, (lagMs ?? Number.POSITIVE_INFINITY) / 1000] as const] : [],
      ),
  );
  registry.gauge(
    'prefixd_exchange_imported',
    'Active mitigations here that another POP decided',
    ['pop'],
    () => others().map(({ name, imported }) => [{ pop: name }, imported]),
  );
  registry.gauge(
    'prefixd_exchange_unconfirmed_requests',
    'Requests of this POP that some POP has not done',
    [],
    () => [[{}, exchange.openRequests().length]],
  );
  registry.total(
    'prefixd_exchange_unreadable_total',
    'Messages of another POP that this version cannot read',
    ['pop'],
    () => others().map(({ name, unreadable }) => [{ pop: name }, unreadable]),
  );
}
