/**
 * `inventory.yaml` as plain data: the file's keys, those of upstream prefixd included, with only their types checked.
 */
import type { ProfileName } from './profile.ts';

export interface InventoryData {
  readonly customers: readonly CustomerData[];
}

export interface CustomerData {
  readonly customer_id: string;
  /** Defaults to customer_id. */
  readonly name?: string | undefined;
  /** IPv4 or IPv6 prefixes, or bare addresses. */
  readonly prefixes?: readonly string[] | undefined;
  /** Defaults to normal. */
  readonly policy_profile?: ProfileName | undefined;
  readonly services?: readonly ServiceData[] | undefined;
}

export interface ServiceData {
  readonly service_id: string;
  /** Defaults to service_id. */
  readonly name?: string | undefined;
  readonly assets?: readonly AssetData[] | undefined;
  /** Destination ports that are never discarded, by protocol: numbers, and ranges such as `27015-27030`. */
  readonly allowed_ports?:
    | {
        readonly udp?: readonly (number | string)[] | undefined;
        readonly tcp?: readonly (number | string)[] | undefined;
      }
    | undefined;
}

export interface AssetData {
  /** An address or a prefix; the first address of a range when range_end is given. */
  readonly ip: string;
  /** The last address of a range, of the same family, not below ip. */
  readonly range_end?: string | undefined;
  readonly role?: string | undefined;
}
