/**
 * What may stand in inventory.yaml: the keys and their types. Upstream prefixd's keys are all known. What the values mean
 * together is judged by the core (`buildInventory`).
 */
import { z } from 'zod';
import { oneOf, portOrRange, words } from './fields.ts';

const asset = z.strictObject({
  ip: words.describe('An address or a prefix; the first address of a range when `range_end` is given.'),
  range_end: words.optional().describe('The last address of a range.'),
  role: z.string().optional().describe('A word for people.'),
  interface: z.string().optional().describe('Known from upstream prefixd; read and not used.'),
});

const service = z.strictObject({
  service_id: words.describe('Unique within the customer.'),
  name: z.string().optional().describe('Name for people. Absent: `service_id`.'),
  assets: z
    .array(asset)
    .optional()
    .describe(
      'The addresses of the service. An asset wins over prefixes. Where several services of a customer have one address, their allowed ports add up.',
    ),
  allowed_ports: z
    .strictObject({
      udp: z.array(portOrRange).optional().describe('UDP ports.'),
      tcp: z.array(portOrRange).optional().describe('TCP ports.'),
    })
    .optional()
    .describe('Destination ports that rules leave alone, or at most police.'),
});

/** One customer. */
export const customerSchema = z.strictObject({
  customer_id: words.describe('Unique.'),
  name: z.string().optional().describe('Name for people. Absent: `customer_id`.'),
  prefixes: z.array(words).optional().describe('IPv4 and IPv6 prefixes; the longest match decides.'),
  policy_profile: oneOf(['strict', 'normal', 'relaxed'])
    .optional()
    .describe('How soon and how long to mitigate; see `profiles`. Absent: normal.'),
  services: z.array(service).optional().describe('Services with addresses and ports of their own.'),
});

/** inventory.yaml */
export const inventorySchema = z.strictObject({
  customers: z.array(customerSchema).describe('Who may be protected.'),
});
