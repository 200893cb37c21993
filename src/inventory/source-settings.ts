/** Defines where customers are read from, besides inventory.yaml, and how a system's objects become customers. */

/** The kinds of sources. `http`: any server that answers with the content of inventory.yaml as JSON. */
export const SOURCE_KINDS = ['netbox', 'http'] as const;

export type SourceKind = (typeof SOURCE_KINDS)[number];

/** NetBox's lists that a filter can narrow. */
export const FILTERED_LISTS = ['tenants', 'prefixes', 'ip_addresses', 'ip_ranges', 'services'] as const;

export type FilteredList = (typeof FILTERED_LISTS)[number];

/** Query parameters of one list; a parameter with several values is repeated. */
export type ListFilter = Readonly<Record<string, readonly string[]>>;

/** What counts as one customer. */
export const CUSTOMER_KINDS = ['tenant', 'tenant_group'] as const;

export type CustomerKind = (typeof CUSTOMER_KINDS)[number];

/** The value of `vrf` for objects without a VRF. */
export const GLOBAL_TABLE = 'global';

/** How NetBox's objects become customers. */
export interface MappingSettings {
  readonly customer: CustomerKind;
  /** Custom field of the tenant (or tenant group) with the customer's profile. */
  readonly profileField: string | undefined;
  /** Custom field of addresses and ranges with their allowed ports, such as `udp/53, tcp/80-90`. */
  readonly portsField: string | undefined;
  /** Tag of prefixes and addresses that are never mitigated, by slug or name. */
  readonly safelistTag: string | undefined;
  /** Where the POPs of a prefix come from. */
  readonly pops: 'none' | 'site';
}

export interface SourceSettings extends MappingSettings {
  readonly source: SourceKind;
  readonly url: string;
  /** A secret; undefined: none is sent. */
  readonly token: string | undefined;
  /** Absolute path of a PEM file. */
  readonly caPath: string | undefined;
  readonly refreshSeconds: number;
  readonly filter: Readonly<Record<FilteredList, ListFilter>>;
  /** A VRF's name, or `GLOBAL_TABLE`. */
  readonly vrf: string;
  /** Share of the prefixes that a new inventory must keep to be adopted without confirmation, from 0 to 1. */
  readonly shrinkGuard: number;
  /** Key of the webhook's signature; a secret. Undefined: the webhook is off. */
  readonly webhookSecret: string | undefined;
}

/** Limits of one read, so that no answer can exhaust memory or time. */
export interface ReadLimits {
  readonly connectMs: number;
  /** Time to the beginning of an answer, and between two parts of it (ms). */
  readonly silenceMs: number;
  /** Time for the whole read (ms). */
  readonly totalMs: number;
  /** Size of one page (bytes). */
  readonly pageBytes: number;
  /** Number of objects in all lists. */
  readonly objects: number;
  /** Objects that a page is asked to have. */
  readonly pageSize: number;
  /** Number of times that a list, or the whole, is read again because it changed meanwhile. */
  readonly again: number;
  /** Number of times in a row that a page is asked for again after "too many requests" or "unavailable". */
  readonly patience: number;
  /** Longest pause before that (ms); a longer one ends the read. */
  readonly longestPauseMs: number;
}

const MIB = 1024 * 1024;

export const READ_LIMITS: ReadLimits = {
  connectMs: 10_000,
  silenceMs: 60_000,
  totalMs: 30 * 60_000,
  pageBytes: 32 * MIB,
  objects: 3_000_000,
  pageSize: 1000,
  again: 5,
  patience: 5,
  longestPauseMs: 60_000,
};

/** Size of a whole inventory, as a document of a source or as the copy on disk (bytes). */
export const MOST_CONTENT_BYTES = 256 * MIB;
