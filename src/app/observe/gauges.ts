/** Adds the metrics that are read at each scrape: mitigations, sessions, connections, health, process. */
import type { IntervalHistogram } from 'node:perf_hooks';
import type { Announcer } from '../../control/announcer.ts';
import type { EngineView, Recording, ReconcilerView } from '../../control/types.ts';
import { ACTION_TYPES } from '../../core/action.ts';
import {
  CLOSURES,
  CONNECTION_STATES,
  type ConnectionFigures,
  REFUSALS,
} from '../../http/connection-table.ts';
import type { ExchangeView } from '../../exchange/types.ts';
import type { JournalDatabase } from '../storage.ts';
import { targetUse } from '../../view/action-view.ts';
import type { AlertSending } from '../../view/alert-sending.ts';
import { type Assessment, HEALTH_CODES, HEALTH_STATUSES } from '../../view/health.ts';
import type { SourceStatus } from '../../view/inventory-source-view.ts';
import { PROTECTION_STATES, type ProtectionStatus } from '../../view/protection-view.ts';
import type { MetricRegistry } from './metric-registry.ts';

export interface MetricsSources {
  readonly engine: EngineView;
  readonly reconciler: ReconcilerView;
  readonly announcer: Announcer;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly version: string;
  readonly feedReaders?: () => number;
  /** Connections of the API's listener; undefined until there is one. */
  readonly connections?: () => ConnectionFigures | undefined;
  /** The state of journal writes. */
  readonly recording?: () => Recording;
  /** The database that holds the journal, if it is in one. */
  readonly database?: JournalDatabase;
  readonly assess: () => Assessment;
  /** The exchange with other POPs; absent: there is none. */
  readonly exchange?: ExchangeView | undefined;
  /** What cloud scrubbers are asked to protect. */
  readonly protections?: () => readonly ProtectionStatus[];
  /** The destinations of alerts. */
  readonly alerts?: () => readonly AlertSending[];
  /** Another system's inventory. */
  readonly source?: () => SourceStatus | undefined;
}

/** Sampling period for the event loop's delay (ms). */
export const DELAY_RESOLUTION_MS = 10;

/** Adds all of them; `delay` samples every DELAY_RESOLUTION_MS. */
export function addGauges(metrics: MetricRegistry, sources: MetricsSources, delay: IntervalHistogram): void {
  addMitigations(metrics, sources);
  addPeers(metrics, sources);
  addReconciler(metrics, sources);
  addHealth(metrics, sources);
  addConnections(metrics, sources);
  addProtections(metrics, sources);
  addAlerts(metrics, sources);
  addRecording(metrics, sources);
  if (sources.database !== undefined) addDatabase(metrics, sources.database);
  addSource(metrics, sources);
  addProcess(metrics, sources, delay);
}

function addHealth(metrics: MetricRegistry, { assess }: MetricsSources): void {
  metrics.gauge('prefixd_health', "1 for the daemon's current status, else 0", ['status'], () => {
    const { status } = assess();
    return HEALTH_STATUSES.map((one) => [{ status: one }, one === status ? 1 : 0]);
  });
  metrics.gauge('prefixd_health_reasons', 'Reasons why the status is not ok, by code', ['code'], () => {
    const { reasons } = assess();
    return HEALTH_CODES.map((code) => [{ code }, reasons.filter((one) => one.code === code).length]);
  });
}

function addProtections(metrics: MetricRegistry, { protections }: MetricsSources): void {
  metrics.gauge(
    'prefixd_scrubber_protections',
    'Prefixes that a cloud scrubber is asked to protect; those that are not confirmed are pending',
    ['scrubber', 'state'],
    () => {
      const statuses = protections?.() ?? [];
      return [...new Set(statuses.map(({ scrubber }) => scrubber))].flatMap((scrubber) =>
        PROTECTION_STATES.map((state) => {
          const count = statuses.filter((one) => one.scrubber === scrubber && one.state === state).length;
          return [{ scrubber, state }, count] as const;
        }),
      );
    },
  );
}

function addAlerts(metrics: MetricRegistry, { alerts }: MetricsSources): void {
  metrics.gauge('prefixd_alerts_waiting', 'Alerts that wait to be sent', ['destination'], () =>
    (alerts?.() ?? []).map(({ name, waiting }) => [{ destination: name }, waiting] as const),
  );
}

function addSource(metrics: MetricRegistry, { clock, source }: MetricsSources): void {
  metrics.gauge(
    'prefixd_inventory_copy_age_seconds',
    "Time since another system's inventory in use was read; absent without one",
    [],
    () => {
      const copy = source?.()?.copy;
      return copy === undefined ? [] : [[{}, Math.max(0, clock() - copy.readAt) / 1000]];
    },
  );
  metrics.gauge(
    'prefixd_inventory_last_success_timestamp_seconds',
    'Last complete read of the inventory (Unix time); absent before the first one',
    [],
    () => {
      const at = source?.()?.lastSuccessAt;
      return at === undefined ? [] : [[{}, at / 1000]];
    },
  );
  metrics.gauge(
    'prefixd_inventory_objects',
    "Entries of another system's inventory in use, by kind",
    ['kind'],
    () => Object.entries(source?.()?.copy?.size ?? {}).map(([kind, count]) => [{ kind }, count] as const),
  );
  metrics.gauge('prefixd_inventory_waiting', 'New inventories that wait for an operator: 0 or 1', [], () => {
    const status = source?.();
    return status === undefined ? [] : [[{}, status.waiting === undefined ? 0 : 1]];
  });
}

function addRecording(metrics: MetricRegistry, { clock, recording }: MetricsSources): void {
  metrics.gauge(
    'prefixd_journal_write_pending_seconds',
    'Duration so far of the journal write in progress; 0 if there is none',
    [],
    () => {
      const since = recording?.()?.writingSince ?? null;
      return [[{}, since === null ? 0 : Math.max(0, clock() - since) / 1000]];
    },
  );
  metrics.gauge(
    'prefixd_unrecorded_actions',
    'Operator actions that are in effect but not in the journal yet',
    [],
    () => [[{}, recording?.()?.unrecorded ?? 0]],
  );
}

function addDatabase(metrics: MetricRegistry, database: JournalDatabase): void {
  metrics.gauge(
    'prefixd_journal_database_up',
    'With storage.driver postgres: 1 while the journal can be written',
    [],
    () => [[{}, database.trouble() === undefined ? 1 : 0]],
  );
  metrics.total(
    'prefixd_journal_database_reconnects_total',
    "New connections to the journal's database after one was lost",
    [],
    () => [[{}, database.counts.reconnects]],
  );
  metrics.total(
    'prefixd_journal_commits_resolved_total',
    'Groups of facts whose commit was not answered, by outcome: found, repeated or refused',
    ['outcome'],
    () =>
      (['found', 'repeated', 'refused'] as const).map((outcome) => [{ outcome }, database.counts[outcome]]),
  );
  metrics.total(
    'prefixd_journal_facts_rewritten_total',
    'Acknowledged facts that the database had lost and that were written again from memory',
    [],
    () => [[{}, database.counts.rewritten]],
  );
}

function addMitigations(metrics: MetricRegistry, { engine }: MetricsSources): void {
  metrics.gauge('prefixd_mitigations_active', 'Active mitigations', ['action_type', 'pop'], () => {
    const { pop } = engine.policy;
    const counts = new Map<string, readonly [{ action_type: string; pop: string }, number]>();
    for (const type of ACTION_TYPES) counts.set(`${type} ${pop}`, [{ action_type: type, pop }, 0]);
    for (const id of engine.state.live) {
      const mitigation = engine.state.mitigations.get(id);
      if (mitigation === undefined) continue;
      const labels = { action_type: mitigation.action.type, pop: mitigation.pop };
      const key = `${labels.action_type} ${labels.pop}`;
      counts.set(key, [labels, (counts.get(key)?.[1] ?? 0) + 1]);
    }
    return counts.values();
  });
  metrics.gauge(
    'prefixd_diversions_active',
    'Active mitigations that divert to a scrubber',
    ['scrubber'],
    () => {
      const { diverted } = targetUse(engine.state);
      const names = new Set([...(engine.policy.targets?.scrubbers.keys() ?? []), ...diverted.keys()]);
      return [...names].map((scrubber) => [{ scrubber }, diverted.get(scrubber) ?? 0]);
    },
  );
  metrics.gauge('prefixd_scrubber_up', '1 while a scrubber answers its health probe', ['scrubber'], () =>
    [...(engine.policy.targets?.scrubbers.values() ?? [])].flatMap(({ name: scrubber, probe }) =>
      probe === undefined ? [] : [[{ scrubber }, engine.state.downScrubbers.has(scrubber) ? 0 : 1] as const],
    ),
  );
  metrics.gauge('prefixd_blackholes_active', 'Active mitigations that blackhole their victim', [], () => [
    [{}, targetUse(engine.state).blackholed],
  ]);
  metrics.gauge('prefixd_paused', '1 while prefixd is paused and announces nothing new', [], () => [
    [{}, engine.state.paused === undefined ? 0 : 1],
  ]);
  metrics.gauge('prefixd_dry_run', '1 while nothing is announced because of mode: dry-run', [], () => [
    [{}, engine.policy.mode === 'dry-run' ? 1 : 0],
  ]);
  metrics.gauge('prefixd_journal_seq', 'Sequence number of the newest fact', [], () => [
    [{}, engine.state.seq],
  ]);
}

function addPeers(metrics: MetricRegistry, { announcer, reconciler }: MetricsSources): void {
  const peers = () => announcer.peers();
  metrics.gauge('prefixd_bgp_session_up', '1 while the session is established', ['peer'], () =>
    peers().map((peer) => [{ peer: peer.name }, peer.state === 'established' ? 1 : 0]),
  );
  metrics.gauge(
    'prefixd_bgp_rules',
    'Rules by neighbor: routes sent or pending, and mitigations that it cannot enforce or has no room for',
    ['neighbor', 'state'],
    () =>
      reconciler
        .ruleCounts()
        .flatMap(({ neighbor, sent, pending, unsupported, overBudget }) => [
          [{ neighbor, state: 'sent' }, sent] as const,
          [{ neighbor, state: 'pending' }, pending] as const,
          [{ neighbor, state: 'unsupported' }, unsupported] as const,
          [{ neighbor, state: 'over_budget' }, overBudget] as const,
        ]),
  );
  metrics.total('prefixd_bgp_session_flaps_total', 'Times an established session was lost', ['peer'], () =>
    peers().map((peer) => [{ peer: peer.name }, peer.counters.flaps]),
  );
  metrics.total(
    'prefixd_bgp_messages_total',
    'BGP messages by type and direction',
    ['peer', 'type', 'direction'],
    () =>
      peers().flatMap(({ name, counters }) => [
        ...messageCounts(name, 'in', counters.messagesIn),
        ...messageCounts(name, 'out', counters.messagesOut),
      ]),
  );
}

function addReconciler(metrics: MetricRegistry, { reconciler }: MetricsSources): void {
  const stats = () => reconciler.stats;
  metrics.total(
    'prefixd_reconciliation_runs_total',
    'Full comparisons of desired and sent routes',
    [],
    () => [[{}, stats().runs]],
  );
  metrics.total(
    'prefixd_reconciliation_drift_total',
    'Missing or surplus routes found by full comparisons',
    [],
    () => [[{}, stats().drift]],
  );
  metrics.total('prefixd_egress_refusals_total', 'Routes refused by the egress check', [], () => [
    [{}, stats().egressRefusals],
  ]);
  metrics.gauge(
    'prefixd_reconciliation_last_duration_seconds',
    'Duration of the last full comparison',
    [],
    () => [[{}, stats().lastRunMs / 1000]],
  );
  metrics.gauge(
    'prefixd_reconciliation_last_run_timestamp_seconds',
    'Time of the last full comparison',
    [],
    () => [[{}, (stats().lastRunAt ?? 0) / 1000]],
  );
}

function addConnections(metrics: MetricRegistry, { connections }: MetricsSources): void {
  metrics.gauge('prefixd_http_connections', 'Connections to http.listen by state', ['state'], () => {
    const states = connections?.()?.states;
    return CONNECTION_STATES.map((state) => [{ state }, states?.[state] ?? 0]);
  });
  metrics.total(
    'prefixd_http_connections_refused_total',
    "Connections to http.listen that were refused: their address's share is used up, or all are in use",
    ['reason'],
    () => {
      const refused = connections?.()?.refused;
      return REFUSALS.map((reason) => [{ reason }, refused?.[reason] ?? 0]);
    },
  );
  metrics.total(
    'prefixd_http_connections_closed_total',
    'Connections to http.listen that were closed because they were too slow, or to make room (evicted)',
    ['reason'],
    () => {
      const closed = connections?.()?.closed;
      return CLOSURES.map((reason) => [{ reason }, closed?.[reason] ?? 0]);
    },
  );
}

function addProcess(
  metrics: MetricRegistry,
  { version, feedReaders }: MetricsSources,
  delay: IntervalHistogram,
): void {
  metrics.gauge('prefixd_build_info', 'Always 1', ['version'], () => [[{ version }, 1]]);
  metrics.gauge('prefixd_feed_readers', 'Readers of /v1/feed', [], () => [[{}, feedReaders?.() ?? 0]]);
  const loop = { sum: 0, count: 0 };
  metrics.summary(
    'prefixd_event_loop_delay_seconds',
    'Event loop delay: quantiles since the last scrape, sum and count since the start',
    () => {
      // The histogram holds the time between ticks, including the tick's own period.
      const seconds = (ns: number) => (ns > 0 ? Math.max(0, ns / 1e6 - DELAY_RESOLUTION_MS) / 1000 : 0);
      const quantiles = [
        [0.5, seconds(delay.percentile(50))],
        [0.99, seconds(delay.percentile(99))],
        [1, seconds(delay.max)],
      ] as const;
      if (delay.count > 0) loop.sum += seconds(delay.mean) * delay.count;
      loop.count += delay.count;
      delay.reset();
      return { quantiles, ...loop };
    },
  );
}

function messageCounts(
  peer: string,
  direction: 'in' | 'out',
  counts: Readonly<Record<string, number>>,
): (readonly [{ peer: string; type: string; direction: string }, number])[] {
  return Object.entries(counts).map(([type, count]) => [{ peer, type, direction }, count]);
}
