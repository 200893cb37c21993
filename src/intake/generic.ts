/** Reads generic events, the body of `POST /v1/events`; every other detector's message is converted to this form. */
import { z } from 'zod';
import { portSet } from '../core/policy/ports.ts';
import {
  impliedProtocol,
  PROTOCOL_LIST,
  Protocol,
  protocolNumber,
  VECTOR_PATTERN,
  VECTOR_SYNTAX,
} from '../core/policy/vectors.ts';
import type { Detection, TrafficTraits } from '../core/types.ts';
import { failed } from '../net/result.ts';
import { isZeroTime, readTime } from '../net/time.ts';
import {
  addNote,
  confidenceOf,
  figureOf,
  flagsOf,
  noteIgnored,
  type FieldNotes,
  portItems,
  popsOf,
  portOf,
  portsOf,
  protocolFor,
} from './report-fields.ts';
import { issueWords, saysMissing } from './issue-words.ts';
import { boundedDetails, isRecord, remainsOf } from './kept.ts';
import { type FieldProblem, invalid, type Signal } from './signal.ts';
import { readVector, type VectorMaps } from './vector-names.ts';
import { isWithin, readVictim } from './read-victim.ts';

/** At most this many of an event's ports are read. */
export const MAX_PORTS_READ = 64;
/** The number of ports; a longer list is a mistake. */
const ALL_PORTS = 65_536;
/** At most this many problems of one event are reported. */
const MAX_PROBLEMS = 20;

const NO_PROTOCOL = `must be 0 to 255, or ${PROTOCOL_LIST}`;
const NO_TIME =
  'must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z, or seconds or milliseconds since the epoch';

/** Returns the schema of a number, or of a text whose number is certain. Other texts are ignored, and `why` says so. */
function figure(most = Number.POSITIVE_INFINITY) {
  return z
    .union([z.number().min(0).max(most), z.string()], {
      error: ({ input }) => {
        if (typeof input !== 'number' || !Number.isFinite(input)) return 'must be a number';
        return input < 0 ? 'must be at least 0' : `must be at most ${most}`;
      },
    })
    .nullish();
}

const portText = z.string().refine((text) => portOf(text) !== undefined, 'must be a port number');

const port = z.union([z.number().int().min(0).max(65535), portText], {
  error: ({ input }) => {
    if (typeof input !== 'number') return 'must be a port number';
    if (!Number.isInteger(input)) return 'must be a whole number';
    return input < 0 ? 'must be at least 0' : 'must be at most 65535';
  },
});

const victim = z.string().superRefine((text, context) => {
  const reading = readVictim(text);
  if (!reading.ok) context.addIssue(reading.error);
});

/** One event as sent. Null counts as absent, because upstream's clients write it; other keys are kept. */
export const genericEventSchema = z.looseObject({
  event_id: z
    .string()
    .min(1)
    .max(255)
    .nullish()
    .describe("The detector's own id; the same ban again within 24 hours is a duplicate"),
  timestamp: z
    .union([z.string(), z.number()], { error: () => NO_TIME })
    .refine((value) => readTime(value) !== undefined, NO_TIME)
    .nullish()
    .describe(
      'Time of the event by the detector, in RFC 3339 or since the epoch in seconds or milliseconds; recorded, and used only to reject old events',
    ),
  source: z.string().min(1).max(128).describe('Name of the detector'),
  victim_ip: victim.describe('Address under attack, or prefix with its length'),
  victim_prefix: z.unknown().optional().describe('Prefix under attack; may replace victim_ip'),
  vector: z
    .string()
    .regex(VECTOR_PATTERN, `must be ${VECTOR_SYNTAX}, such as udp_flood`)
    .describe('Kind of attack, such as udp_flood; aliases and other spellings (`UDP Flood`) are accepted'),
  protocol: z
    .union([z.number().int(), z.string().max(16)], NO_PROTOCOL)
    .refine((value) => protocolNumber(value) !== undefined, NO_PROTOCOL)
    .nullish()
    .describe('IP protocol by number or name; implied by known vectors'),
  bps: figure().describe('Bits per second, also as text such as `4.2 Gbps`'),
  pps: figure().describe('Packets per second, also as text'),
  confidence: figure(1).describe('0 to 1'),
  top_dst_ports: z
    .array(port)
    .max(ALL_PORTS)
    .nullish()
    .describe(`Destination ports under attack; the first ${MAX_PORTS_READ} are read`),
  top_src_ports: z
    .unknown()
    .optional()
    .describe('Source ports of the attack; those of reflectors narrow the rule'),
  tcp_flags: z
    .unknown()
    .optional()
    .describe('TCP flags of all packets, such as `syn,!ack` or a list; they narrow the rule'),
  pops: z
    .unknown()
    .optional()
    .describe('POPs that see the attack, as a list of names; steps with `scope: reported` filter there'),
  action: z.enum(['ban', 'unban']).nullish().describe('Default: ban'),
  raw_details: z.unknown().optional().describe('Further data of the detector; kept, never interpreted'),
});

export type GenericEvent = z.infer<typeof genericEventSchema>;

/** The inputs for reading an event besides its text. */
export interface ReadOptions {
  /** `detectors.*.vector_map`, by source. */
  readonly vectorMaps?: VectorMaps | undefined;
  /** The kind of detector, whose vector map is used when the source's has no entry. */
  readonly kind?: string;
  /** Notes about values that were ignored before. */
  readonly notes?: readonly string[];
}

/** Reads one event; never throws. The signal is a detection or names the invalid fields. */
export function parseGenericEvent(json: unknown, options: ReadOptions = {}): Signal {
  const notes: FieldNotes = [...(options.notes ?? [])];
  const signal = read(json, notes, options);
  return signal.kind === 'invalid' ? { ...signal, remains: remainsOf(json) } : signal;
}

function read(json: unknown, notes: FieldNotes, options: ReadOptions): Signal {
  const raw = isRecord(json) ? json : {};
  const ports = portItems(raw.top_dst_ports);
  if (ports.length > ALL_PORTS) {
    return invalid('top_dst_ports', `has ${ports.length} ports, and there are only ${ALL_PORTS}`);
  }
  const named = victimField(raw, notes);
  if ('kind' in named) return named;
  const parsed = genericEventSchema.safeParse(isRecord(json) ? prepared(json, ports, named, options) : json);
  if (parsed.success) return toDetection(parsed.data, notes);
  const problems = parsed.error.issues.slice(0, MAX_PROBLEMS).map(fieldProblem);
  return { kind: 'invalid', problems: problems.map((problem) => renamed(problem, named.field)) };
}

/** The key and the value that name the victim. */
interface VictimField {
  readonly field: 'victim_ip' | 'victim_prefix';
  readonly value: unknown;
}

/** Selects the victim. If an address and a prefix that contains it are given, the address; other pairs contradict. */
function victimField(raw: Readonly<Record<string, unknown>>, notes: FieldNotes): VictimField | Signal {
  const { victim_ip: address, victim_prefix: prefix } = raw;
  if (isAbsent(prefix)) return { field: 'victim_ip', value: address };
  if (isAbsent(address)) return { field: 'victim_prefix', value: prefix };
  const both = { field: 'victim_ip', value: address } as const;
  const [one, other] = [address, prefix].map((value) =>
    typeof value === 'string' ? readVictim(value) : failed('must be a string'),
  );
  if (one?.ok !== true || other === undefined) return both;
  if (!other.ok) {
    noteIgnored(notes, 'victim_prefix', other.error);
    return both;
  }
  if (one.value === other.value) return both;
  if (!isWithin(one.value, other.value)) {
    return invalid('victim_prefix', `${other.value} contradicts victim_ip ${one.value}; give one of them`);
  }
  addNote(notes, `victim_prefix ${other.value} ignored: victim_ip ${one.value} is more specific`);
  return both;
}

/** Returns the event with its ports cut, its vector in normal form, and its victim under one key. */
function prepared(
  raw: Readonly<Record<string, unknown>>,
  ports: readonly unknown[],
  { value }: VictimField,
  { vectorMaps, kind }: ReadOptions,
): unknown {
  const { source, vector, protocol, top_dst_ports: listed } = raw;
  const sources = [source, kind].filter((name) => typeof name === 'string');
  return {
    ...raw,
    victim_ip: value,
    vector: typeof vector === 'string' ? (readVector(vector, sources, vectorMaps) ?? vector) : vector,
    protocol: typeof protocol === 'string' ? protocol.trim() : protocol,
    // Checks only the ports that are read: tens of thousands of them would delay everything else.
    top_dst_ports: isAbsent(listed) ? listed : ports.slice(0, MAX_PORTS_READ),
  };
}

function toDetection(event: GenericEvent, notes: FieldNotes): Signal {
  const reading = readVictim(event.victim_ip);
  if (!reading.ok) return invalid('victim_ip', reading.error);
  const family = reading.value.includes(':') ? 6 : 4;
  const implied = impliedProtocol(event.vector, family);
  const said = protocolFor(isAbsent(event.protocol) ? undefined : protocolNumber(event.protocol), family);
  if (said !== undefined && implied !== null && said !== implied) {
    return invalid('protocol', `${event.protocol} contradicts vector ${event.vector}; leave one of them out`);
  }
  const traits = traitsOf(event, notes);
  const pops = popsOf(event.pops, notes);
  const detection: Detection = {
    externalId: event.event_id ?? null,
    source: event.source,
    action: event.action ?? 'ban',
    victim: reading.value,
    vector: event.vector,
    // TCP flags that all packets share mean TCP, so a rule for TCP does not affect other protocols.
    protocol: said ?? implied ?? (traits?.tcpFlags === undefined ? null : Protocol.Tcp),
    bps: figureOf(event.bps, 'bps', notes) ?? null,
    pps: figureOf(event.pps, 'pps', notes) ?? null,
    confidence: confidenceOf(event.confidence, notes) ?? null,
    ports: portSet(portsOf(event.top_dst_ports, 'top_dst_ports', MAX_PORTS_READ, notes)),
    ...(traits === undefined ? {} : { traits }),
    ...(pops.length === 0 ? {} : { pops }),
    at: timeOf(event.timestamp, notes) ?? null,
    ...(notes.length === 0 ? {} : { notes }),
    details: detailsOf(event),
  };
  return { kind: 'detection', detection };
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function timeOf(value: string | number | null | undefined, notes: FieldNotes): number | undefined {
  if (isAbsent(value)) return undefined;
  const at = readTime(value);
  if (at === undefined || !isZeroTime(at)) return at;
  return noteIgnored(notes, 'timestamp', `${value} means that the sender has no time`);
}

function traitsOf(event: GenericEvent, notes: FieldNotes): TrafficTraits | undefined {
  const srcPorts = portSet(portsOf(event.top_src_ports, 'top_src_ports', MAX_PORTS_READ, notes));
  const flags = flagsOf(event.tcp_flags, notes);
  if (srcPorts.length === 0 && flags.tcpFlags === undefined) return undefined;
  return { ...(srcPorts.length === 0 ? {} : { srcPorts }), ...flags };
}

const KNOWN_KEYS: ReadonlySet<string> = new Set(Object.keys(genericEventSchema.shape));

/** Combines raw_details and the keys that are not the event's own. */
function detailsOf(event: GenericEvent): Readonly<Record<string, unknown>> {
  const raw = event.raw_details;
  const details: Record<string, unknown> = {};
  if (isRecord(raw)) Object.assign(details, raw);
  else if (!isAbsent(raw)) details.raw = raw;
  for (const [key, value] of Object.entries(event)) if (!KNOWN_KEYS.has(key)) details[key] = value;
  return boundedDetails(details);
}

function fieldProblem(issue: z.core.$ZodIssue): FieldProblem {
  const path = issue.path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
  const message = saysMissing(issue.message) ? 'is missing' : issueWords({ ...issue }, issue.message);
  return { path, message: lowerFirst(message) };
}

function renamed({ path, message }: FieldProblem, field: string): FieldProblem {
  return { path: path === 'victim_ip' ? field : path, message };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
