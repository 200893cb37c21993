/** What a speaker is told about its neighbors and what it tells about them. Data only. */
import type { Family } from '../wire/iana.ts';
import type { OutRoute } from '../rib/route.ts';

/** Where a neighbor is reached. */
export type NeighborAddress =
  /** `host` is an IPv4 or IPv6 address, the latter with an optional zone (`fe80::1%eth0`). */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** A UNIX socket at which a helper listens that owns the privileged side. */
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
  /** GTSM (RFC 5082): how many hops away the neighbor may be; 1 is directly connected. */
  readonly ttlSecurityHops?: number;
  /** 0 (no keepalives) or 3..65535. */
  readonly holdTimeSeconds: number;
  /** Exactly these are offered, in this order; at least one. */
  readonly families: readonly Family[];
  readonly gracefulRestart?: {
    /** 0..4095 (RFC 4724 §3). */
    readonly restartTimeSeconds: number;
    /** 0 turns long-lived graceful restart off; up to 16777215 (RFC 9494 §3). */
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
  /** Where passive sessions are accepted; absent: nowhere. Port 0 takes any free port. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly neighbors: readonly NeighborSettings[];
}

/** FSM states in the words of RFC 4271 §8.2.2, lower case as the API shows them. */
export type SessionState = 'idle' | 'connect' | 'active' | 'opensent' | 'openconfirm' | 'established';

/** What both sides agreed on when the session was established. */
export interface Negotiated {
  /** Seconds; 0 means no keepalives. */
  readonly holdTimeSeconds: number;
  readonly families: readonly Family[];
  readonly fourOctetAs: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  readonly extendedMessages: boolean;
  /** True when the peer keeps our routes while we restart, for at least one family. */
  readonly gracefulRestart: boolean;
  readonly peerRouterId: string;
}

/** Messages and events counted since the process started. */
export interface SessionCounters {
  readonly messagesIn: Readonly<Record<MessageName, number>>;
  readonly messagesOut: Readonly<Record<MessageName, number>>;
  /** NLRI received and dropped; this speaker takes no routes. */
  readonly routesReceived: number;
  readonly established: number;
  readonly flaps: number;
}

/** Message types as counters and captures name them. */
export type MessageName = 'open' | 'update' | 'notification' | 'keepalive' | 'route_refresh';

/** A NOTIFICATION that was sent or received. */
export interface NotificationSummary {
  readonly code: number;
  readonly subcode: number;
  /** In words, the shutdown communication included. */
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Why a session does not come up, as BGP says it: a NOTIFICATION that one side sent. */
export interface SessionCause {
  /** What went wrong, and what to change on which side. */
  readonly text: string;
  /** When it first came in a row, and how often (ms since the epoch). */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  /** What has happened since on the connections themselves, such as refused or reset ones; null when nothing has. */
  readonly symptom: string | null;
}

/** The state of one neighbor, a snapshot. */
export interface PeerStatus {
  readonly name: string;
  /** As configured, for people: `192.0.2.1:179` or `unix:/path`. */
  readonly address: string;
  readonly peerAsn: number;
  readonly state: SessionState;
  /** When it came into this state; milliseconds since the epoch. */
  readonly stateSince: number;
  readonly enabled: boolean;
  /** Milliseconds since the epoch; null unless established. */
  readonly establishedAt: number | null;
  readonly families: readonly Family[];
  readonly negotiated: Negotiated | null;
  /** Rules that the peer's TCP has acknowledged and that were not withdrawn since. */
  readonly rulesSent: number;
  /** Changes that wait to be written, or to be acknowledged. */
  readonly rulesPending: number;
  /** What went wrong last, and what to change on which side. */
  readonly lastError: string | null;
  /** What may keep the session in its state, where it is in it too long and no cause is known; else null. */
  readonly hint: string | null;
  /** Kept until the session is established; null when no NOTIFICATION explains why it is not. */
  readonly lastCause: SessionCause | null;
  readonly lastNotificationSent: NotificationSummary | null;
  readonly lastNotificationReceived: NotificationSummary | null;
  readonly counters: SessionCounters;
  /** Since when the counters count; milliseconds since the epoch. */
  readonly countedSince: number;
  /** When an established session ended last without somebody here asking for it; null: never since then. */
  readonly lastFlapAt: number | null;
}

/** What a speaker reports as it happens. Called synchronously; must not throw. */
export interface SpeakerListener {
  /**
   * A session reached Established. Its Adj-RIB-Out is empty. The listener answers by announcing and, once everything is
   * queued, by asking for End-of-RIB.
   */
  readonly onEstablished?: (peer: string) => void;
  /** A session left Established; its Adj-RIB-Out is gone. */
  readonly onDown?: (peer: string, why: string) => void;
  /** These octets were handed to the transport just now. */
  readonly onSent?: (peer: string, announced: readonly OutRoute[], withdrawn: readonly OutRoute[]) => void;
  /**
   * The peer's TCP has acknowledged what `onSent` told of, in the same order: it has left this host, though the peer need
   * not have read it. Never called for what a session had not had acknowledged when it ended.
   */
  readonly onAcknowledged?: (
    peer: string,
    announced: readonly OutRoute[],
    withdrawn: readonly OutRoute[],
  ) => void;
  /** Something worth a line in the log. `level` and `text` are for an operator; `fields` hold no secrets. */
  readonly onLog?: (
    level: 'debug' | 'info' | 'warn' | 'error',
    peer: string | null,
    text: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void;
}
