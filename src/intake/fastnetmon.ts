/**
 * Reads calls of FastNetMon's notify script. Community calls it with `IP direction pps action` and text on standard
 * input, Advanced with `action IP` and a JSON document on standard input. Only incoming attacks are used: an outgoing
 * one would lead to a rule against our own host.
 */
import { impliedProtocol, Protocol } from '../core/policy/vectors.ts';
import { parseDocument } from './fastnetmon-advanced.ts';
import {
  type Classification,
  classify,
  figure,
  namedProtocol,
  outgoing,
  readTarget,
  saysOutgoing,
  signalOf,
  unnamedKind,
  vectorOf,
} from './fastnetmon-common.ts';
import { excerpt, isRecord } from './kept.ts';
import { invalid, type Signal } from './signal.ts';
import type { VectorMaps } from './vector-names.ts';

/** Characters of the text that are kept with the event. */
const KEPT_TEXT = 4096;
/** Characters of the text that are read: the counters and thousands of flows. */
const READ_TEXT = 256 * 1024;

/** Bits in each unit of Community's traffic. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['bps', 1],
  ['kbps', 1e3],
  ['mbps', 1e6],
  ['gbps', 1e9],
]);

/** Reads a call of the notify script: its arguments and its standard input, which is empty for an unban. */
export function parseFastNetMonNotify(
  args: readonly string[],
  stdin: string,
  maps?: VectorMaps,
): readonly Signal[] {
  const call = advancedCall(args);
  if (call !== undefined) return parseDocument(call, maps);
  const [ip, direction, pps, action] = args;
  if (ip === undefined || direction === undefined || pps === undefined || action === undefined) {
    const why = `FastNetMon passes four arguments (IP direction pps action) or two (action IP), not ${args.length}`;
    return [invalid('', why)];
  }
  return [parseCommunity({ ip, direction, pps, action }, stdin, maps)];
}

/** Returns Advanced's arguments as a document without details; undefined for other arguments. */
export function advancedCall(
  args: readonly string[],
): { readonly action: string; readonly ip: string } | undefined {
  const [first, second] = args;
  if (args.length !== 2 || first === undefined || second === undefined) return undefined;
  return readTarget(first, true) === undefined
    ? { action: first, ip: second }
    : { action: second, ip: first };
}

/**
 * Reads posted JSON: a document of Advanced (notify script in JSON format, or web callback), or a call of Community's
 * script as `{ip, direction, pps, action, details}` with the standard input as `details`.
 */
export function parseFastNetMonJson(json: unknown, maps?: VectorMaps): readonly Signal[] {
  if (!isRecord(json)) return [invalid('', 'must be a JSON object')];
  return 'direction' in json ? parseCall(json, maps) : parseDocument(json, maps);
}

function parseCall(
  { ip, direction, pps, action, details }: Readonly<Record<string, unknown>>,
  maps: VectorMaps | undefined,
): readonly Signal[] {
  const args = [ip, direction, pps, action];
  const keys = ['ip', 'direction', 'pps', 'action'];
  const missing = keys[args.findIndex((arg) => typeof arg !== 'string' && typeof arg !== 'number')];
  if (missing !== undefined) return [invalid(missing, 'is missing')];
  if (details !== undefined && details !== null && typeof details !== 'string') {
    return [invalid('details', 'must be the text that FastNetMon wrote to standard input')];
  }
  return parseFastNetMonNotify(args.map(String), details ?? '', maps);
}

/** Reads Community's call. The second call about an attack, `attack_details`, repeats the text and is ignored. */
function parseCommunity(
  { ip, direction, pps, action }: Readonly<Record<'ip' | 'direction' | 'pps' | 'action', string>>,
  stdin: string,
  maps: VectorMaps | undefined,
): Signal {
  if (action === 'attack_details') {
    return { kind: 'ignored', why: 'attack_details repeats the ban; nothing is decided' };
  }
  if (action !== 'ban' && action !== 'unban') {
    return invalid('action', `"${action}" is none of ban, unban, attack_details`);
  }
  const text = stdin.length <= READ_TEXT ? stdin : stdin.slice(0, READ_TEXT);
  const facts = readText(text);
  const said = facts.get('attack direction') ?? direction;
  if (saysOutgoing(direction) || saysOutgoing(said)) return outgoing(ip);
  const packets = figure(pps);
  if (packets === undefined) return invalid('pps', `"${pps}" is not a number of packets/s`);
  const target = readTarget(ip, true);
  if (target === undefined) return invalid('ip', 'must be an IPv4 or IPv6 address');

  const details = {
    direction,
    action,
    ...(stdin === '' ? {} : { text: excerpt(stdin, KEPT_TEXT) }),
  };
  if (action === 'unban') {
    // FastNetMon never names the vector of an attack that ends.
    return signalOf({ target, action, vector: 'unknown', details }, { anyVector: true });
  }
  const { vector, protocol } = kindOf(facts, maps);
  return signalOf({
    target,
    action,
    vector,
    protocol,
    pps: packetsOf(facts.get('total incoming pps')) ?? packets,
    bps: trafficOf(facts.get('total incoming traffic')),
    ports: topPorts(text, target.address, protocol ?? impliedProtocol(vector, 4) ?? undefined),
    details,
  });
}

/** Returns FastNetMon's own vector; without one, its protocol; without that, the counters' result. */
function kindOf(facts: ReadonlyMap<string, string>, maps: VectorMaps | undefined): Classification {
  const named = vectorOf(facts.get('attack type'), maps);
  if (named !== undefined) return { vector: named, protocol: undefined };
  const protocol = namedProtocol(facts.get('attack protocol'));
  const counter = (name: string): number | undefined => packetsOf(facts.get(`${name} pps`));
  const shown = classify({
    total: counter('total incoming'),
    udp: counter('incoming udp'),
    tcp: counter('incoming tcp'),
    syn: counter('incoming syn tcp'),
    icmp: counter('incoming icmp'),
    fragments: counter('incoming ip fragmented'),
  });
  return unnamedKind(protocol, shown);
}

/** Reads `Key: value` lines, keys in lower case; flows have another form. */
function readText(text: string): ReadonlyMap<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z][A-Za-z ]*): (.*)$/.exec(line.trimEnd());
    if (match?.[1] !== undefined && match[2] !== undefined) facts.set(match[1].toLowerCase(), match[2]);
  }
  return facts;
}

/** Reads `472 mbps` as bits per second. */
function trafficOf(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ([kmg]?bps)$/.exec(text ?? '');
  const unit = UNITS.get(match?.[2] ?? '');
  return match?.[1] === undefined || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/** Reads `118040 packets per second`. */
function packetsOf(text: string | undefined): number | undefined {
  const match = /^(\d+) /.exec(text ?? '');
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

// Reads calls that a script forwards without a JSON encoder: the arguments as fields, and standard input unchanged,
// which is text or a JSON document.

/** The arguments by name; Advanced passes only `ip` and `action`, or none. */
export interface NotifyFields {
  readonly ip?: string | undefined;
  readonly direction?: string | undefined;
  readonly pps?: string | undefined;
  readonly action?: string | undefined;
}

/** Characters of an unreadable document that are kept. */
const KEPT_RAW_TEXT = 512;

/**
 * Reads a call. `parseJson` parses a JSON text, and throws if it is invalid. If a document cannot be read (one that was
 * cut off), its victim is not lost when the arguments name it.
 */
export function parseFastNetMonCall(
  fields: NotifyFields,
  text: string,
  parseJson: (text: string) => unknown,
  maps?: VectorMaps,
): readonly Signal[] {
  const { ip, direction, pps, action } = fields;
  const named = { ...(ip === undefined ? {} : { ip }), ...(action === undefined ? {} : { action }) };
  if (/^\s*[{[]/.test(text)) {
    let json: unknown;
    try {
      json = parseJson(text);
    } catch (error) {
      if (ip === undefined || action === undefined) throw error;
      return parseDocument({ ...named, unreadable: excerpt(text, KEPT_RAW_TEXT) }, maps);
    }
    return parseFastNetMonJson(isRecord(json) ? { ...named, ...json } : json, maps);
  }
  if (ip === undefined || action === undefined) {
    const why = 'is missing: give ip, direction, pps and action, or a JSON document that names them';
    return [invalid(ip === undefined ? 'ip' : 'action', why)];
  }
  if (direction === undefined && pps === undefined && text.trim() === '') return parseDocument(named, maps);
  return parseFastNetMonNotify([ip, direction ?? 'incoming', pps ?? '0', action], text, maps);
}

// Finds the destination ports of an attack in the flows at the end of FastNetMon's text.

/** Ports that together carry this share of the packets are the attack's targets. */
const AIMED_AT = 0.9;
/** With more ports than this, the attack has no particular port. */
const MOST_PORTS = 8;

/** `203.0.113.10:53 < 198.51.100.159:1783 750000 bytes 1500 packets` */
const FLOW = /^(\S+):(\d{1,5}) < \S+:\d{1,5} \d+ bytes (\d+) packets/;

/**
 * Returns the few destination ports of nearly all packets in the listed incoming flows, ascending; empty when there are
 * many ports or no flows, or when the protocol has no ports. Fragments are listed as port 0.
 */
export function topPorts(text: string, victim: string, protocol: number | undefined): readonly number[] {
  const heading =
    protocol === Protocol.Tcp ? 'TCP flows:' : protocol === Protocol.Udp ? 'UDP flows:' : undefined;
  if (heading === undefined) return [];
  const packets = new Map<number, number>();
  let total = 0;
  let inSection = false;
  for (const line of text.split('\n')) {
    if (/^(TCP|UDP|ICMP) flows:/.test(line)) inSection = line.startsWith(heading);
    const flow = inSection ? FLOW.exec(line) : undefined;
    if (flow?.[1] !== victim) continue;
    const [port, count] = [Number(flow[2]), Number(flow[3])];
    if (port < 1 || port > 65535) continue;
    packets.set(port, (packets.get(port) ?? 0) + count);
    total += count;
  }
  return aimedAt(packets, total);
}

function aimedAt(packets: ReadonlyMap<number, number>, total: number): readonly number[] {
  const ranked = [...packets].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MOST_PORTS);
  const ports: number[] = [];
  let sum = 0;
  for (const [port, count] of ranked) {
    if (sum >= total * AIMED_AT) break;
    ports.push(port);
    sum += count;
  }
  return sum > 0 && sum >= total * AIMED_AT ? ports.sort((a, b) => a - b) : [];
}
