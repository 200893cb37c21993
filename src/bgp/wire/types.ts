/**
 * BGP messages as data (RFC 4271 §4), without I/O and encoding. Octet fields of decoded messages are views of the
 * message: copy those that are kept for long.
 */
import type { Family } from './iana.ts';

/** Negotiated parameters that change the encoding; an argument of the codec. */
export interface CodecContext {
  /** AS_PATH and AGGREGATOR carry 4-octet AS numbers (RFC 6793). */
  readonly fourOctetAs: boolean;
  /** Messages of up to 65535 octets instead of 4096 (RFC 8654); never for OPEN and KEEPALIVE. */
  readonly extendedMessages: boolean;
  /** The peer is in our own AS; LOCAL_PREF is sent on internal sessions only (RFC 4271 §5.1.5). */
  readonly internal: boolean;
  /**
   * The sender advertised enhanced route refresh: the third octet of a ROUTE-REFRESH is a subtype, and errors follow
   * RFC 7313 §5. Absent or false: the octet is reserved (RFC 2918 §3).
   */
  readonly enhancedRouteRefresh?: boolean;
  /**
   * The peer may belong to our confederation, so that AS_PATH may hold its segments (RFC 5065 §5). Absent: only an internal
   * peer may send them.
   */
  readonly confederation?: boolean;
  /** Families whose NLRI the sender prefixes with a Path Identifier (RFC 7911 §3, §4). Absent: none. */
  readonly pathIdentifiers?: readonly Family[];
  /** IPv4 families whose next hop the sender may give as an IPv6 address (RFC 8950 §4). Absent: none. */
  readonly ipv6NextHops?: readonly Family[];
}

/** The context before the OPENs are exchanged: nothing is negotiated. */
export const INITIAL_CONTEXT: CodecContext = { fourOctetAs: false, extendedMessages: false, internal: false };

/** A capability (RFC 5492), in the order of appearance; unknown ones are kept as received. */
export type Capability =
  /** RFC 4760 §8, code 1 */
  | { readonly type: 'multiprotocol'; readonly family: Family }
  /** RFC 2918 §2, code 2 */
  | { readonly type: 'route-refresh' }
  /** RFC 8654 §3, code 6 */
  | { readonly type: 'extended-message' }
  /** RFC 4724 §3, code 64; `restartTime` 0..4095 s; `notification` is the N bit of RFC 8538 §2. */
  | {
      readonly type: 'graceful-restart';
      readonly restarting: boolean;
      readonly notification: boolean;
      readonly restartTime: number;
      readonly families: readonly { readonly family: Family; readonly forwardingPreserved: boolean }[];
    }
  /** RFC 6793 §3, code 65 */
  | { readonly type: 'four-octet-as'; readonly asn: number }
  /** RFC 7313 §3.1, code 70 */
  | { readonly type: 'enhanced-route-refresh' }
  /** RFC 9494 §3.1, code 71; `staleTime` 0..16777215 s */
  | {
      readonly type: 'long-lived-graceful-restart';
      readonly families: readonly {
        readonly family: Family;
        readonly forwardingPreserved: boolean;
        readonly staleTime: number;
      }[];
    }
  | { readonly type: 'unknown'; readonly code: number; readonly value: Uint8Array };

/** RFC 4271 §4.2 */
export interface OpenMessage {
  readonly type: 'open';
  /** Always 4: decoding refuses others with the NOTIFICATION for it (RFC 4271 §6.2). */
  readonly version: number;
  /** The 2-octet field: AS_TRANS if the AS number needs four. */
  readonly myAs: number;
  /** Seconds, 0..65535. */
  readonly holdTime: number;
  /** Four octets as a number; compared unsigned (RFC 4271 §6.8). */
  readonly bgpIdentifier: number;
  readonly capabilities: readonly Capability[];
}

/** RFC 4271 §4.4 */
export interface KeepaliveMessage {
  readonly type: 'keepalive';
}

/** RFC 4271 §4.5 */
export interface NotificationMessage {
  readonly type: 'notification';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/**
 * RFC 2918 §3; `subtype` is the third octet as received. With enhanced route refresh, 0 is a request, 1 and 2 mark the
 * beginning and end of the answer (RFC 7313 §3.2). Without it the octet is reserved and every message is a request.
 */
export interface RouteRefreshMessage {
  readonly type: 'route_refresh';
  readonly family: Family;
  readonly subtype: number;
}

/** One segment of an AS path (RFC 4271 §4.3, RFC 5065 §3). */
export interface AsPathSegment {
  readonly kind: 'set' | 'sequence' | 'confed-sequence' | 'confed-set';
  readonly asns: readonly number[];
}

/** Attributes by name; each appears at most once. Communities are the octets on the wire, concatenated. */
export interface PathAttributes {
  /** 0 IGP, 1 EGP, 2 INCOMPLETE */
  readonly origin?: number;
  readonly asPath?: readonly AsPathSegment[];
  /** Four octets. */
  readonly nextHop?: Uint8Array;
  readonly multiExitDisc?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: boolean;
  readonly aggregator?: { readonly asn: number; readonly address: Uint8Array };
  readonly communities?: Uint8Array;
  readonly originatorId?: Uint8Array;
  readonly clusterList?: Uint8Array;
  readonly extendedCommunities?: Uint8Array;
  readonly ipv6ExtendedCommunities?: Uint8Array;
  readonly largeCommunities?: Uint8Array;
  readonly mpReach?: MpReach;
  readonly mpUnreach?: MpUnreach;
  /** Attributes that this speaker does not know, as received, in order. */
  readonly unknown?: readonly UnknownAttribute[];
}

/** MP_REACH_NLRI (RFC 4760 §3). `nlri` holds the received octets, for the family's own decoder. */
export interface MpReach {
  readonly family: Family;
  readonly nextHop: Uint8Array;
  readonly nlri: Uint8Array;
}

/** MP_UNREACH_NLRI (RFC 4760 §4). Empty `nlri` is End-of-RIB of the family (RFC 4724 §2). */
export interface MpUnreach {
  readonly family: Family;
  readonly nlri: Uint8Array;
}

export interface UnknownAttribute {
  /** The flags octet. */
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
}

/** The reaction that RFC 7606 requires instead of a session reset. */
export interface AttributeProblem {
  /** Attribute type code; 0 if the attributes end before a type. */
  readonly attribute: number;
  readonly treatment: 'attribute-discard' | 'treat-as-withdraw';
  readonly reason: string;
  /**
   * The UPDATE Message Error subcode for which RFC 4271 §6.3 would reset the session; absent for a discarded attribute,
   * which is not an error of the message.
   */
  readonly subcode?: number;
}

/** RFC 4271 §4.3 */
export interface UpdateMessage {
  readonly type: 'update';
  /** WITHDRAWN ROUTES, IPv4 unicast NLRI as octets. */
  readonly withdrawn: Uint8Array;
  readonly attributes: PathAttributes;
  /** NLRI, IPv4 unicast as octets. */
  readonly nlri: Uint8Array;
  /** The problems and their treatment (RFC 7606 §2); empty for a correct message and for encoding. */
  readonly problems: readonly AttributeProblem[];
}

export type BgpMessage =
  | OpenMessage
  | UpdateMessage
  | NotificationMessage
  | KeepaliveMessage
  | RouteRefreshMessage;
