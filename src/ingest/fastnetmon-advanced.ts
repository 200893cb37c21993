/**
 * JSON documents of FastNetMon Advanced, as its notify scripts and web callbacks get them
 * (fastnetmon.com/docs-fnm-advanced/fastnetmon-json-formats). Their traffic is in bytes a second. A document is about a
 * host, about the networks of a host group, or about parts of a host's traffic (`flow_spec_rules`).
 */
import { impliedProtocol, Protocol, reflectorVector } from '../core/vectors.ts';
import { evidence } from './evidence.ts';
import { type Classification, classify, figure, unnamedKind } from './fastnetmon-counters.ts';
import { type RuleTraffic, readRule } from './fastnetmon-rules.ts';
import { type Finding, namedProtocol, outgoing, signalOf, vectorOf } from './fastnetmon-signal.ts';
import { readTarget, type Target } from './fastnetmon-target.ts';
import { isRecord } from './details.ts';
import { invalid, type Signal, within } from './signal.ts';

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

/** Networks of a group, or rules of a document, that are read. */
const MAX_PARTS = 256;

/** An id of zeros is that of an attack which has none. */
const NIL_UUID = /^[0-]+$/;
const MAX_UUID = 128;

const FLAG_SYN = 0x02;
const FLAG_ACK = 0x10;

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
  readonly evidence: Json;
}

/** Reads a document: a signal for each victim or rule; at least one. */
export function parseDocument(json: Json): readonly Signal[] {
  const { action: word } = json;
  if (typeof word !== 'string') return [invalid('action', 'is missing')];
  const details = json.attack_details ?? {};
  if (!isRecord(details)) return [invalid('attack_details', 'must be an object')];
  const action = ACTIONS.get(word);
  if (action === undefined) return [{ kind: 'ignored', why: `action ${word} decides nothing` }];
  const document: Document = {
    json,
    details,
    action,
    uuid: uuidOf(details.attack_uuid),
    kind: kindOf(details),
    bps: bitsOf(details),
    pps: figure(details.total_incoming_pps),
    evidence: evidence(json),
  };
  if (isOutgoing(details)) return [outgoing(subjectOf(json))];
  if (isAboutGroup(json)) return groupSignals(document);
  const rules = json.flow_spec_rules;
  if (word.startsWith('partial_') && Array.isArray(rules) && rules.length > 0) {
    return ruleSignals(document, rules);
  }
  if (typeof json.ip !== 'string') return [invalid('ip', 'is missing')];
  const target = readTarget(json.ip, true);
  if (target === undefined) return [invalid('ip', 'must be an IPv4 or IPv6 address')];
  return [hostSignal(document, target, word === 'partial_unblock')];
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
    const why = `names no network of ${subjectOf(json)}: a group is mitigated by its networks`;
    return [invalid('hostgroup_networks', why)];
  }
  const signals = named.networks.slice(0, MAX_PARTS).map((text, i): Signal => {
    const target = typeof text === 'string' ? readTarget(text, false) : undefined;
    const path = named.isList ? `${named.key}[${i}]` : named.key;
    if (target === undefined) return invalid(path, 'must be an IPv4 or IPv6 prefix');
    const alertId = uuid === undefined ? undefined : `${uuid}/${target.victim}`;
    const externalId = action === 'go-on' ? undefined : alertId;
    return signalOf(
      { ...findingOf(document, target), externalId },
      { ...(alertId === undefined ? {} : { alertId }), ...endOf(document) },
    );
  });
  return withRest(signals, named.key, named.networks.length);
}

function ruleSignals(document: Document, rules: readonly unknown[]): readonly Signal[] {
  const { ip } = document.json;
  const host = typeof ip === 'string' ? readTarget(ip, true) : undefined;
  const signals = rules.slice(0, MAX_PARTS).flatMap((rule, i): readonly Signal[] => {
    const at = `flow_spec_rules[${i}]`;
    const reading = readRule(rule);
    if (reading.kind === 'ignored') return [reading];
    if (reading.kind === 'invalid') return [within(at, invalid(reading.path, reading.message))];
    return reading.parts.map((part) => ruleSignal(document, host, rule, part, at));
  });
  return withRest(signals, 'flow_spec_rules', rules.length);
}

function ruleSignal(
  document: Document,
  host: Target | undefined,
  rule: unknown,
  part: RuleTraffic,
  at: string,
): Signal {
  const target = part.destination === null ? host : readTarget(part.destination, false);
  if (target === undefined) return invalid(`${at}.destination_prefix`, 'is missing, and so is the ip');
  const { uuid } = document;
  const { flow_spec_rules: _rules, ...rest } = document.evidence;
  const leftOut = part.leftOut.length === 0 ? {} : { left_out: part.leftOut };
  const details = {
    flow_spec_rule: isRecord(rule) ? evidence(rule) : rule,
    ...leftOut,
    ...rest,
  };
  const signal = signalOf(
    {
      target,
      action: document.action === 'unban' ? 'unban' : 'ban',
      vector: vectorOfRule(part, document.kind),
      protocol: part.protocol ?? undefined,
      ports: part.ports,
      bps: document.bps,
      pps: document.pps,
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
function findingOf({ action, kind, bps, pps, evidence: details }: Document, target: Target): Finding {
  const end = action === 'unban';
  return {
    target,
    action: end ? 'unban' : 'ban',
    vector: kind.vector,
    protocol: kind.protocol ?? undefined,
    ...(end ? {} : { bps, pps }),
    details,
  };
}

/** Without an id, the end of an attack is that of whatever the victim was reported for: FastNetMon bans it once. */
function endOf({ action, uuid }: Document, withParts = false): { anyVector?: true; withParts?: true } {
  if (action !== 'unban') return {};
  if (uuid === undefined) return { anyVector: true };
  return withParts ? { withParts: true } : {};
}

function withRest(signals: readonly Signal[], key: string, count: number): readonly Signal[] {
  if (count <= MAX_PARTS) return signals;
  return [...signals, invalid(key, `has ${count} entries; only the first ${MAX_PARTS} are read`)];
}

/** FastNetMon's own word for the attack; without one, what its counters show, unless its protocol says otherwise. */
function kindOf(details: Json): Classification {
  const named = vectorOf(textOf(details.attack_type));
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
  const flags = traits.tcpFlags ?? 0;
  if ((flags & FLAG_ACK) !== 0) return (flags & FLAG_SYN) === 0 ? 'ack_flood' : 'unknown';
  if ((flags & FLAG_SYN) !== 0) return 'syn_flood';
  const sources = traits.srcPorts ?? [];
  if (protocol === Protocol.Udp && sources.length === 1) {
    const vector = reflectorVector(sources[0]);
    if (vector !== undefined) return vector;
  }
  if (kind.vector !== 'ip_fragmentation' && impliedProtocol(kind.vector, 4) === protocol) return kind.vector;
  if (protocol === Protocol.Udp) return 'udp_flood';
  return protocol === Protocol.Icmp || protocol === Protocol.Icmpv6 ? 'icmp_flood' : 'unknown';
}

/**
 * True when our own host is the source. The older `attack_direction` counts where the newer field says nothing; an attack
 * found by flexible thresholds is outgoing when none of them was exceeded by incoming traffic.
 */
function isOutgoing(details: Json): boolean {
  for (const key of ['attack_detection_threshold_direction', 'attack_direction']) {
    const direction = textOf(details[key])?.toLowerCase();
    if (direction === 'outgoing') return true;
    if (direction === 'incoming') return false;
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
  if (name === undefined) return 'the host group';
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
