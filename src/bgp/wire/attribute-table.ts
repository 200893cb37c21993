/** Names and flags of the path attributes that this speaker knows. */
import { AttributeType } from './iana.ts';

/** Attribute flags (RFC 4271 §4.3). The lower four bits are unused. */
export const AttributeFlag = {
  Optional: 0x80,
  Transitive: 0x40,
  Partial: 0x20,
  ExtendedLength: 0x10,
} as const;

/** The bits that a specification fixes: a conflict in the others is not an error (RFC 7606 §3.c). */
export const FIXED_FLAGS = AttributeFlag.Optional | AttributeFlag.Transitive;

const WELL_KNOWN = AttributeFlag.Transitive;
const OPTIONAL_NON_TRANSITIVE = AttributeFlag.Optional;
const OPTIONAL_TRANSITIVE = AttributeFlag.Optional | AttributeFlag.Transitive;

/** One attribute: its name in the registry and its Optional and Transitive bits. */
export interface AttributeSpec {
  readonly name: string;
  readonly flags: number;
}

const SPECS: ReadonlyMap<number, AttributeSpec> = new Map([
  [AttributeType.Origin, { name: 'ORIGIN', flags: WELL_KNOWN }],
  [AttributeType.AsPath, { name: 'AS_PATH', flags: WELL_KNOWN }],
  [AttributeType.NextHop, { name: 'NEXT_HOP', flags: WELL_KNOWN }],
  [AttributeType.MultiExitDisc, { name: 'MULTI_EXIT_DISC', flags: OPTIONAL_NON_TRANSITIVE }],
  [AttributeType.LocalPref, { name: 'LOCAL_PREF', flags: WELL_KNOWN }],
  [AttributeType.AtomicAggregate, { name: 'ATOMIC_AGGREGATE', flags: WELL_KNOWN }],
  [AttributeType.Aggregator, { name: 'AGGREGATOR', flags: OPTIONAL_TRANSITIVE }],
  [AttributeType.Communities, { name: 'COMMUNITIES', flags: OPTIONAL_TRANSITIVE }],
  [AttributeType.OriginatorId, { name: 'ORIGINATOR_ID', flags: OPTIONAL_NON_TRANSITIVE }],
  [AttributeType.ClusterList, { name: 'CLUSTER_LIST', flags: OPTIONAL_NON_TRANSITIVE }],
  [AttributeType.MpReachNlri, { name: 'MP_REACH_NLRI', flags: OPTIONAL_NON_TRANSITIVE }],
  [AttributeType.MpUnreachNlri, { name: 'MP_UNREACH_NLRI', flags: OPTIONAL_NON_TRANSITIVE }],
  [AttributeType.ExtendedCommunities, { name: 'EXTENDED_COMMUNITIES', flags: OPTIONAL_TRANSITIVE }],
  [AttributeType.As4Path, { name: 'AS4_PATH', flags: OPTIONAL_TRANSITIVE }],
  [AttributeType.As4Aggregator, { name: 'AS4_AGGREGATOR', flags: OPTIONAL_TRANSITIVE }],
  [AttributeType.Ipv6ExtendedCommunities, { name: 'IPv6 EXTENDED_COMMUNITIES', flags: OPTIONAL_TRANSITIVE }],
  [AttributeType.LargeCommunities, { name: 'LARGE_COMMUNITY', flags: OPTIONAL_TRANSITIVE }],
]);

/** Returns the attribute of a type code, or undefined if this speaker does not know it. */
export function attributeSpec(type: number): AttributeSpec | undefined {
  return SPECS.get(type);
}

/** Returns an attribute's name in the registry, or `attribute N`. */
export function attributeName(type: number): string {
  return SPECS.get(type)?.name ?? `attribute ${type}`;
}
