/** Alerts that report no attack: what Grafana sends about its own rules and data, and alerts that only test the way here. */

type Texts = Readonly<Record<string, unknown>>;

/** One alert of a webhook as far as it matters here. */
export interface AlertTexts {
  readonly status: 'firing' | 'resolved';
  readonly labels: Texts;
  readonly annotations: Texts;
  /** Grafana's rendering of the rule's values. */
  readonly valueString?: unknown;
}

const NO_DATA = 'its rule has no data';
const FAILED = 'its query failed';

/** The names of the alerts that Grafana raises when a rule has no data, or its query fails. */
const STATE_ALERTS: ReadonlyMap<string, string> = new Map([
  ['datasourcenodata', NO_DATA],
  ['datasourceerror', FAILED],
]);

/** States in which nothing was measured, whatever the alert's status is. */
const UNMEASURED: ReadonlyMap<string, string> = new Map([
  ['nodata', NO_DATA],
  ['error', FAILED],
  ['datasourceerror', FAILED],
  ['keeplast', 'its rule keeps its last state, having no data or an error'],
]);

/**
 * Why an alert was resolved although nobody measured that the attack ended. One whose series vanished (`MissingSeries`) has
 * ended: a query that only returns victims under attack ends no other way.
 */
const RULE_CHANGES: ReadonlyMap<string, string> = new Map([
  ['paused', 'its rule was paused'],
  ['updated', 'its rule was changed'],
  ['ruledeleted', 'its rule was deleted'],
]);

/** Where Grafana, and those who name it by hand, say why a rule is in its state. */
const REASON_KEYS = ['grafana_state_reason', 'state_reason'] as const;
const STATE_KEYS = ['grafana_state', 'alertstate', 'state'] as const;

/** Alerts that are raised on purpose, to see whether they arrive. */
const TEST_NAMES = /^(test[ _-]?alert|test|watchdog|dead[ _-]?mans?[ _-]?switch)$/i;

/** Why an alert is no report of an attack or of its end, in words; null when it may be one. */
export function notAnAttack(alert: AlertTexts): string | null {
  const state = stateOf(alert);
  if (state === null) return null;
  return alert.status === 'firing'
    ? `no attack: ${state}; nothing is decided`
    : `resolved, but not because the attack ended: ${state}; a mitigation stays until it is released, expires or is withdrawn`;
}

function stateOf({ status, labels, annotations, valueString }: AlertTexts): string | null {
  const named = STATE_ALERTS.get(plain(labels.alertname));
  if (named !== undefined) return named;
  for (const key of [...REASON_KEYS, ...STATE_KEYS]) {
    const changes = status === 'resolved' && REASON_KEYS.some((one) => one === key);
    for (const place of [annotations, labels]) {
      // Several reasons are separated by commas: `NoData, KeepLast`.
      for (const part of String(place[key] ?? '').split(',', 4)) {
        const word = plain(part);
        const state = UNMEASURED.get(word) ?? (changes ? RULE_CHANGES.get(word) : undefined);
        if (state !== undefined) return state;
      }
    }
  }
  const rendered = typeof valueString === 'string' ? valueString.slice(0, 4096) : '';
  return /metric='NoData'/i.test(rendered) ? NO_DATA : null;
}

/** `NoData`, `no_data` and `No Data` are one. */
function plain(text: unknown): string {
  return typeof text === 'string'
    ? text
        .slice(0, 64)
        .toLowerCase()
        .replace(/[^a-z]/g, '')
    : '';
}

/** True for the alert of Grafana's Test button. */
export function isGrafanaTest({ labels }: AlertTexts): boolean {
  return labels.alertname === 'TestAlert' && labels.instance === 'Grafana';
}

/** True for an alert without a victim that is known to be only a test. */
export function isTestName(name: unknown): boolean {
  return typeof name === 'string' && TEST_NAMES.test(name.slice(0, 64));
}

/** True for a message whose rule, as a whole, had no data (`state` of Grafana's message). */
export function saysNoData(message: Texts): boolean {
  return plain(message.state) === 'nodata';
}
