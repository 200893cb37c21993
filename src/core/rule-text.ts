/** Formats actions, ranges and ports for operators. */
import { rateWords } from '../net/text.ts';
import { isShared, type MitigationAction, type RedirectTarget } from './action.ts';
import type { Range } from './types.ts';

/** `discard`, `police at 5 Mbit/s, shared by its rules`, `redirect to fra at 5 Mbit/s`, `divert to fra`, `blackhole`. */
export function actionWords(action: MitigationAction): string {
  switch (action.type) {
    case 'police':
      return `police at ${rateWords(action.rateBps)}${isShared(action) ? ', shared by its rules' : ''}`;
    case 'redirect': {
      const rate = action.rateBps === null ? '' : ` at ${rateWords(action.rateBps)}`;
      return `${action.copy === true ? 'copy' : 'redirect'} to ${targetWords(action.target)}${rate}`;
    }
    case 'divert':
      return `divert to ${action.scrubber}`;
    case 'discard':
    case 'blackhole':
      return action.type;
  }
}

/** `fra`, `VRF 65010:666`, `192.0.2.50`. */
function targetWords(target: RedirectTarget): string {
  if ('scrubber' in target) return target.scrubber;
  return 'vrf' in target ? `VRF ${target.vrf}` : target.ip;
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
