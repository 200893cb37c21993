/**
 * JSON documents of FastNetMon Advanced, as its notify scripts and web callbacks get them
 * (fastnetmon.com/docs-fnm-advanced/fastnetmon-json-formats). Their traffic is in bytes a second. A document is about a
 * host, about the networks of a host group, or about parts of a host's traffic (`flow_spec_rules`).
 */
import { impliedProtocol, Protocol, reflectorVector } from '../core/policy/vectors.ts';
import { cutText } from '../net/text.ts';
import {
  type Classification,
  classify,
  FASTNETMON,
  figure,
  type Finding,
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
import { isWithin } from './victim.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a document says to do: `go-on` is an attack that has been reported already. */
const ACTIONS: ReadonlyMap<string, 'ban' | 'unban' | 'go-on'> = new Map([
  ['ban', 'ban'],
  ['partial_block', 'ban'],
  ['unban', 'unban'],
  ['partial_unblock', 'unban'],
  ['ongoing', 'go-on'],
  ['attack_status', 'go-on'],
]);

/** Networks of a group, or rules of a document and their parts, that are read. */
const MAX_PARTS = 256;

/** An id of zeros is that of an attack which has none. */
const NIL_UUID = /^[0-]+$/;
const MAX_UUID = 128;

/** Vectors by the flags that a rule asks for; the first of which all are asked for counts. */
const FLAG_VECTORS: readonly (readonly [flags: number, vector: string])[] = [
  [0x12, 'syn_ack_flood'],
  [0x10, 'ack_flood'],
  [0x02, 'syn_flood'],
  [0x04, 'rst_flood'],
  [0x01, 'fin_flood'],
];

/** Vectors of rules that say no more than a protocol. */
const PROTOCOL_VECTORS: ReadonlyMap<number | null, string> = new Map([
  [Protocol.Udp, 'udp_flood'],
  [Protocol.Tcp, 'tcp_flood'],
  [Protocol.Icmp, 'icmp_flood'],
  [Protocol.Icmpv6, 'icmp_flood'],
  [Protocol.Gre, 'gre_flood'],
]);

/** One document, read as far as all its victims and rules have it in common. */
interface Document {
  readonly json: Json;
  readonly details: Json;
  readonly action: 'ban' | 'unban' | 'go-on';
  readonly uuid: string | undefined;
  /** What kind of attack it is, by its name or by its counters. */
  readonly kind: Classification;
  readonly bps: number | undefined;
  readonly pps: number | undefined;
  readonly notes: readonly string[];
  readonly evidence: Json;
}

/** Reads a document: a signal for each victim or rule; at least one. */
export function parseDocument(json: Json, maps?: VectorMaps): readonly Signal[] {
  const { action: word } = json;
  if (typeof word !== 'string') return [invalid('action', 'is missing')];
  const details = json.attack_details ?? {};
  if (!isRecord(details)) return [invalid('attack_details', 'must be an object')];
  const action = ACTIONS.get(word.trim().toLowerCase());
  if (action === undefined) return [{ kind: 'ignored', why: `action ${word} decides nothing` }];
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
    { ...findingOf(document, target), externalId: action === 'go-on' ? undefined : uuid },
    {
      ...(uuid === undefined ? {} : { alertId: uuid }),
      ...endOf(document, withParts),
    },
  );
  return within('attack_details', signal);
}

/** Each network is a victim of its own: they are mitigated, and end, one by one. */
function groupSignals(document: Document): readonly Signal[] {
  const { json, uuid, action } = document;
  const named = groupNetworks(json);
  if (named.networks.length === 0) {
    const why = `names no network of ${subjectOf(json)}: what is more than a host is mitigated by its networks`;
    return [unreadable(document, 'hostgroup_networks', why)];
  }
  const signals = named.networks.slice(0, MAX_PARTS).map((text, i): Signal => {
    const target = typeof text === 'string' ? readTarget(text, false) : undefined;
    const path = named.isList ? `${named.key}[${i}]` : named.key;
    if (target === undefined) return unreadable(document, path, 'must be an IPv4 or IPv6 prefix', text);
    const alertId = uuid === undefined ? undefined : `${uuid}/${target.victim}`;
    const externalId = action === 'go-on' ? undefined : alertId;
    return signalOf(
      { ...findingOf(document, target), externalId },
      { ...(alertId === undefined ? {} : { alertId }), ...endOf(document) },
    );
  });
  return withRest(document, signals, named.key, named.networks.length, signals.length);
}

/** A rule alone is a list of one. */
function rulesOf({ flow_spec_rules: rules }: Json): readonly unknown[] {
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

/** True for a rule about what the host sends: it names no destination, and the host as the source. */
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
  const leftOut = part.leftOut.map((key) => `${key} is left out: a report has no place for it`);
  const signal = signalOf(
    {
      target,
      action: document.action === 'unban' ? 'unban' : 'ban',
      vector: vectorOfRule(part, document.kind),
      protocol: part.protocol ?? undefined,
      ports: part.ports,
      bps: document.bps,
      pps: document.pps,
      notes: [...document.notes, ...leftOut],
      // Without an event's id: the same rule again extends what it led to.
      details,
    },
    {
      alertId: `${uuid ?? target.victim}/${part.key}`,
      ...(Object.keys(part.traits).length === 0 ? {} : { traits: part.traits }),
    },
  );
  return within(at, signal);
}

/** What all victims of a document have in common; an end has no figures. */
function findingOf(document: Document, target: Target): Finding {
  const { action, kind, bps, pps, notes, evidence: details } = document;
  const end = action === 'unban';
  return {
    target,
    action: end ? 'unban' : 'ban',
    vector: kind.vector,
    protocol: kind.protocol ?? undefined,
    ...(end ? {} : { bps, pps, notes }),
    details,
  };
}

/** Without an id, the end of an attack is that of whatever the victim was reported for: FastNetMon bans it once. */
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

/** A part that cannot be used, which is recorded: FastNetMon reads no answer. */
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

/** That a figure is left out, in words; nothing for one that can be read, or that is not there. */
function noteOf(key: string, value: unknown): readonly string[] {
  if (value === undefined || value === null || figure(value) !== undefined) return [];
  return [`${key} is left out: "${cutText(String(value), 40)}" is not a number`];
}

/** FastNetMon's own word for the attack; without one, what its counters show, unless its protocol says otherwise. */
function kindOf(details: Json, maps: VectorMaps | undefined): Classification {
  const named = vectorOf(textOf(details.attack_type), maps);
  if (named !== undefined) return { vector: named, protocol: null };
  const protocol = namedProtocol(textOf(details.attack_protocol));
  const shown = classify(countersOf(details, 'pps')) ?? classify(countersOf(details, 'traffic'));
  return unnamedKind(protocol, shown);
}

function countersOf(details: Json, unit: 'pps' | 'traffic'): Parameters<typeof classify>[0] {
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
 * True when our own host is the source. The older `attack_direction` counts where the newer field says nothing; an attack
 * found by flexible thresholds is outgoing when none of them was exceeded by incoming traffic.
 */
function isOutgoing(details: Json): boolean {
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

/** About more than a host: `hostgroup`, and whatever else of that kind there may be. */
function isAboutGroup(json: Json): boolean {
  const scope = json.alert_scope;
  if (scope === undefined || scope === null || scope === '' || scope === 'host') {
    return !isNamed(json.ip) && isNamed(json.hostgroup_networks);
  }
  return true;
}

/** The networks of a group, and under which key they are; those of a single network are a list of one. */
function groupNetworks(json: Json): {
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

/** Who a document is about, in words. */
function subjectOf(json: Json): string {
  const name = isNamed(json.ip) ? json.ip : isNamed(json.hostgroup_name) ? json.hostgroup_name : undefined;
  if (name === undefined) return json.alert_scope === 'total' ? 'the whole network' : 'the host group';
  return isNamed(json.ip) ? String(name) : `host group ${String(name).slice(0, 64)}`;
}

/** Bits a second; newer documents count them beside the bytes. */
function bitsOf(details: Json): number | undefined {
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
