/** The speaker's input and output as data: settings and status of neighbors. */
import type { Agreement, StateName } from '../fsm/types.ts';
import type { Family } from '../wire/iana.ts';
import type { BgpMessage } from '../wire/types.ts';
import type { OutRoute } from '../rib/route.ts';

/** The address of a neighbor. */
export type NeighborAddress =
  /** `host` is an IPv4 or IPv6 address, the latter with an optional zone (`fe80::1%eth0`). */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** The UNIX socket of a helper that handles the privileged port. */
  | { readonly kind: 'unix'; readonly path: string };

/** One configured neighbor. */
export interface NeighborSettings {
  readonly name: string;
  readonly address: NeighborAddress;
  /** Source address to dial from, and the address at which the neighbor's connection must arrive. */
  readonly localAddress?: string;
  /** 1..4294967295 */
  readonly peerAsn: number;
  /** Never dials; waits for the neighbor on the speaker's listener. */
  readonly passive: boolean;
  /** TCP MD5 signature key (RFC 2385), 1..80 octets. A secret: never logged. */
  readonly md5Password?: string;
  /** GTSM (RFC 5082): the neighbor's maximum distance in hops; 1 is directly connected. */
  readonly ttlSecurityHops?: number;
  /** 0 (no keepalives) or 3..65535. */
  readonly holdTimeSeconds: number;
  /** The families to offer, in this order; at least one. */
  readonly families: readonly Family[];
  readonly gracefulRestart?: {
    /** 0..4095 (RFC 4724 §3). */
    readonly restartTimeSeconds: number;
    /** 0 disables long-lived graceful restart; up to 16777215 (RFC 9494 §3). */
    readonly longLivedStaleSeconds: number;
  };
  /** False: the neighbor stays administratively down. */
  readonly enabled: boolean;
}

/** The speaker's own side. */
export interface SpeakerSettings {
  /** 1..4294967295 */
  readonly localAsn: number;
  /** BGP Identifier in dotted decimal, not 0.0.0.0 (RFC 6286 §2.1). */
  readonly routerId: string;
  /** The address at which passive sessions are accepted; absent: none. Port 0 takes any free port. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly neighbors: readonly NeighborSettings[];
}

/** FSM states of RFC 4271 §8.2.2, in lower case as in the API. */
export type SessionState = StateName;

/** The parameters that both sides negotiated. */
export type Negotiated = Pick<
  Agreement,
  | 'holdTimeSeconds'
  | 'families'
  | 'fourOctetAs'
  | 'routeRefresh'
  | 'enhancedRouteRefresh'
  | 'extendedMessages'
  | 'gracefulRestart'
  | 'peerRouterId'
>;

/** Messages and events counted since the process started. */
export interface SessionCounters {
  readonly messagesIn: Readonly<Record<MessageName, number>>;
  readonly messagesOut: Readonly<Record<MessageName, number>>;
  /** NLRI received and dropped; this speaker accepts no routes. */
  readonly routesReceived: number;
  readonly established: number;
  readonly flaps: number;
}

/** Message types as named in counters and captures. */
export type MessageName = BgpMessage['type'];

/** A NOTIFICATION that was sent or received. */
export interface NotificationSummary {
  readonly code: number;
  readonly subcode: number;
  /** Text with the shutdown communication. */
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The reason why a session is not established, from a NOTIFICATION of either side. */
export interface SessionCause {
  /** The problem, and what to change on which side. */
  readonly text: string;
  /** Time of the first one in a row (ms since the epoch), and their number. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  /** The latest failure of the connections since then, such as a refusal or reset; undefined if there is none. */
  readonly symptom: string | undefined;
}

/** The state of one neighbor, a snapshot. */
export interface PeerStatus {
  readonly name: string;
  /** As configured, for people: `192.0.2.1:179` or `unix:/path`. */
  readonly address: string;
  readonly peerAsn: number;
  readonly state: SessionState;
  /** Start of this state in milliseconds since the epoch. */
  readonly stateSince: number;
  readonly enabled: boolean;
  /** Milliseconds since the epoch; undefined unless established. */
  readonly establishedAt: number | undefined;
  readonly families: readonly Family[];
  readonly negotiated: Negotiated | undefined;
  /** Rules that the peer's TCP has acknowledged and that were not withdrawn since. */
  readonly rulesSent: number;
  /** Changes that wait to be written or acknowledged. */
  readonly rulesPending: number;
  /** What went wrong last, and what to change on which side. */
  readonly lastError: string | undefined;
  /** The likely reason if the session stays in its state for too long without a known cause; otherwise undefined. */
  readonly hint: string | undefined;
  /** Kept until the session is established; undefined without a NOTIFICATION. */
  readonly lastCause: SessionCause | undefined;
  readonly lastNotificationSent: NotificationSummary | undefined;
  readonly lastNotificationReceived: NotificationSummary | undefined;
  readonly counters: SessionCounters;
  /** Start of the counters in milliseconds since the epoch. */
  readonly countedSince: number;
  /** Time at which an established session last ended without a request of this side; undefined: never in this time. */
  readonly lastFlapAt: number | undefined;
}

/** Events of a speaker. Called synchronously; must not throw. */
export interface SpeakerListener {
  /**
   * A session reached Established. Its Adj-RIB-Out is empty. The listener announces its routes and then calls for
   * End-of-RIB.
   */
  readonly onEstablished?: (peer: string) => void;
  /** A session left Established; its Adj-RIB-Out is gone. */
  readonly onDown?: (peer: string, why: string) => void;
  /** These routes were just handed to the transport. */
  readonly onSent?: (peer: string, announced: readonly OutRoute[], withdrawn: readonly OutRoute[]) => void;
  /**
   * The peer's TCP has acknowledged the routes of an `onSent`, in the same order: they have left this host, but the
   * peer may not have read them. Never called for routes that were unacknowledged when the session ended.
   */
  readonly onAcknowledged?: (
    peer: string,
    announced: readonly OutRoute[],
    withdrawn: readonly OutRoute[],
  ) => void;
  /** A log line for an operator, about one neighbor or undefined; `fields` hold no secrets. */
  readonly onLog?: (
    level: 'debug' | 'info' | 'warn' | 'error',
    peer: string | undefined,
    text: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void;
}
