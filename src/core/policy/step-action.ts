/** Reads the action of a playbook's step. */
import { DISCARD, type MitigationAction, type RedirectTarget } from '../action.ts';
import type { StepData } from './playbook-schema.ts';

type ComplainOfKey = (key: string, message: string, severity: 'error' | 'warning') => void;

/** The keys that each action takes besides `action`. */
const TAKEN: Readonly<Record<StepData['action'], readonly string[]>> = {
  police: ['rate_bps', 'whole_host_rate_bps'],
  discard: [],
  redirect: ['to', 'vrf', 'ip', 'copy', 'rate_bps'],
  divert: ['to'],
  blackhole: [],
};

const WHERE_TO = ['to', 'vrf', 'ip'] as const;

/** Reads a step's action; complains about keys that are missing or do not belong to it. */
export function readAction(data: StepData, complain: ComplainOfKey): MitigationAction {
  complainOfOthers(data, complain);
  const { action, to, rate_bps: rate } = data;
  switch (action) {
    case 'police':
      if (rate === undefined || rate === 0) {
        const message = 'police needs rate_bps above 0 (bits a second); to drop all use discard';
        complain('rate_bps', message, 'error');
      }
      return { type: 'police', rateBps: rate ?? 0 };
    case 'discard':
      return DISCARD;
    case 'blackhole':
      return { type: 'blackhole', rateBps: null };
    case 'divert':
      if (to === undefined) complain('to', 'divert needs to: the name of a scrubber', 'error');
      return { type: 'divert', rateBps: null, scrubber: to ?? '' };
    case 'redirect': {
      if (rate === 0) complain('rate_bps', 'rate_bps must be above 0; to drop all use discard', 'error');
      const copy = data.copy === true ? { copy: true as const } : {};
      return { type: 'redirect', rateBps: rate ?? null, target: readTarget(data, complain), ...copy };
    }
  }
}

function readTarget(data: StepData, complain: ComplainOfKey): RedirectTarget {
  const given = WHERE_TO.filter((key) => data[key] !== undefined);
  if (given.length !== 1) {
    const message = 'redirect needs exactly one of to (a scrubber), vrf (a route target) and ip (an address)';
    complain(given[1] ?? 'action', message, 'error');
  }
  if (data.vrf !== undefined) return { vrf: data.vrf };
  return data.ip === undefined ? { scrubber: data.to ?? '' } : { ip: data.ip };
}

/** A rate beside discard is only pointless; any other key would be misunderstood. */
function complainOfOthers(data: StepData, complain: ComplainOfKey): void {
  for (const key of ['rate_bps', 'whole_host_rate_bps', ...WHERE_TO, 'copy'] as const) {
    if (data[key] === undefined || TAKEN[data.action].includes(key)) continue;
    const isRate = key === 'rate_bps' || key === 'whole_host_rate_bps';
    if (isRate && data.action === 'discard') {
      if (data[key] === 0) continue;
      const message =
        key === 'rate_bps'
          ? 'discard has no rate_bps; it is not used'
          : 'discard has no rate; it is not used';
      complain(key, message, 'warning');
    } else complain(key, `${data.action} does not take ${key}; remove it`, 'error');
  }
}
