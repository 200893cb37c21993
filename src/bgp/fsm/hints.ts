/**
 * What a peer's silence suggests, or a connection that it closes without a NOTIFICATION: it says nothing itself, so these
 * are the likely causes and where to look. explain.ts has what a NOTIFICATION says.
 */
import type { FsmConfig, StateName } from './types.ts';

/** A state that lasts so long deserves a hint, in seconds; on a sound session each of them takes far less. */
export const PATIENCE_SECONDS = 10;

type Side = Pick<FsmConfig, 'localAsn' | 'alikeOnBothSides'>;

/** A dial that nobody answered within the ConnectRetryTime. */
export function unansweredDial({
  connectRetrySeconds,
  alikeOnBothSides,
}: Pick<FsmConfig, 'connectRetrySeconds' | 'alikeOnBothSides'>): string {
  return `no answer to the connection attempt for ${connectRetrySeconds} s: ${pathAdvice(alikeOnBothSides)}`;
}

/** OpenSent: no OPEN arrived on the connection, within `seconds` or yet. */
export function noOpen({ localAsn, alikeOnBothSides }: Side, seconds?: number): string {
  const alike = alikeOnBothSides === undefined ? '' : ` Check ${alikeOnBothSides} as well.`;
  return `connected, and no OPEN came${spanText(seconds)}: is this side's address configured as a neighbor there, with AS ${localAsn}?${alike}`;
}

/** OpenConfirm: the peer's OPEN arrived, and no KEEPALIVE by which it would accept ours, within `seconds` or yet. */
export function noKeepalive(seconds?: number): string {
  return `peer has sent its OPEN and no KEEPALIVE${spanText(seconds)}, so it has not accepted ours: ${UNACCEPTED}`;
}

function spanText(seconds: number | undefined): string {
  return seconds === undefined ? ' yet' : ` for ${seconds} s`;
}

const UNACCEPTED =
  'look in its log for why (its session limit, families, AS numbers); if it never received our OPEN, check the path and any helper in between for the MTU and for the direction to the peer';

/** What it suggests that the peer closed or reset the connection in `state` without a NOTIFICATION; undefined for nothing. */
export function closedHint(state: StateName, { localAsn }: Pick<FsmConfig, 'localAsn'>): string | undefined {
  switch (state) {
    case 'opensent':
      return `it had sent no OPEN: is this side's address configured as a neighbor there, with AS ${localAsn}, and enabled?`;
    case 'openconfirm':
      return 'it had sent its OPEN and did not accept ours, without a NOTIFICATION: look in its log for why';
    default:
      return undefined;
  }
}

/** What is known of a session that is not established. */
export interface Waiting {
  readonly state: StateName;
  /** How long it has been in this state. */
  readonly seconds: number;
  readonly config: Side & Pick<FsmConfig, 'passive'>;
}

/**
 * What may keep a session where it is; undefined while that is not yet worth a word, or where its last error says it. The
 * text stays the same while the state lasts.
 */
export function waitingHint({ state, seconds, config }: Waiting): string | undefined {
  if (seconds < PATIENCE_SECONDS) return undefined;
  switch (state) {
    case 'connect':
      return `no answer to the connection attempt yet: ${pathAdvice(config.alikeOnBothSides)}`;
    case 'active':
      return config.passive
        ? 'passive, and the peer has not connected yet: does it dial the address and port of bgp.listen, from its address here?'
        : undefined;
    case 'opensent':
      return noOpen(config);
    case 'openconfirm':
      return noKeepalive();
    default:
      return undefined;
  }
}

function pathAdvice(alikeOnBothSides: string | undefined): string {
  return `check the address, the path, filters on it, and ${alikeOnBothSides ?? 'whether the peer wants an MD5 password or GTSM'}`;
}
