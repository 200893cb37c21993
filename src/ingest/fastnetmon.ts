/**
 * FastNetMon. Community calls a script with `IP direction pps action` and writes text to its standard input; Advanced
 * writes JSON, whose traffic is in octets a second. Only incoming attacks count: an outgoing one would be a rule against
 * our own host.
 */
import { protocolNumber } from '../core/vectors.ts';
import { topPorts } from './fastnetmon-flows.ts';
import { isRecord, parseGenericEvent } from './generic.ts';
import { invalid, type Signal, within } from './signal.ts';

export const FASTNETMON = 'fastnetmon';

/** FastNetMon's names of attacks, where they are not the vectors' own. */
const VECTORS: ReadonlyMap<string, string> = new Map([
  ['udp_flood', 'udp_flood'],
  ['syn_flood', 'syn_flood'],
  ['icmp_flood', 'icmp_flood'],
  ['ip_fragmentation', 'ip_fragmentation'],
  ['ip_fragmentation_flood', 'ip_fragmentation'],
  ['dns_amplification', 'dns_amplification'],
  ['ntp_amplification', 'ntp_amplification'],
  ['ssdp_amplification', 'ssdp_amplification'],
  ['chargen_amplification', 'chargen_amplification'],
  ['memcached_amplification', 'memcached_amplification'],
  ['cldap_amplification', 'cldap_amplification'],
]);

/** What a call or a document says to do: `go-on` is an attack that has been reported already. */
const ACTIONS: ReadonlyMap<string, 'ban' | 'unban' | 'go-on'> = new Map([
  ['ban', 'ban'],
  ['partial_block', 'ban'],
  ['unban', 'unban'],
  ['partial_unblock', 'unban'],
  ['ongoing', 'go-on'],
  ['attack_status', 'go-on'],
]);

/** So much of the text is kept with the event. */
const KEPT_TEXT = 4096;

/** Bits in a unit of Community's traffic figures. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['bps', 1],
  ['kbps', 1e3],
  ['mbps', 1e6],
  ['gbps', 1e9],
]);

/**
 * Reads a call of Community's `notify_script_path`: its four arguments and its standard input (empty for an unban). The
 * second call about an attack, `attack_details`, carries the same text again and decides nothing.
 */
export function parseFastNetMonNotify(args: readonly string[], stdin: string): Signal {
  const [ip, direction, pps, action] = args;
  if (ip === undefined || direction === undefined || pps === undefined || action === undefined) {
    return invalid('', `FastNetMon passes four arguments (IP direction pps action), not ${args.length}`);
  }
  if (action === 'attack_details') {
    return { kind: 'ignored', why: 'attack_details repeats what the ban said' };
  }
  if (action !== 'ban' && action !== 'unban') {
    return invalid('action', `"${action}" is none of ban, unban, attack_details`);
  }
  const facts = readText(stdin);
  const said = facts.get('attack direction') ?? direction;
  if (direction === 'outgoing' || said === 'outgoing') return outgoing(ip);
  if (!/^\d+$/.test(pps)) return invalid('pps', `"${pps}" is not a number of packets a second`);

  const vector = VECTORS.get(facts.get('attack type') ?? '') ?? 'unknown';
  const protocol = attackProtocol(vector, facts.get('attack protocol'));
  const event = {
    source: FASTNETMON,
    victim_ip: ip,
    vector,
    protocol,
    action,
    ...(action === 'ban'
      ? {
          pps: numberOf(facts.get('total incoming pps')) ?? Number(pps),
          bps: trafficOf(facts.get('total incoming traffic')),
          top_dst_ports: topPorts(stdin, ip, protocol ?? protocolOf(vector)),
        }
      : {}),
    raw_details: { direction, action, ...(stdin === '' ? {} : { text: stdin.slice(0, KEPT_TEXT) }) },
  };
  return parseGenericEvent(event);
}

/**
 * Reads what is posted as JSON: a document of Advanced (notify script in JSON format, or web callback), or a call of
 * Community's script as `{ip, direction, pps, action, details}` with the standard input as `details`.
 */
export function parseFastNetMonJson(json: unknown): Signal {
  if (!isRecord(json)) return invalid('', 'must be a JSON object');
  return 'direction' in json ? parseCall(json) : parseDocument(json);
}

function parseCall({ ip, direction, pps, action, details }: Readonly<Record<string, unknown>>): Signal {
  const args = [ip, direction, pps, action];
  const keys = ['ip', 'direction', 'pps', 'action'];
  const missing = keys[args.findIndex((arg) => typeof arg !== 'string' && typeof arg !== 'number')];
  if (missing !== undefined) return invalid(missing, 'is missing');
  if (details !== undefined && details !== null && typeof details !== 'string') {
    return invalid('details', 'must be the text that FastNetMon wrote to standard input');
  }
  return parseFastNetMonNotify(args.map(String), details ?? '');
}

function parseDocument(json: Readonly<Record<string, unknown>>): Signal {
  const scope = json.alert_scope ?? 'host';
  if (scope !== 'host') return { kind: 'ignored', why: `it is about a ${String(scope)}, not about a host` };
  const { action: word, ip } = json;
  if (typeof word !== 'string') return invalid('action', 'is missing');
  if (typeof ip !== 'string') return invalid('ip', 'is missing');
  const action = ACTIONS.get(word);
  if (action === undefined) return { kind: 'ignored', why: `action ${word} decides nothing` };
  const details = json.attack_details ?? {};
  if (!isRecord(details)) return invalid('attack_details', 'must be an object');
  if (details.attack_direction === 'outgoing') return outgoing(ip);

  const vector = VECTORS.get(textOf(details.attack_type) ?? '') ?? 'unknown';
  const uuid = textOf(details.attack_uuid);
  const octets = details.total_incoming_traffic;
  const signal = parseGenericEvent({
    // An attack that goes on must extend its mitigation, so it is not named as the event that is known already.
    ...(uuid === undefined || action === 'go-on' ? {} : { event_id: uuid }),
    source: FASTNETMON,
    victim_ip: ip,
    vector,
    protocol: attackProtocol(vector, textOf(details.attack_protocol)),
    action: action === 'unban' ? 'unban' : 'ban',
    ...(action === 'unban'
      ? {}
      : { bps: typeof octets === 'number' ? octets * 8 : undefined, pps: details.total_incoming_pps }),
    raw_details: json,
  });
  return within('attack_details', signal);
}

function outgoing(ip: string): Signal {
  return {
    kind: 'ignored',
    why: `${ip} sends the attack: a rule towards it would not stop it; no rule is made against our own host`,
  };
}

/** `Key: value` lines, keys in lower case; the flows that follow have no such form. */
function readText(text: string): ReadonlyMap<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z][A-Za-z ]*): (.*)$/.exec(line.trimEnd());
    if (match?.[1] !== undefined && match[2] !== undefined) facts.set(match[1].toLowerCase(), match[2]);
  }
  return facts;
}

/** The protocol FastNetMon names, unless the vector says it already. */
function attackProtocol(vector: string, name: string | undefined): number | undefined {
  return vector === 'unknown' && name !== undefined ? protocolNumber(name) : undefined;
}

function protocolOf(vector: string): number | undefined {
  if (vector === 'syn_flood') return protocolNumber('tcp');
  return vector === 'udp_flood' || vector.endsWith('_amplification') ? protocolNumber('udp') : undefined;
}

/** `472 mbps` in bits a second. */
function trafficOf(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ([kmg]?bps)$/.exec(text ?? '');
  const unit = UNITS.get(match?.[2] ?? '');
  return match?.[1] === undefined || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/** `118040 packets per second` */
function numberOf(text: string | undefined): number | undefined {
  const match = /^(\d+) /.exec(text ?? '');
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
