/** Decisions in words an operator understands. */
import type { MitigationAction, Range } from './types.ts';

const RATE_UNITS: readonly (readonly [factor: number, unit: string])[] = [
  [1e12, 'Tbit/s'],
  [1e9, 'Gbit/s'],
  [1e6, 'Mbit/s'],
  [1e3, 'kbit/s'],
];

/** `5 Mbit/s`, `1.25 Gbit/s`, `900 bit/s`. */
export function rateWords(bitsPerSecond: number): string {
  for (const [factor, unit] of RATE_UNITS) {
    if (bitsPerSecond >= factor) return `${Number((bitsPerSecond / factor).toFixed(2))} ${unit}`;
  }
  return `${bitsPerSecond} bit/s`;
}

/** `discard`, `police at 5 Mbit/s`, `police at 5 Mbit/s, shared by its rules`. */
export function actionWords(action: MitigationAction): string {
  if (action.type !== 'police' || action.rateBps === null) return action.type;
  return `police at ${rateWords(action.rateBps)}${action.shared === true ? ', shared by its rules' : ''}`;
}

/** `53`, `1000-2000`. */
export function rangeText([from, to]: Range): string {
  return from === to ? `${from}` : `${from}-${to}`;
}

/** `port 53`, `ports 53, 123, 1000-2000`. */
export function portWords(ports: readonly (number | Range)[]): string {
  const parts = ports.map((port) => (typeof port === 'number' ? `${port}` : rangeText(port)));
  return parts.length === 1 && !parts[0]?.includes('-') ? `port ${parts[0]}` : `ports ${parts.join(', ')}`;
}

/** `1 mitigation`, `3 mitigations`; with a plural of its own `1 reply is`, `3 replies are`. */
export function countWords(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Seconds rounded to at most one decimal: `120 s`. */
export function secondsWords(seconds: number): string {
  return `${Number(seconds.toFixed(1))} s`;
}
