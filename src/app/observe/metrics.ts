/**
 * Provides metrics in the Prometheus text format. Reads the rooms' values at each scrape and counts facts, routes and
 * requests; the rooms do not know about it. Bounds labels from outside, so that no sender can make the number of series
 * grow.
 */
import type { SyncReport } from '../../inventory/inventory-sync.ts';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Counter, Histogram } from 'prom-client';
import type { RequestReport, RequestResult } from '../../cloud/protection.ts';
import type { RecordedFact } from '../../core/facts.ts';
import { KNOWN_VECTORS } from '../../core/policy/vectors.ts';
import type { RefusalReason } from '../../core/types.ts';
import type { RequestObservation, WebhookOutcome } from '../../http/dependencies.ts';
import type { WorkClass } from '../../http/turns.ts';
import { forgetOldest } from '../../net/queue.ts';
import { ExchangeMetrics } from './exchange-metrics.ts';
import { addGauges, DELAY_RESOLUTION_MS, type MetricsSources } from './gauges.ts';
import { MetricRegistry } from './metric-registry.ts';

/** Maximum number of distinct sources, and of vectors beyond the known ones, with their own series. */
const MAX_SOURCES = 32;
const MAX_OTHER_VECTORS = 16;

const REASONS: Readonly<Record<RefusalReason, true>> = {
  safelisted: true,
  not_unicast: true,
  not_in_inventory: true,
  prefix_length: true,
  ttl_out_of_bounds: true,
  too_many_ports: true,
  protected: true,
  quota_customer: true,
  quota_pop: true,
  quota_global: true,
  quota_rate: true,
  rule_too_broad: true,
  not_enforceable: true,
  action_not_allowed: true,
  scrubber_unhealthy: true,
  quota_diverted: true,
  quota_blackholed: true,
  invalid_report: true,
  import_not_accepted: true,
  quota_imported: true,
  import_withdrawn: true,
  paused: true,
};

const FAST = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** The result of an alert's delivery. */
type AlertOutcome = 'delivered' | 'failed' | 'dropped';

/**
 * The metrics of one daemon. The constructor subscribes, before the reconciler starts, so that a decision is known here
 * before its routes are sent; `stop` unsubscribes.
 */
export class Metrics {
  readonly #registry = new MetricRegistry();
  readonly #delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  readonly #subscriptions: readonly (() => void)[];
  readonly #sourceLabels = new LabelBudget(MAX_SOURCES);
  readonly #vectorLabels = new LabelBudget(MAX_OTHER_VECTORS, KNOWN_VECTORS);
  readonly #latency: UpdateLatency;

  readonly #events: Counter<'source' | 'vector'>;
  readonly #announcements: Counter<'peer' | 'status'>;
  readonly #rejections: Counter<'reason'>;
  readonly #facts: Counter<'type'>;
  readonly #requests: Counter<'method' | 'route' | 'code'>;
  readonly #shed: Counter<'class'>;
  readonly #webhooks: Counter<'webhook' | 'outcome'>;
  readonly #requestSeconds: Histogram<'route'>;
  readonly #fsyncSeconds: Histogram;
  readonly #alerts: Counter<'destination' | 'outcome'>;
  readonly #exchange: ExchangeMetrics | undefined;
  readonly #scrubberRequests: Counter<'scrubber' | 'request' | 'result'>;
  readonly #inventoryReads: Counter<'result'>;

  constructor(sources: MetricsSources) {
    this.#events = this.#registry.counter('prefixd_events_ingested_total', 'Events that detectors reported', [
      'source',
      'vector',
    ]);
    this.#announcements = this.#registry.counter(
      'prefixd_announcements_total',
      'Routes sent to neighbors, by status: announced or withdrawn',
      ['peer', 'status'],
    );
    this.#rejections = this.#registry.counter(
      'prefixd_guardrail_rejections_total',
      'Refused reports and mitigations, by reason',
      ['reason'],
    );
    for (const reason of Object.keys(REASONS)) this.#rejections.inc({ reason }, 0);
    this.#facts = this.#registry.counter('prefixd_facts_total', 'Facts written to the journal', ['type']);
    this.#requests = this.#registry.counter('prefixd_http_requests_total', 'HTTP requests answered', [
      'method',
      'route',
      'code',
    ]);
    this.#shed = this.#registry.counter(
      'prefixd_http_requests_shed_total',
      'Requests refused because of overload or too many requests at one time, by class: read or event',
      ['class'],
    );
    for (const work of ['read', 'event'] as const) this.#shed.inc({ class: work }, 0);
    this.#webhooks = this.#registry.counter(
      'prefixd_webhook_documents_total',
      'Documents that webhooks received, by outcome: events, nothing, refused or unreadable',
      ['webhook', 'outcome'],
    );
    this.#alerts = this.#registry.counter(
      'prefixd_alerts_sent_total',
      'Alerts by outcome of their delivery',
      ['destination', 'outcome'],
    );
    this.#scrubberRequests = this.#registry.counter(
      'prefixd_scrubber_requests_total',
      'Requests to cloud scrubbers to start or stop protection, by result of each attempt',
      ['scrubber', 'request', 'result'],
    );
    this.#inventoryReads = this.#registry.counter(
      'prefixd_inventory_reads_total',
      "Reads of another system's inventory, by result: unchanged, adopted, waiting or failed",
      ['result'],
    );
    this.#requestSeconds = this.#registry.histogram(
      'prefixd_http_request_duration_seconds',
      'Time from a request to the end of its answer',
      FAST,
      ['route'],
    );
    this.#fsyncSeconds = this.#registry.histogram(
      'prefixd_journal_fsync_seconds',
      'Time to write a group of facts and make it durable',
      FAST,
    );
    const updateSeconds = this.#registry.histogram(
      'prefixd_event_to_update_seconds',
      'Time from the decision on an event to the first UPDATE with its rule, including making it durable',
      FAST,
    );
    this.#latency = new UpdateLatency(sources.clock, (seconds) => updateSeconds.observe(seconds));
    addGauges(this.#registry, sources, this.#delay);
    this.#exchange = sources.exchange && new ExchangeMetrics(this.#registry, sources.exchange);
    this.#delay.enable();
    this.#registry.addProcessMetrics();
    this.#subscriptions = [
      sources.engine.followFirst((facts) => {
        for (const fact of facts) this.#latency.decided(fact);
      }),
      sources.engine.follow((facts) => {
        for (const fact of facts) this.#count(fact);
      }),
      sources.announcer.subscribe({
        onSent: (peer, announced, withdrawn) => {
          if (announced.length > 0) this.#announcements.inc({ peer, status: 'announced' }, announced.length);
          if (withdrawn.length > 0) this.#announcements.inc({ peer, status: 'withdrawn' }, withdrawn.length);
          for (const route of announced) this.#latency.sent(route.owner);
        },
      }),
    ];
  }

  /** Returns all metrics for one scrape. */
  async scrape(): Promise<{ readonly contentType: string; readonly body: string }> {
    return {
      contentType: this.#registry.registry.contentType,
      body: await this.#registry.registry.metrics(),
    };
  }

  /** Counts a document of a webhook; the names are those of the configuration. */
  onWebhook(webhook: string, outcome: WebhookOutcome): void {
    this.#webhooks.inc({ webhook, outcome });
  }

  /** Counts an answered request. */
  onRequest({ method, route, status, seconds }: RequestObservation): void {
    this.#requests.inc({ method, route, code: String(status) });
    this.#requestSeconds.observe({ route }, seconds);
  }

  /** Counts a request that was refused because of overload. */
  onShed(work: WorkClass): void {
    this.#shed.inc({ class: work });
  }

  /** Records the time that the store took to make a group of facts durable (ms). */
  onAppended(_facts: number, milliseconds: number): void {
    this.#fsyncSeconds.observe(milliseconds / 1000);
  }

  /** Counts alerts. `destination` comes from the configuration. */
  onAlert(destination: string, outcome: AlertOutcome, count = 1): void {
    this.#alerts.inc({ destination, outcome }, count);
  }

  /** Records the time from a mitigation's publication at another POP to its import here (ms). */
  onImported(ageMs: number): void {
    this.#exchange?.onImported(ageMs);
  }

  /** Counts versions of mitigations that were published. */
  onPublished(count: number): void {
    this.#exchange?.onPublished(count);
  }

  /** Counts an attempt to start or stop protection. `scrubber` comes from the configuration. */
  onScrubberRequest(scrubber: string, request: RequestReport['request'], result: RequestResult): void {
    this.#scrubberRequests.inc({ scrubber, request, result });
  }

  /** Counts a read of another system's inventory. */
  onInventoryRead(result: SyncReport['type']): void {
    if (result !== 'recovered') this.#inventoryReads.inc({ result });
  }

  /** Stops counting. */
  stop(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#delay.disable();
  }

  #count(recorded: RecordedFact): void {
    const { fact } = recorded;
    this.#facts.inc({ type: fact.type });
    if (fact.type === 'event.received') {
      const { detection, refusal } = fact.event;
      const source = this.#sourceLabels.label(detection.source);
      this.#events.inc({ source, vector: this.#vectorLabels.label(detection.vector) });
      if (refusal !== null) this.#rejections.inc({ reason: refusal });
    }
    if (fact.type === 'import.refused') {
      this.#rejections.inc({ reason: fact.reason });
      this.#exchange?.onRefused(fact.reason);
    }
    // A refused event is counted above; this counts operators' own mitigations.
    if (fact.type === 'mitigation.rejected' && fact.mitigation.triggeringEventId === null) {
      this.#rejections.inc({ reason: fact.mitigation.reason });
    }
  }
}

// A budget for labels with values from outside.

/** The label for values beyond the budget. */
export const OTHER = 'other';

/** Keeps the known values and the first `max` other values as labels; replaces the rest with `other`. */
export class LabelBudget {
  readonly #values: Set<string>;
  readonly #max: number;

  constructor(max: number, known: Iterable<string> = []) {
    this.#values = new Set(known);
    this.#max = this.#values.size + max;
  }

  label(value: string): string {
    if (this.#values.has(value)) return value;
    if (this.#values.size >= this.#max) return OTHER;
    this.#values.add(value);
    return value;
  }
}

// Time from a decision to its first UPDATE.

/** Maximum number of remembered decisions that are not sent yet; beyond it, the oldest is not measured. */
const MAX_WAITING = 10_000;

/** Pairs each decision that changes a rule with the first UPDATE that carries it. */
export class UpdateLatency {
  /** Decision time of each mitigation's newest change (ms), until it is first sent. */
  readonly #waiting = new Map<string, number>();
  readonly #clock: () => number;
  readonly #observe: (seconds: number) => void;

  constructor(clock: () => number, observe: (seconds: number) => void) {
    this.#clock = clock;
    this.#observe = observe;
  }

  decided({ at, fact }: RecordedFact): void {
    switch (fact.type) {
      case 'mitigation.created':
      case 'mitigation.imported':
        if (!fact.mitigation.dryRun) this.#remember(fact.mitigation.id, at);
        break;
      case 'mitigation.widened':
      case 'mitigation.escalated':
        this.#remember(fact.id, at);
        break;
      case 'mitigation.ending':
        this.#waiting.delete(fact.id);
        break;
    }
  }

  /** Records that a route of this mitigation was passed to the transport. */
  sent(mitigationId: string): void {
    const at = this.#waiting.get(mitigationId);
    if (at === undefined) return;
    this.#waiting.delete(mitigationId);
    this.#observe(Math.max(0, this.#clock() - at) / 1000);
  }

  #remember(id: string, at: number): void {
    this.#waiting.delete(id);
    this.#waiting.set(id, at);
    forgetOldest(this.#waiting, MAX_WAITING);
  }
}
