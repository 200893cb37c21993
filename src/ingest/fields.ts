/**
 * Single values of a report: read where they are certain; otherwise left out, and `notes` says why. A report protects somebody
 * even when its figures are useless.
 */
import { readRefinement } from '../core/refinement.ts';
import { Protocol, protocolNumber } from '../core/vectors.ts';
import { cutText, keptText } from '../net/text.ts';
import { type FigureKind, readFigure, readShare, type Reading } from './figures.ts';

/** Collects what was left out of a report, in words; the first lines of the event's `why`. */
export type Notes = string[];

/** So many notes of one report, each with so many bytes, are kept. */
const MAX_NOTES = 12;
const MAX_NOTE_BYTES = 300;

export function addNote(notes: Notes, note: string): void {
  if (notes.length < MAX_NOTES) notes.push(keptText(note, MAX_NOTE_BYTES));
}

/** Tells that a value is left out: `bps is left out: "NaN" is not a number`. */
export function leaveOut(notes: Notes, key: string, why: string): null {
  addNote(notes, `${key} is left out: ${why}`);
  return null;
}

/** A rate as a number or a text; null when it is absent or left out. */
export function figureOf(value: unknown, kind: FigureKind, notes: Notes): number | null {
  return numberOf(value, kind, (text) => readFigure(text, kind), Number.POSITIVE_INFINITY, notes);
}

/** A confidence as a number or a text; null when it is absent or left out. */
export function confidenceOf(value: unknown, notes: Notes): number | null {
  return numberOf(value, 'confidence', readShare, 1, notes);
}

function numberOf(
  value: unknown,
  key: string,
  read: (text: string) => Reading,
  most: number,
  notes: Notes,
): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') {
    if (Number.isFinite(value) && value >= 0 && value <= most) return value;
    return leaveOut(notes, key, `${value} is out of range`);
  }
  if (typeof value !== 'string') return leaveOut(notes, key, 'it is neither a number nor a text');
  const reading = read(value);
  return 'value' in reading ? reading.value : leaveOut(notes, key, reading.why);
}

/** So many parts of one text are looked at. */
const MAX_ITEMS = 256;

/** The texts of a list of ports, which may be one text with commas, semicolons or blanks, or a single number. */
export function portItems(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return value.split(/[,;\s]+/, MAX_ITEMS).filter((part) => part !== '');
  return value === undefined || value === null ? [] : [value];
}

/** `443`, `443/tcp`, `udp/53` */
const PORT = /^(?:(?:tcp|udp)\/)?(\d{1,5})(?:\/(?:tcp|udp))?$/i;

/** A port from 0 to 65535, as a number or a text; undefined when it is none. */
export function portOf(value: unknown): number | undefined {
  const port = typeof value === 'string' ? Number(PORT.exec(value.trim())?.[1] ?? Number.NaN) : value;
  return typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65535 ? port : undefined;
}

/** The first `most` ports of a list; what is none is left out. */
export function portsOf(value: unknown, key: string, most: number, notes: Notes): readonly number[] {
  const ports: number[] = [];
  const bad: string[] = [];
  for (const item of portItems(value).slice(0, most)) {
    const port = portOf(item);
    if (port !== undefined) ports.push(port);
    else if (bad.length < 3) bad.push(`"${cutText(String(item), 20)}"`);
  }
  if (bad.length > 0)
    addNote(notes, `${key}: ${bad.join(', ')} left out: a port is a number from 0 to 65535`);
  return ports;
}

/** The number of a protocol; null when it is absent, means any, or is left out. */
export function protocolOf(value: unknown, notes: Notes): number | null {
  if (value === undefined || value === null) return null;
  const text = typeof value === 'number' ? value : String(value).trim();
  if (typeof text === 'string' && /^(|any|all|ip|-)$/i.test(text)) return null;
  const protocol = protocolNumber(text);
  return protocol ?? leaveOut(notes, 'protocol', `"${cutText(String(text), 20)}" is not an IP protocol`);
}

/** ICMP towards an IPv6 address is ICMPv6, whatever the detector calls it. */
export function protocolFor(protocol: number | null, family: 4 | 6): number | null {
  return protocol === Protocol.Icmp && family === 6 ? Protocol.Icmpv6 : protocol;
}

/** TCP flags that are set and that are not, as octets of the TCP header. */
export interface Flags {
  readonly tcpFlags?: number;
  readonly tcpFlagsClear?: number;
}

/** Flags as a text (`syn,!ack`), a list of names, or the octet; empty when they are absent or left out. */
export function flagsOf(value: unknown, notes: Notes): Flags {
  if (value === undefined || value === null || value === '') return {};
  if (typeof value === 'number') {
    if (Number.isInteger(value) && value > 0 && value <= 255) return { tcpFlags: value };
    leaveOut(notes, 'tcp_flags', `${value} is not an octet with a flag set`);
    return {};
  }
  const words = [value]
    .flat()
    .slice(0, 16)
    .map((word) => cutText(String(word), 64).replace(/[|+/;]/g, ','));
  const complaints: string[] = [];
  const { tcpFlags, tcpFlagsClear } = readRefinement({ tcp_flags: words }, (_, message) =>
    complaints.push(message),
  );
  const [complaint] = complaints;
  if (complaint !== undefined) {
    leaveOut(notes, 'tcp_flags', complaint);
    return {};
  }
  return { tcpFlags, ...(tcpFlagsClear === 0 ? {} : { tcpFlagsClear }) };
}
