/** What the state machine's tests share: a configuration, OPENs, and actions in short words. */
import { localOpen, negotiate } from '../../../src/bgp/fsm/negotiate.ts';
import type { Agreement, FsmAction, FsmConfig } from '../../../src/bgp/fsm/types.ts';
import { FAMILIES } from '../../../src/bgp/wire/iana.ts';
import { NotificationError } from '../../../src/bgp/wire/notification.ts';
import type { OpenMessage } from '../../../src/bgp/wire/types.ts';

/** AS 65010 with router id 192.0.2.10, towards AS 65001. */
export const CONFIG: FsmConfig = {
  localAsn: 65010,
  localIdentifier: 0xc000020a,
  peerAsn: 65001,
  holdTimeSeconds: 90,
  families: [FAMILIES['ipv4-flowspec'], FAMILIES['ipv6-flowspec']],
  passive: false,
  connectRetrySeconds: 30,
};

/** The same session seen from the peer: AS 65001 with router id 192.0.2.1. */
export const PEER_CONFIG: FsmConfig = {
  ...CONFIG,
  localAsn: 65001,
  localIdentifier: 0xc0000201,
  peerAsn: 65010,
};

/** The OPEN of that peer, altered. */
export function peerOpen(more: Partial<OpenMessage> = {}, config: Partial<FsmConfig> = {}): OpenMessage {
  return { ...localOpen({ ...PEER_CONFIG, ...config }), ...more };
}

/** What both sides agree on. */
export function agreementWith(open = peerOpen(), config = CONFIG): Agreement {
  const outcome = negotiate(open, config);
  if (outcome instanceof NotificationError) throw outcome;
  return outcome;
}

/** Actions as `start hold 240`, `notify 6/2`, `report fault`. */
export function words(actions: readonly FsmAction[]): string {
  return actions.map(word).join(', ');
}

function word(action: FsmAction): string {
  switch (action.type) {
    case 'send':
      return action.message.type === 'notification'
        ? `notify ${action.message.code}/${action.message.subcode}`
        : `send ${action.message.type}`;
    case 'start-timer':
      return `start ${action.timer} ${action.seconds}`;
    case 'stop-timer':
      return `stop ${action.timer}`;
    case 'report':
      return action.fault ? 'report fault' : 'report';
    default:
      return action.type;
  }
}
