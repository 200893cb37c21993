/**
 * Prometheus Alertmanager's webhook (version 4), which Grafana speaks too: each alert of the group is an event of its own,
 * firing a ban and resolved an unban. Alertmanager repeats what fires, which is what keeps a mitigation alive, so an alert's
 * fingerprint is not taken for an event's id; nor is `startsAt` its time, which stays hours behind.
 */
import { isRecord, parseGenericEvent } from './generic.ts';
import { invalid, type Signal, within } from './signal.ts';

/** Which labels (else annotations) say what; the first that an alert has counts. */
export interface LabelMap {
  readonly victim_ip: readonly string[];
  readonly vector: readonly string[];
  readonly protocol: readonly string[];
  readonly bps: readonly string[];
  readonly pps: readonly string[];
  readonly confidence: readonly string[];
  /** Numbers separated by commas or spaces. */
  readonly top_dst_ports: readonly string[];
  readonly source: readonly string[];
}

export const DEFAULT_LABELS: LabelMap = {
  victim_ip: ['victim_ip', 'victim', 'dst_ip'],
  vector: ['vector', 'attack_vector', 'attack_type'],
  protocol: ['protocol'],
  bps: ['bps'],
  pps: ['pps'],
  confidence: ['confidence'],
  top_dst_ports: ['top_dst_ports', 'dst_ports', 'dst_port'],
  source: ['source'],
};

/** So many alerts of one message are read. */
const MAX_ALERTS = 1000;

/**
 * What reads one signal an alert, in order; a message that is none is one invalid signal. To be called a few at a time: all
 * alerts of a long message together take some tens of milliseconds.
 */
export function alertReaders(json: unknown, labels: LabelMap = DEFAULT_LABELS): readonly (() => Signal)[] {
  if (!isRecord(json)) return [() => invalid('', 'must be a JSON object')];
  const { alerts } = json;
  if (!Array.isArray(alerts)) return [() => invalid('alerts', 'must be a list of alerts')];
  if (alerts.length > MAX_ALERTS)
    return [() => invalid('alerts', `has ${alerts.length} alerts, more than ${MAX_ALERTS}`)];
  const source = 'orgId' in json ? 'grafana' : 'alertmanager';
  return alerts.map((alert: unknown, i) => () => within(`alerts[${i}]`, parseAlert(alert, source, labels)));
}

function parseAlert(alert: unknown, source: string, map: LabelMap): Signal {
  if (!isRecord(alert)) return invalid('', 'must be an object');
  const { status, labels } = alert;
  if (status !== 'firing' && status !== 'resolved') return invalid('status', 'must be firing or resolved');
  if (!isRecord(labels)) return invalid('labels', 'must be an object');
  const annotations = isRecord(alert.annotations) ? alert.annotations : {};
  const find = (key: keyof LabelMap): string | undefined => {
    for (const place of [labels, annotations]) {
      for (const name of map[key]) {
        const value = place[name];
        if (typeof value === 'string' && value !== '') return value;
      }
    }
    return undefined;
  };
  const victim = find('victim_ip');
  if (victim === undefined) {
    return invalid('labels', `none of ${map.victim_ip.join(', ')} names the address under attack`);
  }
  const ports = find('top_dst_ports')
    ?.split(/[,\s]+/)
    .filter((part) => part !== '');
  return parseGenericEvent({
    source: find('source') ?? source,
    victim_ip: victim,
    vector: find('vector') ?? 'unknown',
    protocol: find('protocol'),
    bps: numeric(find('bps')),
    pps: numeric(find('pps')),
    confidence: numeric(find('confidence')),
    top_dst_ports: ports?.map(Number),
    action: status === 'firing' ? 'ban' : 'unban',
    raw_details: alert,
  });
}

/** NaN, which the event's schema refuses, for text that is no number. */
function numeric(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
