/** The vocabulary of a Flow Specification (RFC 8955, RFC 8956): rules and actions as data. */
import type { Prefix } from '../../net/prefix.ts';

/** Component types (RFC 8955 §4.2.2, RFC 8956 §3). */
export const ComponentType = {
  DestinationPrefix: 1,
  SourcePrefix: 2,
  IpProtocol: 3,
  Port: 4,
  DestinationPort: 5,
  SourcePort: 6,
  IcmpType: 7,
  IcmpCode: 8,
  TcpFlags: 9,
  PacketLength: 10,
  Dscp: 11,
  Fragment: 12,
  FlowLabel: 13,
} as const;

/** One {operator, value} pair of a numeric component (RFC 8955 §4.2.1.1). */
export interface NumericOp {
  /** AND with the pair before it; never true on the first. Pairs without it start a new alternative (OR). */
  readonly and: boolean;
  readonly lt: boolean;
  readonly gt: boolean;
  readonly eq: boolean;
  /** 0..2^64-1; a bigint only above Number.MAX_SAFE_INTEGER. */
  readonly value: number | bigint;
}

/** One {operator, bitmask} pair of a bitmask component (RFC 8955 §4.2.1.2). */
export interface BitmaskOp {
  readonly and: boolean;
  readonly not: boolean;
  /** True: (data AND value) == value. False: (data AND value) != 0. */
  readonly match: boolean;
  /** 0..65535 */
  readonly value: number;
}

/** Types 1 and 2. `offset` (bits) is IPv6 only, usually 0; 0 <= offset < prefix.length, or both 0. */
export interface PrefixComponent {
  readonly type: 1 | 2;
  readonly prefix: Prefix;
  readonly offset: number;
}

/** Types whose values are numbers; 13 (flow label) is IPv6 only. */
export interface NumericComponent {
  readonly type: 3 | 4 | 5 | 6 | 7 | 8 | 10 | 11 | 13;
  /** At least one. */
  readonly ops: readonly NumericOp[];
}

/** Types whose values are bit masks: TCP flags and fragment. */
export interface BitmaskComponent {
  readonly type: 9 | 12;
  /** At least one. */
  readonly ops: readonly BitmaskOp[];
}

export type Component = PrefixComponent | NumericComponent | BitmaskComponent;

/** The match of a rule: components in ascending order of type, each type once. */
export interface FlowSpec {
  /** 1 (IPv4) or 2 (IPv6). */
  readonly afi: 1 | 2;
  /** 133, or 134 with a route distinguisher. */
  readonly safi: 133 | 134;
  /** Eight octets (RFC 4364 §4.2); present exactly when safi is 134. */
  readonly rd?: Uint8Array;
  readonly components: readonly Component[];
}

/** A route target in its three forms: 2-octet AS (0x8008), IPv4 address (0x8108), 4-octet AS (0x8208). */
export type RouteTarget =
  | { readonly form: 'as2'; readonly asn: number; readonly value: number }
  | { readonly form: 'ipv4'; readonly address: Uint8Array; readonly value: number }
  | { readonly form: 'as4'; readonly asn: number; readonly value: number };

/** An action on the packets that match (RFC 8955 §7). */
export type Action =
  /** traffic-rate-bytes (0x8006). 0 discards. Bits a second here, bytes a second (float32) on the wire. */
  | { readonly type: 'traffic-rate'; readonly bitsPerSecond: number; readonly asn: number }
  /** traffic-rate-packets (0x800c). Packets a second, float32 on the wire. */
  | { readonly type: 'traffic-rate-packets'; readonly packetsPerSecond: number; readonly asn: number }
  /** traffic-action (0x8007). `terminal: true` (the T bit) lets evaluation continue with further rules. */
  | { readonly type: 'traffic-action'; readonly sample: boolean; readonly terminal: boolean }
  /** traffic-marking (0x8009). 0..63 */
  | { readonly type: 'marking'; readonly dscp: number }
  /** redirect to VRF (0x8008, 0x8108, 0x8208). */
  | { readonly type: 'redirect-vrf'; readonly target: RouteTarget }
  /**
   * redirect to IP. `form` 'ietf' (0x010c; IPv6 0x000c in attribute 25) carries the address in the community.
   * 'draft-00' (0x0800) carries it in the next hop, so `address` may be absent if only the communities were decoded.
   */
  | {
      readonly type: 'redirect-ip';
      readonly form: 'ietf' | 'draft-00';
      readonly address?: Uint8Array;
      readonly copy: boolean;
    }
  /** redirect to VRF by an IPv6 address specific route target (0x000d in attribute 25, RFC 8956 §6.1; GoBGP: 0x800b). */
  | { readonly type: 'redirect-vrf-ipv6'; readonly address: Uint8Array; readonly value: number }
  /** An extended community of 8 or 20 octets that is not a known action; kept as it is. */
  | { readonly type: 'unknown'; readonly octets: Uint8Array };
