/**
 * Reads single values of a report if their meaning is certain; otherwise ignores them, and `notes` says why. A report
 * protects its victim even when its values are useless.
 */
import { readFlags } from '../core/policy/refinement.ts';
import { isSafeName } from '../core/policy/value-kinds.ts';
import { Protocol, protocolNumber } from '../core/policy/vectors.ts';
import { failed, ok, type Result } from '../net/result.ts';
import { cutText, keptText } from '../net/text.ts';

/** Notes about ignored values; the first lines of the event's `why`. */
export type FieldNotes = string[];

/** At most this many notes of one report are kept, each with the number of bytes below. */
const MAX_NOTES = 12;
const MAX_NOTE_BYTES = 300;

export function addNote(notes: FieldNotes, note: string): void {
  if (notes.length < MAX_NOTES) notes.push(keptText(note, MAX_NOTE_BYTES));
}

/** Notes that a value is ignored: `bps ignored: "NaN" is not a number`. */
export function noteIgnored(notes: FieldNotes, key: string, why: string): undefined {
  addNote(notes, `${key} ignored: ${why}`);
}

/** Reads a rate from a number or a text; undefined when it is absent or ignored. */
export function figureOf(value: unknown, kind: FigureKind, notes: FieldNotes): number | undefined {
  return numberOf(value, kind, (text) => readFigure(text, kind), Number.POSITIVE_INFINITY, notes);
}

/** Reads a confidence from a number or a text; undefined when it is absent or ignored. */
export function confidenceOf(value: unknown, notes: FieldNotes): number | undefined {
  return numberOf(value, 'confidence', readShare, 1, notes);
}

function numberOf(
  value: unknown,
  key: string,
  read: (text: string) => Result<number>,
  most: number,
  notes: FieldNotes,
): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') {
    if (Number.isFinite(value) && value >= 0 && value <= most) return value;
    return noteIgnored(notes, key, `${value} is out of range`);
  }
  if (typeof value !== 'string') return noteIgnored(notes, key, 'it is neither a number nor a string');
  const reading = read(value);
  return reading.ok ? reading.value : noteIgnored(notes, key, reading.error);
}

/** At most this many items of one text are read. */
const MAX_ITEMS = 256;

/** Returns the items of a list of ports, which may also be one text with commas, semicolons or blanks, or a number. */
export function portItems(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return value.split(/[,;\s]+/, MAX_ITEMS).filter((part) => part !== '');
  return value === undefined || value === null ? [] : [value];
}

/** `443`, `443/tcp`, `udp/53` */
const PORT = /^(?:(?:tcp|udp)\/)?(\d{1,5})(?:\/(?:tcp|udp))?$/i;

/** Reads a port from 0 to 65535 from a number or a text; undefined if invalid. */
export function portOf(value: unknown): number | undefined {
  const port = typeof value === 'string' ? Number(PORT.exec(value.trim())?.[1] ?? Number.NaN) : value;
  return typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65535 ? port : undefined;
}

/** Returns the first `most` ports of a list; ignores invalid ones. */
export function portsOf(value: unknown, key: string, most: number, notes: FieldNotes): readonly number[] {
  const ports: number[] = [];
  const bad: string[] = [];
  for (const item of portItems(value).slice(0, most)) {
    const port = portOf(item);
    if (port !== undefined) ports.push(port);
    else if (bad.length < 3) bad.push(`"${cutText(String(item), 20)}"`);
  }
  if (bad.length > 0) addNote(notes, `${key}: ${bad.join(', ')} ignored: a port is a number from 0 to 65535`);
  return ports;
}

/** Returns a protocol's number; undefined when it is absent, means any, or is ignored. */
export function protocolOf(value: unknown, notes: FieldNotes): number | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === 'number' ? value : String(value).trim();
  if (typeof text === 'string' && /^(|any|all|ip|-)$/i.test(text)) return undefined;
  const protocol = protocolNumber(text);
  return protocol ?? noteIgnored(notes, 'protocol', `"${cutText(String(text), 20)}" is not an IP protocol`);
}

/** Replaces ICMP by ICMPv6 for an IPv6 address, because detectors may call both ICMP. */
export function protocolFor(protocol: number | undefined, family: 4 | 6): number | undefined {
  return protocol === Protocol.Icmp && family === 6 ? Protocol.Icmpv6 : protocol;
}

/** At most this many POPs of one report are read. */
const MAX_POPS = 64;

/** Returns the POPs that a report names, ascending; ignores what is no name. */
export function popsOf(value: unknown, notes: FieldNotes): readonly string[] {
  if (value === undefined || value === null) return [];
  const names = new Set<string>();
  for (const item of [value].flat().slice(0, MAX_POPS)) {
    if (typeof item === 'string' && isSafeName(item)) names.add(item);
    else noteIgnored(notes, 'pops', `"${cutText(String(item), 20)}" is not the name of a POP`);
  }
  return [...names].sort();
}

/** TCP flags that are set and not set, as octets of the TCP header. */
export interface Flags {
  readonly tcpFlags?: number;
  readonly tcpFlagsClear?: number;
}

/** Reads flags from a text (`syn,!ack`), a list of names, or the octet; empty when they are absent or ignored. */
export function flagsOf(value: unknown, notes: FieldNotes): Flags {
  if (value === undefined || value === null || value === '') return {};
  if (typeof value === 'number') {
    if (Number.isInteger(value) && value > 0 && value <= 255) return { tcpFlags: value };
    noteIgnored(notes, 'tcp_flags', `${value} is not an octet with a flag set`);
    return {};
  }
  const words = [value]
    .flat()
    .slice(0, 16)
    .map((word) => cutText(String(word), 64).replace(/[|+/;]/g, ','));
  const complaints: string[] = [];
  const [tcpFlags, tcpFlagsClear] = readFlags(words, (_, message) => complaints.push(message));
  const [complaint] = complaints;
  if (complaint !== undefined) {
    noteIgnored(notes, 'tcp_flags', complaint);
    return {};
  }
  return { tcpFlags, ...(tcpFlagsClear === 0 ? {} : { tcpFlagsClear }) };
}

// Reads numbers as detectors and templates write them: `4.2e9`, `4.2G`, `4.2 Gbps`, `1,200,000,000`. A text is read if
// it can mean only one number; otherwise the value is ignored, because the report itself is worth more.

/** The unit of a rate. */
export type FigureKind = 'bps' | 'pps';

/** Longer texts contain more than a number. */
const MAX_LENGTH = 64;

const NUMBER = /^\+?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d{1,3})?/i;
/** Groups of three digits. Commas and points are also decimal marks, so one group alone is ambiguous. */
const GROUPED = [
  /^\d{1,3}(?:,\d{3}){2,}(?:\.\d+)?/,
  /^\d{1,3}(?:,\d{3})+\.\d+/,
  /^\d{1,3}(?:\.\d{3})+,\d+/,
  /^\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?/,
  /^\d{1,3}(?:[ _'’\u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?/,
] as const;
/** `1,200`: twelve hundred, or one and a fifth. */
const AMBIGUOUS = /^\d{1,3}[,]\d{3}(?!\d)/;
const DECIMAL_COMMA = /^\d+,\d+/;

const KILO: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  g: 1e9,
  G: 1e9,
  t: 1e12,
  T: 1e12,
  Ki: 2 ** 10,
  ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Before a unit, a small m cannot mean a thousandth. */
const BEFORE_UNIT: Readonly<Record<string, number>> = { ...KILO, m: 1e6, mi: 2 ** 20, gi: 2 ** 30 };

const PREFIX = '([kKmMgGtT]i?)?';
const BITS = new RegExp(`^${PREFIX}(?:bps|bits?|bits?/s(?:ec(?:ond)?)?|bits? per second|b/s(?:ec)?)$`);
const LONG_BITS = /^(k|m|g|t|kilo|mega|giga|tera)bits?(?:\/s(?:ec)?| per second)?$/i;
const OCTETS = new RegExp(`^${PREFIX}(?:bytes?|octets?)(?:/s(?:ec(?:ond)?)?| per second)?$`, 'i');
/** Only bytes are written with powers of two. */
const BINARY_OCTETS = /^([KkMGT]i)B(?:\/s(?:ec)?|ps)$/;
const PACKETS = new RegExp(
  `^${PREFIX}(?:pps|p/s|(?:packets?|pkts?)(?:/s(?:ec(?:ond)?)?| per second)?)$`,
  'i',
);
const LONG: Readonly<Record<string, number>> = {
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  kilo: 1e3,
  mega: 1e6,
  giga: 1e9,
  tera: 1e12,
};

/** Reads a rate in bits/s or packets/s; never negative. */
export function readFigure(text: string, kind: FigureKind): Result<number> {
  const trimmed = text.trim();
  const split = splitNumber(trimmed);
  if (!split.ok) return split;
  const { value, rest } = split.value;
  const factor = kind === 'bps' ? bitFactor(rest) : packetFactor(rest);
  if (factor === undefined)
    return no(
      trimmed,
      kind === 'bps' ? 'is not a rate in bits per second' : 'is not a rate in packets per second',
    );
  const product = value * factor;
  if (!Number.isFinite(product)) return no(trimmed, 'is not a finite number');
  // Rounds, because 4.2 * 1e9 is not exactly 4,200,000,000.
  return ok(factor === 1 ? product : Number(product.toPrecision(15)));
}

/** Reads a confidence: `0.9`, `0,9` or `90%`. */
export function readShare(text: string): Result<number> {
  const trimmed = text.trim();
  const split = splitNumber(trimmed);
  if (!split.ok) return split;
  const { value, rest } = split.value;
  if (rest !== '' && rest !== '%') return no(trimmed, 'is not a number from 0 to 1');
  const share = rest === '%' ? value / 100 : value;
  return share <= 1 ? ok(share) : no(trimmed, 'is not from 0 to 1');
}

/** Splits a text into its leading number and the rest. */
function splitNumber(text: string): Result<{ readonly value: number; readonly rest: string }> {
  if (text === '') return failed('it is empty');
  if (text.length > MAX_LENGTH) return no(text, 'is too long for a number');
  for (const pattern of GROUPED) {
    const grouped = pattern.exec(text)?.[0];
    if (grouped === undefined || /^\d/.test(text.slice(grouped.length))) continue;
    return ok({ value: ungrouped(grouped), rest: text.slice(grouped.length).trim() });
  }
  if (AMBIGUOUS.test(text)) return no(text, 'may mean thousands or decimals');
  const comma = DECIMAL_COMMA.exec(text)?.[0];
  if (comma !== undefined) {
    return ok({ value: Number(comma.replace(',', '.')), rest: text.slice(comma.length).trim() });
  }
  const plain = NUMBER.exec(text)?.[0];
  if (plain === undefined) return no(text, 'is not a number');
  const value = Number(plain);
  return Number.isFinite(value)
    ? ok({ value, rest: text.slice(plain.length).trim() })
    : no(text, 'is not a finite number');
}

/** Removes the group marks. The last mark is the decimal mark if it differs from the others. */
function ungrouped(text: string): number {
  const marks = text.replace(/\d/g, '');
  const last = marks.at(-1) ?? '';
  const hasDecimals = marks[0] !== last || /[.,]\d{1,2}$/.test(text);
  if (!hasDecimals) return Number(text.replace(/\D/g, ''));
  const at = text.lastIndexOf(last);
  return Number(`${text.slice(0, at).replace(/\D/g, '')}.${text.slice(at + 1)}`);
}

function bitFactor(rest: string): number | undefined {
  if (Object.hasOwn(KILO, rest)) return KILO[rest];
  const bits = BITS.exec(rest);
  if (bits !== null) return BEFORE_UNIT[bits[1] ?? ''];
  const long = LONG_BITS.exec(rest)?.[1];
  if (long !== undefined) return LONG[long.toLowerCase()];
  const octets = OCTETS.exec(rest) ?? BINARY_OCTETS.exec(rest);
  if (octets === null) return undefined;
  const factor = BEFORE_UNIT[octets[1] ?? ''];
  return factor === undefined ? undefined : factor * 8;
}

function packetFactor(rest: string): number | undefined {
  if (Object.hasOwn(KILO, rest)) return KILO[rest];
  const packets = PACKETS.exec(rest);
  return packets === null ? undefined : BEFORE_UNIT[packets[1] ?? ''];
}

function no(text: string, why: string): Result<never> {
  return failed(`"${cutText(text, 40)}" ${why}`);
}
