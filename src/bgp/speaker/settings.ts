/** A neighbor's settings in the words of those who need them: the state machine, the transport, people. */
import { canonicalAddress } from '../../net/prefix.ts';
import { endpointText } from '../../net/text.ts';
import type { Agreement, Cease, FsmConfig } from '../fsm/types.ts';
import { CeaseSubcode } from '../wire/notification.ts';
import type { DialRequest } from './transport.ts';
import type { Negotiated, NeighborSettings } from './types.ts';

/** A dial without an answer is given up after this time, and the next begins. */
const CONNECT_RETRY_SECONDS = 30;

/** This speaker's side of every session. */
export interface LocalSide {
  readonly localAsn: number;
  /** Four octets as a number. */
  readonly localIdentifier: number;
}

/** The Cease of an operator's shutdown (RFC 9003). */
export function shutdownCease(communication: string | undefined): Cease {
  const subcode = CeaseSubcode.AdministrativeShutdown;
  return communication === undefined ? { subcode } : { subcode, communication };
}

/** A neighbor's address for people. */
export function addressText({ address }: Pick<NeighborSettings, 'address'>): string {
  return address.kind === 'unix' ? `unix:${address.path}` : endpointText(address.host, address.port);
}

/**
 * What both sides must have alike, or the kernel drops packets and neither side hears the other: TCP MD5 (RFC 2385) and
 * GTSM (RFC 5082). Undefined where neither is configured.
 */
export function alikeOnBothSides({
  md5Password,
  ttlSecurityHops,
}: Pick<NeighborSettings, 'md5Password' | 'ttlSecurityHops'>): string | undefined {
  const parts = [
    ...(md5Password === undefined ? [] : ['the MD5 password']),
    ...(ttlSecurityHops === undefined ? [] : [`GTSM (ttl_security_hops is ${ttlSecurityHops} here)`]),
  ];
  return parts.length === 0 ? undefined : `${parts.join(' and ')} on both sides`;
}

/** `restarting` sets the R bit (RFC 4724 §3). */
export function fsmConfig(settings: NeighborSettings, local: LocalSide, restarting: boolean): FsmConfig {
  const { peerAsn, holdTimeSeconds, families, passive, gracefulRestart } = settings;
  const alike = alikeOnBothSides(settings);
  return {
    ...local,
    peerAsn,
    holdTimeSeconds,
    families,
    passive,
    connectRetrySeconds: CONNECT_RETRY_SECONDS,
    ...(alike === undefined ? {} : { alikeOnBothSides: alike }),
    ...(gracefulRestart === undefined ? {} : { gracefulRestart: { ...gracefulRestart, restarting } }),
  };
}

/** Whom to dial, and how. */
export function dialRequest({
  address,
  localAddress,
  md5Password,
  ttlSecurityHops,
}: NeighborSettings): DialRequest {
  return {
    address,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(md5Password === undefined ? {} : { md5Password }),
    ...(ttlSecurityHops === undefined ? {} : { ttlSecurityHops }),
  };
}

/** What the API shows of an agreement. */
export function negotiatedOf(agreement: Agreement): Negotiated {
  const { holdTimeSeconds, families, fourOctetAs, routeRefresh, enhancedRouteRefresh } = agreement;
  const { extendedMessages, gracefulRestart, peerRouterId } = agreement;
  return {
    holdTimeSeconds,
    families,
    fourOctetAs,
    routeRefresh,
    enhancedRouteRefresh,
    extendedMessages,
    gracefulRestart,
    peerRouterId,
  };
}

/** An address in its canonical form, with its zone if it has one; other text stays as it is. */
export function canonicalHost(host: string): string {
  const [address = '', zone] = host.split('%');
  const canonical = canonicalAddress(address) ?? address;
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}

/** True when a connection's end is the configured host. An end that comes without a zone matches any. */
export function isHost(configured: string, end: string): boolean {
  return configured === end || (!end.includes('%') && configured.split('%')[0] === end);
}
