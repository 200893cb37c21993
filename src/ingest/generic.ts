/** The generic event: what `POST /v1/events` takes, and what every other detector's message is turned into. */
import { z } from 'zod';
import { portSet } from '../core/ports.ts';
import type { Detection } from '../core/types.ts';
import { impliedProtocol, Protocol, protocolNumber, VECTOR_PATTERN } from '../core/vectors.ts';
import { canonicalAddress } from '../net/prefix.ts';
import { timeText } from '../net/time.ts';
import { issueWords, saysMissing } from './issue-words.ts';
import { type FieldProblem, invalid, type Signal } from './signal.ts';

/** So many of an event's ports are read. */
export const MAX_PORTS_READ = 64;
/** So many ports there are; a longer list is a mistake. */
const ALL_PORTS = 65_536;
/** Problems that are told of one event: enough to see what is wrong. */
const MAX_PROBLEMS = 20;
/** Details longer than this (characters of JSON) are cut, because 10,000 events stay in memory. */
export const MAX_DETAILS_LENGTH = 16_384;

const NO_PROTOCOL = 'must be 0 to 255, or tcp, udp, icmp, icmpv6, gre, sctp';

const figure = z.number().nonnegative().nullish();

/** One event as it comes over the wire. Null counts as absent, as upstream's clients write it; other keys are kept. */
export const genericEventSchema = z.looseObject({
  event_id: z
    .string()
    .min(1)
    .max(255)
    .nullish()
    .describe("The detector's own id; the same ban again within 24 hours is a duplicate"),
  timestamp: z.iso
    .datetime({ offset: true, error: 'must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z' })
    .nullish()
    .describe('When the detector saw it; recorded, and judged only for being stale'),
  source: z.string().min(1).max(128).describe('Name of the detector'),
  victim_ip: z
    .string()
    .max(64)
    .refine((text) => canonicalAddress(text) !== undefined, 'must be an IPv4 or IPv6 address')
    .describe('Address under attack'),
  vector: z
    .string()
    .regex(VECTOR_PATTERN, 'must be 1 to 64 of a-z, 0-9 and underscore, such as udp_flood')
    .describe('Kind of attack'),
  protocol: z
    .union([z.number().int(), z.string().max(16)], NO_PROTOCOL)
    .refine((value) => protocolNumber(value) !== undefined, NO_PROTOCOL)
    .nullish()
    .describe('IP protocol by number or name; known vectors imply it'),
  bps: figure.describe('Bits a second'),
  pps: figure.describe('Packets a second'),
  confidence: z.number().min(0).max(1).nullish().describe('0 to 1'),
  top_dst_ports: z
    .array(z.number().int().min(0).max(65535))
    .max(ALL_PORTS)
    .nullish()
    .describe(`Destination ports under attack; the first ${MAX_PORTS_READ} are read`),
  action: z.enum(['ban', 'unban']).nullish().describe('ban unless said otherwise'),
  raw_details: z.unknown().optional().describe('Whatever else the detector says; kept, never interpreted'),
});

export type GenericEvent = z.infer<typeof genericEventSchema>;

/** Reads one event; never throws. The signal is a detection or says which fields are wrong. */
export function parseGenericEvent(json: unknown): Signal {
  const ports: readonly unknown[] =
    isRecord(json) && Array.isArray(json.top_dst_ports) ? json.top_dst_ports : [];
  if (ports.length > ALL_PORTS) {
    return invalid('top_dst_ports', `has ${ports.length} ports, and there are only ${ALL_PORTS}`);
  }
  // Only those that are read are judged: tens of thousands of them would hold up everything else.
  const event =
    isRecord(json) && ports.length > MAX_PORTS_READ
      ? { ...json, top_dst_ports: ports.slice(0, MAX_PORTS_READ) }
      : json;
  const parsed = genericEventSchema.safeParse(event);
  if (parsed.success) return toDetection(parsed.data);
  return { kind: 'invalid', problems: parsed.error.issues.slice(0, MAX_PROBLEMS).map(fieldProblem) };
}

function toDetection(event: GenericEvent): Signal {
  const victim = victimOf(event.victim_ip);
  const family = victim.includes(':') ? 6 : 4;
  const implied = impliedProtocol(event.vector, family);
  const said = saidProtocol(event.protocol, family);
  if (said !== null && implied !== null && said !== implied) {
    return invalid('protocol', `${event.protocol} contradicts vector ${event.vector}; leave one of them out`);
  }
  const detection: Detection = {
    externalId: event.event_id ?? null,
    source: event.source,
    action: event.action ?? 'ban',
    victim,
    vector: event.vector,
    protocol: said ?? implied,
    bps: event.bps ?? null,
    pps: event.pps ?? null,
    confidence: event.confidence ?? null,
    ports: portSet(event.top_dst_ports ?? []),
    at: event.timestamp === undefined || event.timestamp === null ? null : Date.parse(event.timestamp),
    details: detailsOf(event),
  };
  return { kind: 'detection', detection };
}

/** Canonical; an IPv4 address written as IPv6 (RFC 4291 §2.5.5.2) is the IPv4 address, which is what packets carry. */
function victimOf(text: string): string {
  const address = canonicalAddress(text) ?? text;
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** ICMP towards an IPv6 address is ICMPv6, whatever the detector calls it. */
function saidProtocol(value: string | number | null | undefined, family: 4 | 6): number | null {
  if (value === null || value === undefined) return null;
  const protocol = protocolNumber(value) ?? null;
  return protocol === Protocol.Icmp && family === 6 ? Protocol.Icmpv6 : protocol;
}

const KNOWN_KEYS: ReadonlySet<string> = new Set(Object.keys(genericEventSchema.shape));

/** raw_details, and keys that are not the event's own. */
function detailsOf(event: GenericEvent): Readonly<Record<string, unknown>> {
  const raw = event.raw_details;
  const details: Record<string, unknown> = {};
  if (isRecord(raw)) Object.assign(details, raw);
  else if (raw !== undefined && raw !== null) details.raw = raw;
  for (const [key, value] of Object.entries(event)) if (!KNOWN_KEYS.has(key)) details[key] = value;
  if (Object.keys(details).length === 0) return details;
  const text = JSON.stringify(details);
  return text.length <= MAX_DETAILS_LENGTH ? details : { truncated: text.slice(0, MAX_DETAILS_LENGTH) };
}

/** True for a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldProblem(issue: z.core.$ZodIssue): FieldProblem {
  const path = issue.path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
  const message = saysMissing(issue.message) ? 'is missing' : issueWords({ ...issue }, issue.message);
  return { path, message: lowerFirst(message) };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** A detection as the body of `POST /v1/events`: for programs that read a detector's message and pass it on. */
export function toGenericEvent(detection: Detection): GenericEvent {
  return {
    ...(detection.externalId === null ? {} : { event_id: detection.externalId }),
    ...(detection.at === null ? {} : { timestamp: timeText(detection.at) }),
    source: detection.source,
    victim_ip: detection.victim,
    vector: detection.vector,
    ...(detection.protocol === null ? {} : { protocol: detection.protocol }),
    ...(detection.bps === null ? {} : { bps: detection.bps }),
    ...(detection.pps === null ? {} : { pps: detection.pps }),
    ...(detection.confidence === null ? {} : { confidence: detection.confidence }),
    top_dst_ports: [...detection.ports],
    action: detection.action,
    raw_details: detection.details,
  };
}
