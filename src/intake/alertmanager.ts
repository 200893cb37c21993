/**
 * Reads Prometheus Alertmanager's webhook (version 4), which Grafana sends, too. Each alert of the group is an event:
 * firing is a ban, resolved an unban. Alertmanager repeats firing alerts, so an alert's fingerprint identifies its hold
 * and is not an event's id; `startsAt` is not an event's time either, because it can be hours old.
 */
import { impliedProtocol } from '../core/policy/vectors.ts';
import { copyText, cutText, keptText } from '../net/text.ts';
import { isZeroTime, readTime } from '../net/time.ts';
import { addNote, type FieldNotes, portsOf, protocolFor, protocolOf } from './report-fields.ts';
import { MAX_PORTS_READ, parseGenericEvent } from './generic.ts';
import { isRecord, remainsOf, shortened } from './kept.ts';
import { invalid, type Signal, within } from './signal.ts';
import { readVector, type VectorMaps } from './vector-names.ts';
import { readVictim } from './read-victim.ts';

/** The labels (else annotations) for each value; the first one that an alert has is used. */
export interface LabelMap {
  readonly victim_ip: readonly string[];
  readonly vector: readonly string[];
  readonly protocol: readonly string[];
  readonly bps: readonly string[];
  readonly pps: readonly string[];
  readonly confidence: readonly string[];
  /** Numbers separated by commas or spaces. */
  readonly top_dst_ports: readonly string[];
  /** Numbers separated by commas or spaces. */
  readonly top_src_ports: readonly string[];
  /** `syn,!ack` */
  readonly tcp_flags: readonly string[];
  readonly source: readonly string[];
}

export const DEFAULT_LABELS: LabelMap = {
  victim_ip: ['victim_ip', 'victim', 'dst_ip', 'victim_prefix'],
  vector: ['vector', 'attack_vector', 'attack_type'],
  protocol: ['protocol'],
  bps: ['bps'],
  pps: ['pps'],
  confidence: ['confidence'],
  top_dst_ports: ['top_dst_ports', 'dst_ports', 'dst_port'],
  top_src_ports: ['top_src_ports', 'src_ports', 'src_port'],
  tcp_flags: ['tcp_flags'],
  source: ['source'],
};

/** At most this many alerts of one message are read. */
export const MAX_ALERTS = 1000;
const MAX_SOURCE = 128;
const MAX_ID = 255;

type Kind = 'grafana' | 'alertmanager';

/** One alert with the inputs for reading it. */
interface AlertGroup extends AlertTexts {
  readonly alert: Readonly<Record<string, unknown>>;
  readonly kind: Kind;
  readonly map: LabelMap;
  readonly vectorMaps: VectorMaps | undefined;
}

/**
 * Returns functions that read one alert each into a signal, in order, for the first 1,000 (see `unreadAlerts`); an
 * invalid message gives one invalid signal. Call a few at a time: all alerts of a long message take some tens of
 * milliseconds.
 */
export function alertReaders(
  json: unknown,
  labels: LabelMap = DEFAULT_LABELS,
  vectorMaps?: VectorMaps,
): readonly (() => Signal)[] {
  if (!isRecord(json)) return [() => invalid('', 'must be a JSON object')];
  const { alerts } = json;
  if (!Array.isArray(alerts)) return [() => invalid('alerts', 'must be a list of alerts')];
  const kind = kindOf(json);
  const noData = saysNoData(json);
  return alerts.slice(0, MAX_ALERTS).map((alert: unknown, i) => () => {
    if (noData) return { kind: 'ignored', why: 'no attack: the rule has no data; nothing is decided' };
    return within(`alerts[${i}]`, parseAlert(alert, json.status, kind, labels, vectorMaps));
  });
}

/** Reports that a message has more alerts than are read, or that its sender dropped some; undefined otherwise. */
export function unreadAlerts(json: unknown): Signal | undefined {
  if (!isRecord(json) || !Array.isArray(json.alerts)) return undefined;
  const { alerts, truncatedAlerts } = json;
  const kind = kindOf(json);
  const words: string[] = [];
  if (alerts.length > MAX_ALERTS) {
    words.push(
      `has ${alerts.length} alerts; the first ${MAX_ALERTS} were read and ${alerts.length - MAX_ALERTS} were not: set max_alerts of the receiver to ${MAX_ALERTS}, or group by victim`,
    );
  }
  if (typeof truncatedAlerts === 'number' && truncatedAlerts > 0) {
    words.push(`${truncatedAlerts} more were dropped by ${kind}: raise max_alerts of its receiver`);
  }
  if (words.length === 0) return undefined;
  const { groupKey, receiver, externalURL } = json;
  const remains = remainsOf(
    { groupKey, receiver, externalURL, alerts: alerts.length, truncatedAlerts },
    kind,
  );
  return invalid('alerts', words.join('; '), remains);
}

function kindOf(message: Readonly<Record<string, unknown>>): Kind {
  return 'orgId' in message ? 'grafana' : 'alertmanager';
}

function parseAlert(
  alert: unknown,
  groupStatus: unknown,
  kind: Kind,
  map: LabelMap,
  vectorMaps: VectorMaps | undefined,
): Signal {
  const unreadable = (path: string, message: string): Signal =>
    invalid(path, message, remainsOf(alert, kind));
  if (!isRecord(alert)) return unreadable('', 'must be an object');
  const status = String(alert.status ?? groupStatus).toLowerCase();
  const { labels, valueString } = alert;
  if (!isRecord(labels)) return unreadable('labels', 'must be an object');
  const annotations = isRecord(alert.annotations) ? alert.annotations : {};
  if (status !== 'firing' && status !== 'resolved') {
    // Recorded with its victim, so that somebody can look into it.
    const named = { labels, annotations, map };
    const report = { victim_ip: find(named, 'victim_ip'), vector: find(named, 'vector'), ...alert };
    return invalid('status', 'must be firing or resolved', remainsOf(report, kind));
  }
  const context: AlertGroup = { alert, status, labels, annotations, valueString, kind, map, vectorMaps };
  if (isGrafanaTest(context)) return { kind: 'ignored', why: GREETING };
  const ignored = notAnAttack(context);
  if (ignored !== undefined) return { kind: 'ignored', why: ignored };
  return parseReport(context);
}

const GREETING =
  "this is Grafana's test alert: it arrived, so the address and the token are right; nothing is decided";

/** Reads an alert. Ignores all values except the victim if they cannot be read. */
function parseReport(context: AlertGroup): Signal {
  const { alert, kind, map, status, labels } = context;
  const victim = find(context, 'victim_ip');
  if (victim === undefined) {
    if (isTestName(labels.alertname)) {
      return {
        kind: 'ignored',
        why: `${String(labels.alertname)} is a test: it arrived; nothing is decided`,
      };
    }
    const message = `none of ${map.victim_ip.join(', ')} names the address under attack`;
    return invalid('labels', message, remainsOf({ vector: find(context, 'vector'), ...alert }, kind));
  }
  const notes: FieldNotes = [];
  const source = cutText(find(context, 'source') ?? kind, MAX_SOURCE);
  const vector = vectorOf(context, source, notes);
  const reading = readVictim(victim);
  const event = {
    source,
    victim_ip: victim,
    vector,
    protocol: reading.ok ? fittingProtocol(context, vector, reading.value, notes) : undefined,
    bps: find(context, 'bps'),
    pps: find(context, 'pps'),
    confidence: find(context, 'confidence'),
    top_dst_ports: portsOf(find(context, 'top_dst_ports'), 'top_dst_ports', MAX_PORTS_READ, notes),
    top_src_ports: find(context, 'top_src_ports'),
    tcp_flags: find(context, 'tcp_flags'),
    action: status === 'firing' ? 'ban' : 'unban',
    raw_details: shortened(alert),
  };
  const signal = parseGenericEvent(event, { notes });
  if (signal.kind !== 'detection') return signal;
  return { kind: 'detection', detection: { ...signal.detection, ...lifeOf(context) } };
}

/** Returns the id, the mode and the times of the alert's hold. */
function lifeOf({ alert, labels, status }: AlertGroup) {
  const beganAt = momentOf(alert.startsAt);
  const endedAt = status === 'resolved' ? momentOf(alert.endsAt) : undefined;
  return {
    alertId: idOf(alert, labels),
    hold: 'until_released',
    ...(beganAt === undefined ? {} : { beganAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
  } as const;
}

function momentOf(value: unknown): number | undefined {
  const at = typeof value === 'string' || typeof value === 'number' ? readTime(value) : undefined;
  return at === undefined || isZeroTime(at) ? undefined : at;
}

/** Returns the fingerprint, else the labels: both stay the same from an alert's first firing until it is resolved. */
function idOf({ fingerprint }: Readonly<Record<string, unknown>>, labels: AlertGroup['labels']): string {
  if (typeof fingerprint === 'string' && fingerprint !== '') return keptText(fingerprint, MAX_ID);
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${String(value)}`);
  return identifier(pairs.sort().join(','));
}

/** Returns a text short enough for an id; for a longer one its beginning and a checksum. */
function identifier(text: string): string {
  if (text.length <= MAX_ID) return text;
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) >>> 0;
  return copyText(`${text.slice(0, MAX_ID - 30)}#${text.length}#${sum.toString(16)}`);
}

function vectorOf(context: AlertGroup, source: string, notes: FieldNotes): string {
  const name = find(context, 'vector');
  if (name === undefined) return 'unknown';
  const vector = readVector(name, [source, context.kind], context.vectorMaps);
  if (vector !== undefined) return vector;
  addNote(notes, `vector "${cutText(name, 64)}" ignored: it cannot be converted to a vector`);
  return 'unknown';
}

/** Returns the alert's protocol, unless it contradicts the vector. */
function fittingProtocol(
  context: AlertGroup,
  vector: string,
  victim: string,
  notes: FieldNotes,
): number | undefined {
  const family = victim.includes(':') ? 6 : 4;
  const said = protocolFor(protocolOf(find(context, 'protocol'), notes), family);
  const implied = impliedProtocol(vector, family);
  if (said === undefined || implied === null || said === implied) return said;
  addNote(notes, `protocol ${String(find(context, 'protocol'))} ignored: it contradicts vector ${vector}`);
  return undefined;
}

/** Returns the first value that is not empty among the mapped labels, then among the annotations. */
function find(
  { labels, annotations, map }: Pick<AlertGroup, 'labels' | 'annotations' | 'map'>,
  key: keyof LabelMap,
): string | undefined {
  for (const place of [labels, annotations]) {
    for (const name of map[key]) {
      const value = place[name];
      if (typeof value === 'string' && value.trim() !== '') return value;
      if (typeof value === 'number') return String(value);
    }
  }
  return undefined;
}

// Recognizes alerts that report no attack: Grafana's alerts about its own rules and data, and test alerts.

type Texts = Readonly<Record<string, unknown>>;

/** The fields of a webhook's alert that are used here. */
export interface AlertTexts {
  readonly status: 'firing' | 'resolved';
  readonly labels: Texts;
  readonly annotations: Texts;
  /** Grafana's rendering of the rule's values. */
  readonly valueString?: unknown;
}

const NO_DATA = 'its rule has no data';
const FAILED = 'its query failed';

/** Names of the alerts that Grafana raises when a rule has no data or its query fails. */
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
 * Reasons for resolving an alert without measuring that the attack ended. An alert whose series vanished
 * (`MissingSeries`) has ended: a query that only returns victims under attack ends no other way.
 */
const RULE_CHANGES: ReadonlyMap<string, string> = new Map([
  ['paused', 'its rule was paused'],
  ['updated', 'its rule was changed'],
  ['ruledeleted', 'its rule was deleted'],
]);

/** Keys under which Grafana, or people who write labels, give the reason for a rule's state. */
const REASON_KEYS = ['grafana_state_reason', 'state_reason'] as const;
const STATE_KEYS = ['grafana_state', 'alertstate', 'state'] as const;

/** Alerts that only test if alerts arrive. */
const TEST_NAMES = /^(test[ _-]?alert|test|watchdog|dead[ _-]?mans?[ _-]?switch)$/i;

/** Explains why an alert reports neither an attack nor its end; undefined when it may. */
export function notAnAttack(alert: AlertTexts): string | undefined {
  const state = stateOf(alert);
  if (state === undefined) return undefined;
  return alert.status === 'firing'
    ? `no attack: ${state}; nothing is decided`
    : `resolved, but not because the attack ended: ${state}; a mitigation stays until it is released, expires or is withdrawn`;
}

function stateOf({ status, labels, annotations, valueString }: AlertTexts): string | undefined {
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
  return /metric='NoData'/i.test(rendered) ? NO_DATA : undefined;
}

/** Normalizes a word: `NoData`, `no_data` and `No Data` are equal. */
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

/** True for an alert without a victim whose name marks it as a test. */
export function isTestName(name: unknown): boolean {
  return typeof name === 'string' && TEST_NAMES.test(name.slice(0, 64));
}

/** True for a message whose rule, as a whole, had no data (`state` of Grafana's message). */
export function saysNoData(message: Texts): boolean {
  return plain(message.state) === 'nodata';
}
