/**
 * Defines the inventory: the keys of inventory.yaml, including all keys of upstream prefixd, and their types.
 * `buildInventory` checks how values fit together.
 */
import { z } from 'zod';
import { PROFILE_NAMES } from './profile.ts';
import { type DeepReadonly, oneOf, popNames, words } from './value-kinds.ts';

/** A port, or a range of ports as text; the text is checked where it is parsed. */
const portOrRange = z
  .union([z.int().min(0).max(65535), z.string()])
  .meta({ expects: 'a port from 0 to 65535, or a range such as "27015-27030"' });

const asset = z.strictObject({
  ip: words.describe('An address or a prefix; the first address of a range if `range_end` is set.'),
  range_end: words.optional().describe('The last address of a range.'),
  role: z.string().optional().describe('Free text for people.'),
  interface: z.string().optional().describe('Accepted from upstream prefixd, but not used.'),
});

const pops = popNames.optional();

/** A prefix, with its POPs if they are not the customer's. */
const prefixEntry = z
  .union([words, z.strictObject({ prefix: words, pops: popNames })])
  .meta({ expects: 'a prefix, or { prefix: 203.0.113.0/24, pops: [fra1] }' });

const service = z.strictObject({
  service_id: words.describe('Unique within the customer.'),
  name: z.string().optional().describe('Name for people. Default: `service_id`.'),
  pops: pops.describe(
    "POPs through which the service's traffic enters. Default: those of the prefix around an address.",
  ),
  assets: z
    .array(asset)
    .optional()
    .describe(
      "The service's addresses. An asset takes precedence over prefixes. If several services of a customer share an address, their allowed ports add up.",
    ),
  allowed_ports: z
    .strictObject({
      udp: z.array(portOrRange).optional().describe('UDP ports.'),
      tcp: z.array(portOrRange).optional().describe('TCP ports.'),
    })
    .optional()
    .describe('Destination ports that a discard must never touch; a police may limit their rate.'),
});

/** One customer. */
export const customerSchema = z.strictObject({
  customer_id: words.describe('Unique.'),
  name: z.string().optional().describe('Name for people. Default: `customer_id`.'),
  prefixes: z
    .array(prefixEntry)
    .optional()
    .describe(
      "IPv4 and IPv6 prefixes; the longest match decides. `{ prefix: 203.0.113.0/24, pops: [fra1] }` names a prefix's own POPs.",
    ),
  pops: pops.describe(
    "POPs through which the customer's traffic enters, for steps with `scope: victim`. The most specific `pops` wins: a service's, a prefix's, the customer's. Default: all POPs.",
  ),
  policy_profile: oneOf(PROFILE_NAMES)
    .optional()
    .describe('Selects the factors in `profiles`: how soon and how long to mitigate. Default: normal.'),
  services: z.array(service).optional().describe('Services with their own addresses and ports.'),
});

/** The content of inventory.yaml. */
export const inventorySchema = z.strictObject({
  customers: z.array(customerSchema).describe('The customers that may be protected.'),
});

export type InventoryData = DeepReadonly<z.infer<typeof inventorySchema>>;
export type CustomerData = DeepReadonly<z.infer<typeof customerSchema>>;
export type ServiceData = DeepReadonly<z.infer<typeof service>>;
export type PrefixEntryData = NonNullable<CustomerData['prefixes']>[number];
export type AssetData = DeepReadonly<z.infer<typeof asset>>;

/** Returns the prefix of an entry as it is written. */
export function prefixOf(entry: PrefixEntryData): string {
  return typeof entry === 'string' ? entry : entry.prefix;
}
