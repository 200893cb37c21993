/** Formats actions, ranges and ports for operators. */
import { rateWords } from '../net/text.ts';
import type { MitigationAction } from './action.ts';
import type { Range } from './types.ts';

/** `discard`, `police at 5 Mbit/s`, `police at 5 Mbit/s, shared by its rules`. */
export function actionWords(action: MitigationAction): string {
  if (action.type === 'discard') return action.type;
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
