/** Converts a neighbor's settings for the state machine and the display. */
import { canonicalAddress } from '../../net/prefix.ts';
import { endpointText } from '../../net/text.ts';
import type { Cease, FsmConfig } from '../fsm/types.ts';
import { CeaseSubcode } from '../wire/notification.ts';
import type { NeighborSettings } from './types.ts';

/** A dial without an answer is given up after this time, and the next one follows. */
const CONNECT_RETRY_SECONDS = 30;

/** This speaker's side of every session. */
export interface LocalSide {
  readonly localAsn: number;
  /** Four octets as a number. */
  readonly localIdentifier: number;
}

/** Builds the Cease of an operator's shutdown (RFC 9003). */
export function shutdownCease(communication: string | undefined): Cease {
  const subcode = CeaseSubcode.AdministrativeShutdown;
  return communication === undefined ? { subcode } : { subcode, communication };
}

/** Formats a neighbor's address for people. */
export function addressText({ address }: Pick<NeighborSettings, 'address'>): string {
  return address.kind === 'unix' ? `unix:${address.path}` : endpointText(address.host, address.port);
}

/**
 * Names the settings that must be equal on both sides, or the kernel drops packets and neither side hears the other:
 * TCP MD5 (RFC 2385) and GTSM (RFC 5082). Undefined if neither is configured.
 */
export function sharedSettings({
  md5Password,
  ttlSecurityHops,
}: Pick<NeighborSettings, 'md5Password' | 'ttlSecurityHops'>): string | undefined {
  const parts = [
    ...(md5Password === undefined ? [] : ['the MD5 password']),
    ...(ttlSecurityHops === undefined ? [] : [`GTSM (ttl_security_hops is ${ttlSecurityHops} here)`]),
  ];
  return parts.length === 0 ? undefined : `${parts.join(' and ')} on both sides`;
}

/** Builds the state machine's configuration. `restarting` sets the R bit (RFC 4724 §3). */
export function fsmConfig(settings: NeighborSettings, local: LocalSide, restarting: boolean): FsmConfig {
  const { peerAsn, holdTimeSeconds, families, passive, gracefulRestart } = settings;
  const shared = sharedSettings(settings);
  return {
    ...local,
    peerAsn,
    holdTimeSeconds,
    families,
    passive,
    connectRetrySeconds: CONNECT_RETRY_SECONDS,
    ...(shared === undefined ? {} : { sharedSettings: shared }),
    ...(gracefulRestart === undefined ? {} : { gracefulRestart: { ...gracefulRestart, restarting } }),
  };
}

/** Returns an address in canonical form, with its zone if it has one; any other text is returned unchanged. */
export function canonicalHost(host: string): string {
  const [address = '', zone] = host.split('%');
  const canonical = canonicalAddress(address) ?? address;
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}

/** Returns true if a connection's address is the configured host. An address without a zone matches any zone. */
export function isHost(configured: string, end: string): boolean {
  return configured === end || (!end.includes('%') && configured.split('%')[0] === end);
}
