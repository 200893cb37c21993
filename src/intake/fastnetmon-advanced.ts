/**
 * Reads JSON documents of FastNetMon Advanced, from notify scripts and web callbacks
 * (fastnetmon.com/docs-fnm-advanced/fastnetmon-json-formats). Their traffic is in bytes per second. A document is about
 * a host, about the networks of a host group, or about some of a host's traffic (`flow_spec_rules`).
 */
import { impliedProtocol, Protocol, reflectorVector } from '../core/policy/vectors.ts';
import { cutText } from '../net/text.ts';
import {
  type Classification,
  classify,
  FASTNETMON,
  figure,
  type CounterFinding,
  namedProtocol,
  outgoing,
  readTarget,
  saysOutgoing,
  signalOf,
  type Target,
  unnamedKind,
  vectorOf,
} from './fastnetmon-common.ts';
import { readRule, type RuleTraffic } from './fastnetmon-rules.ts';
import { evidence, isRecord, remainsOf } from './kept.ts';
import { invalid, type Signal, within } from './signal.ts';
import type { VectorMaps } from './vector-names.ts';
import { isWithin } from './read-victim.ts';

type DocumentJson = Readonly<Record<string, unknown>>;

/** A document's actions; `continue` is an attack that was reported before. */
const ACTIONS: ReadonlyMap<string, 'ban' | 'unban' | 'continue'> = new Map([
  ['ban', 'ban'],
  ['partial_block', 'ban'],
  ['unban', 'unban'],
  ['partial_unblock', 'unban'],
  ['ongoing', 'continue'],
  ['attack_status', 'continue'],
]);

/** At most this many networks of a group, or rules of a document, are read. */
const MAX_PARTS = 256;

/** An id of zeros means that the attack has no id. */
const NIL_UUID = /^[0-]+$/;
const MAX_UUID = 128;

/** Vectors by a rule's flags; the first entry whose flags are all set is used. */
const FLAG_VECTORS: readonly (readonly [flags: number, vector: string])[] = [
  [0x12, 'syn_ack_flood'],
  [0x10, 'ack_flood'],
  [0x02, 'syn_flood'],
  [0x04, 'rst_flood'],
  [0x01, 'fin_flood'],
];

/** Vectors of rules that give only a protocol. */
const PROTOCOL_VECTORS: ReadonlyMap<number | null, string> = new Map([
  [Protocol.Udp, 'udp_flood'],
  [Protocol.Tcp, 'tcp_flood'],
  [Protocol.Icmp, 'icmp_flood'],
  [Protocol.Icmpv6, 'icmp_flood'],
  [Protocol.Gre, 'gre_flood'],
]);

/** The values of a document that all its victims and rules share. */
interface Document {
  readonly json: DocumentJson;
  readonly details: DocumentJson;
  readonly action: 'ban' | 'unban' | 'continue';
  readonly uuid: string | undefined;
  /** The kind of attack, by its name or by its counters. */
  readonly kind: Classification;
  readonly bps: number | undefined;
  readonly pps: number | undefined;
  readonly notes: readonly string[];
  readonly evidence: DocumentJson;
}

/** Reads a document: one signal for each victim or rule; at least one. */
export function parseDocument(json: DocumentJson, maps?: VectorMaps): readonly Signal[] {
  const { action: word } = json;
  if (typeof word !== 'string') return [invalid('action', 'is missing')];
  const details = json.attack_details ?? {};
  if (!isRecord(details)) return [invalid('attack_details', 'must be an object')];
  const action = ACTIONS.get(word.trim().toLowerCase());
  if (action === undefined) return [{ kind: 'ignored', why: `action ${word} needs no decision` }];
  const document: Document = {
    json,
    details,
    action,
    uuid: uuidOf(details.attack_uuid),
    kind: kindOf(details, maps),
    bps: bitsOf(details),
    pps: figure(details.total_incoming_pps),
    notes: ['total_incoming_pps', 'total_incoming_traffic'].flatMap((key) => noteOf(key, details[key])),
    evidence: evidence(json),
  };
  if (isOutgoing(details)) return [outgoing(subjectOf(json))];
  if (isAboutGroup(json)) return groupSignals(document);
  const isPartial = /^\s*partial_/i.test(word);
  const rules = rulesOf(json);
  if (isPartial && rules.length > 0) return ruleSignals(document, rules);
  if (typeof json.ip !== 'string') return [invalid('ip', 'is missing')];
  const target = readTarget(json.ip, true);
  if (target === undefined) {
    return [unreadable(document, 'ip', 'must be an IPv4 or IPv6 address', json.ip)];
  }
  return [hostSignal(document, target, isPartial && action === 'unban')];
}

function hostSignal(document: Document, target: Target, withParts: boolean): Signal {
  const { uuid, action } = document;
  const signal = signalOf(
    { ...findingOf(document, target), externalId: action === 'continue' ? undefined : uuid },
    {
      ...(uuid === undefined ? {} : { alertId: uuid }),
      ...endOf(document, withParts),
    },
  );
  return within('attack_details', signal);
}

/** Reads a group's networks, each as its own victim: they are mitigated, and end, separately. */
function groupSignals(document: Document): readonly Signal[] {
  const { json, uuid, action } = document;
  const named = groupNetworks(json);
  if (named.networks.length === 0) {
    const why = `names no network of ${subjectOf(json)}: a host group is mitigated by its networks`;
    return [unreadable(document, 'hostgroup_networks', why)];
  }
  const signals = named.networks.slice(0, MAX_PARTS).map((text, i): Signal => {
    const target = typeof text === 'string' ? readTarget(text, false) : undefined;
    const path = named.isList ? `${named.key}[${i}]` : named.key;
    if (target === undefined) return unreadable(document, path, 'must be an IPv4 or IPv6 prefix', text);
    const alertId = uuid === undefined ? undefined : `${uuid}/${target.victim}`;
    const externalId = action === 'continue' ? undefined : alertId;
    return signalOf(
      { ...findingOf(document, target), externalId },
      { ...(alertId === undefined ? {} : { alertId }), ...endOf(document) },
    );
  });
  return withRest(document, signals, named.key, named.networks.length, signals.length);
}

/** Returns the list of rules; a single rule is a list of one. */
function rulesOf({ flow_spec_rules: rules }: DocumentJson): readonly unknown[] {
  return isRecord(rules) ? [rules] : Array.isArray(rules) ? rules : [];
}

function ruleSignals(document: Document, rules: readonly unknown[]): readonly Signal[] {
  const { json } = document;
  const host = typeof json.ip === 'string' ? readTarget(json.ip, true) : undefined;
  const signals: Signal[] = [];
  let read = 0;
  for (const [i, rule] of rules.entries()) {
    if (signals.length >= MAX_PARTS) break;
    signals.push(...signalsOfRule(document, host, rule, `flow_spec_rules[${i}]`));
    read++;
  }
  return withRest(document, signals, 'flow_spec_rules', rules.length, read);
}

function signalsOfRule(
  document: Document,
  host: Target | undefined,
  rule: unknown,
  at: string,
): readonly Signal[] {
  const reading = readRule(rule);
  if (reading.kind === 'ignored') return [reading];
  if (reading.kind === 'invalid') {
    return [within(at, unreadable(document, reading.path, reading.message, document.json.ip))];
  }
  if (host !== undefined && isFromHost(rule, host)) return [outgoing(host.address)];
  const { parts, more } = reading;
  const signals = parts.map((part) => ruleSignal(document, host, rule, part, at));
  if (more === 0) return signals;
  const why = `is about ${parts.length + more} combinations of protocols and flags; only the first ${parts.length} are read`;
  return [...signals, within(at, unreadable(document, '', why, document.json.ip))];
}

/** True for a rule about traffic from the host: it names no destination, and the host as the source. */
function isFromHost(rule: unknown, host: Target): boolean {
  if (!isRecord(rule) || isNamed(rule.destination_prefix) || typeof rule.source_prefix !== 'string')
    return false;
  const source = readTarget(rule.source_prefix, false);
  return source !== undefined && isWithin(host.victim, source.victim);
}

function ruleSignal(
  document: Document,
  host: Target | undefined,
  rule: unknown,
  part: RuleTraffic,
  at: string,
): Signal {
  const target = part.destination === null ? host : readTarget(part.destination, false);
  if (target === undefined) {
    return unreadable(document, `${at}.destination_prefix`, 'is missing, and so is the ip');
  }
  const { uuid } = document;
  const { flow_spec_rules: _rules, ...rest } = document.evidence;
  const details = { flow_spec_rule: isRecord(rule) ? evidence(rule) : rule, ...rest };
  const ignored = part.ignored.map((key) => `${key} ignored: reports have no such field`);
  const signal = signalOf(
    {
      target,
      action: document.action === 'unban' ? 'unban' : 'ban',
      vector: vectorOfRule(part, document.kind),
      protocol: part.protocol ?? undefined,
      ports: part.ports,
      bps: document.bps,
      pps: document.pps,
      notes: [...document.notes, ...ignored],
      // Has no event id, so that the same rule again extends its mitigation.
      details,
    },
    {
      alertId: `${uuid ?? target.victim}/${part.key}`,
      ...(Object.keys(part.traits).length === 0 ? {} : { traits: part.traits }),
    },
  );
  return within(at, signal);
}

/** Returns the values that all victims of a document share; an end has no rates. */
function findingOf(document: Document, target: Target): CounterFinding {
  const { action, kind, bps, pps, notes, evidence: details } = document;
  const end = action === 'unban';
  return {
    target,
    action: end ? 'unban' : 'ban',
    vector: kind.vector,
    protocol: kind.protocol,
    ...(end ? {} : { bps, pps, notes }),
    details,
  };
}

/** Without an id, an end covers everything reported for the victim: FastNetMon bans it once. */
function endOf({ action, uuid }: Document, withParts = false): { anyVector?: true; withParts?: true } {
  if (action !== 'unban') return {};
  if (uuid === undefined) return { anyVector: true };
  return withParts ? { withParts: true } : {};
}

function withRest(
  document: Document,
  signals: readonly Signal[],
  key: string,
  count: number,
  read: number,
): readonly Signal[] {
  if (count <= read) return signals;
  const why = `has ${count} entries; only the first ${read} are read`;
  return [...signals, unreadable(document, key, why)];
}

/** Returns an invalid signal that is recorded, because FastNetMon reads no answer. */
function unreadable(document: Document, path: string, message: string, victim?: unknown): Signal {
  const { kind, action } = document;
  const report = {
    action: action === 'unban' ? 'unban' : 'ban',
    victim_ip: victim,
    vector: kind.vector,
    document: document.evidence,
  };
  return invalid(path, message, remainsOf(report, FASTNETMON));
}

/** Notes that a value is ignored; empty for a value that can be read or is missing. */
function noteOf(key: string, value: unknown): readonly string[] {
  if (value === undefined || value === null || figure(value) !== undefined) return [];
  return [`${key} ignored: "${cutText(String(value), 40)}" is not a number`];
}

/** Returns FastNetMon's own vector; without one, that of its counters, unless its protocol contradicts them. */
function kindOf(details: DocumentJson, maps: VectorMaps | undefined): Classification {
  const named = vectorOf(textOf(details.attack_type), maps);
  if (named !== undefined) return { vector: named, protocol: undefined };
  const protocol = namedProtocol(textOf(details.attack_protocol));
  const shown = classify(countersOf(details, 'pps')) ?? classify(countersOf(details, 'traffic'));
  return unnamedKind(protocol, shown);
}

function countersOf(details: DocumentJson, unit: 'pps' | 'traffic'): Parameters<typeof classify>[0] {
  const counter = (name: string): number | undefined => figure(details[`${name}_${unit}`]);
  return {
    total: counter('total_incoming'),
    udp: counter('incoming_udp'),
    tcp: counter('incoming_tcp'),
    syn: counter('incoming_syn_tcp'),
    icmp: counter('incoming_icmp'),
    fragments: counter('incoming_ip_fragmented'),
  };
}

function vectorOfRule({ protocol, traits }: RuleTraffic, kind: Classification): string {
  if (traits.fragments === true) return 'ip_fragmentation';
  const asked = traits.tcpFlags ?? 0;
  const byFlags = FLAG_VECTORS.find(([flags]) => (asked & flags) === flags);
  if (byFlags !== undefined) return byFlags[1];
  const sources = traits.srcPorts ?? [];
  if (protocol === Protocol.Udp && sources.length === 1) {
    const vector = reflectorVector(sources[0]);
    if (vector !== undefined) return vector;
  }
  if (protocol !== null && impliedProtocol(kind.vector, 4) === protocol) return kind.vector;
  return PROTOCOL_VECTORS.get(protocol) ?? 'unknown';
}

/**
 * True when our own host is the source. The older `attack_direction` is used when the newer field says nothing. An
 * attack found by flexible thresholds is outgoing when incoming traffic exceeded none of them.
 */
function isOutgoing(details: DocumentJson): boolean {
  for (const key of ['attack_detection_threshold_direction', 'attack_direction']) {
    const direction = textOf(details[key]) ?? '';
    if (saysOutgoing(direction)) return true;
    if (/^\s*incoming\s*$/i.test(direction)) return false;
  }
  const flexible = details.attack_detection_flexible_thresholds_detailed;
  if (!isRecord(flexible)) return false;
  const exceeded = Object.values(flexible).filter(isRecord);
  return (
    exceeded.some(({ outgoing: out }) => out === true) && exceeded.every(({ incoming }) => incoming === false)
  );
}

/** True for a document about more than a host: `hostgroup` and similar scopes. */
function isAboutGroup(json: DocumentJson): boolean {
  const scope = json.alert_scope;
  if (scope === undefined || scope === null || scope === '' || scope === 'host') {
    return !isNamed(json.ip) && isNamed(json.hostgroup_networks);
  }
  return true;
}

/** Returns a group's networks and their key; a single network is a list of one. */
function groupNetworks(json: DocumentJson): {
  readonly key: string;
  readonly isList: boolean;
  readonly networks: readonly unknown[];
} {
  for (const key of ['hostgroup_networks', 'networks', 'network', 'subnet', 'prefix', 'ip']) {
    const value = json[key];
    if (!isNamed(value)) continue;
    if (Array.isArray(value)) return { key, isList: true, networks: value };
    const texts = String(value)
      .split(/[,\s]+/)
      .filter((text) => text !== '');
    return { key, isList: texts.length > 1, networks: texts };
  }
  return { key: 'hostgroup_networks', isList: true, networks: [] };
}

function isNamed(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : typeof value === 'string' && value.trim() !== '';
}

/** Names the subject of a document. */
function subjectOf(json: DocumentJson): string {
  const name = isNamed(json.ip) ? json.ip : isNamed(json.hostgroup_name) ? json.hostgroup_name : undefined;
  if (name === undefined) return json.alert_scope === 'total' ? 'the whole network' : 'the host group';
  return isNamed(json.ip) ? String(name) : `host group ${String(name).slice(0, 64)}`;
}

/** Returns bits per second; newer documents have them beside the bytes. */
function bitsOf(details: DocumentJson): number | undefined {
  const bytes = figure(details.total_incoming_traffic);
  return figure(details.total_incoming_traffic_bits) ?? (bytes === undefined ? undefined : bytes * 8);
}

function uuidOf(value: unknown): string | undefined {
  const text = textOf(value);
  return text === undefined || text.length > MAX_UUID || NIL_UUID.test(text) ? undefined : text;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
