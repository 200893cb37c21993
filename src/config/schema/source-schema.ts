/** Defines the section `inventory`: another system whose customers are protected, besides those of inventory.yaml. */
import { z } from 'zod';
import { decimal, flag, integer, oneOf, text, words } from '../../core/policy/value-kinds.ts';
import {
  CUSTOMER_KINDS,
  type FILTERED_LISTS,
  GLOBAL_TABLE,
  SOURCE_KINDS,
} from '../../inventory/source-settings.ts';
import { environment, path, webUrl } from './fields.ts';

const parameterName = text('the name of a query parameter, such as status', (value) =>
  /^[a-z][a-z0-9_]{0,99}$/.test(value),
);

const parameterValue = z
  .union([words, z.int(), z.boolean(), z.array(z.union([words, z.int(), z.boolean()])).min(1)])
  .meta({ expects: 'a text, a number, true or false, or a list of them' });

const parameters = z
  .record(parameterName, parameterValue)
  .default({})
  .describe(
    'Query parameters, as NetBox documents them for this list; a list of values repeats the parameter.',
  );

const customField = text('the name of a custom field', (value) => /^[A-Za-z0-9_]{1,50}$/.test(value));

/** The section `inventory`. */
export const inventorySource = z.strictObject({
  source: oneOf(SOURCE_KINDS).describe(
    '`netbox`: NetBox, version 3.7 or later; `http`: a URL that answers with the content of inventory.yaml as JSON.',
  ),
  url: webUrl.describe('Address of NetBox, or of the document.'),
  token_env: environment
    .optional()
    .describe('Environment variable that contains the API token, of either form. NetBox always needs one.'),
  ca_path: path
    .optional()
    .describe("PEM file of the CA that signed the server's certificate. Default: the system's CAs."),
  allow_http: flag
    .default(false)
    .describe('Allows `http://` to other machines, which shows the token to everyone on the way.'),
  refresh_seconds: integer(10, 86_400, 'seconds')
    .default(300)
    .describe('Time from one read to the next. Each reads everything.'),
  filter: z
    .strictObject({
      tenants: parameters,
      prefixes: parameters,
      ip_addresses: parameters,
      ip_ranges: parameters,
      services: parameters,
    } satisfies Record<(typeof FILTERED_LISTS)[number], z.ZodType>)
    .prefault({})
    .describe("Narrows NetBox's lists. An object whose tenant is left out belongs to no customer."),
  vrf: words
    .default(GLOBAL_TABLE)
    .describe('VRF whose prefixes and addresses are read, by name; `global`: those without a VRF.'),
  customer: oneOf(CUSTOMER_KINDS)
    .default('tenant')
    .describe(
      'What is one customer: a tenant, or all tenants of a tenant group. Its slug is the `customer_id`.',
    ),
  profile_field: customField
    .optional()
    .describe('Custom field of tenants (or tenant groups) with `strict`, `normal` or `relaxed`.'),
  ports_field: customField
    .optional()
    .describe('Custom field of IP addresses and ranges with allowed ports, such as `udp/53, tcp/80-90`.'),
  safelist_tag: words
    .optional()
    .describe('Tag, by slug or name, of prefixes and IP addresses that are never mitigated.'),
  pops: oneOf(['none', 'site'])
    .default('none')
    .describe("`site`: a prefix's site is its POP, by its slug; `none`: prefixes name no POP."),
  shrink_guard: decimal(0, 1)
    .default(0.8)
    .describe(
      'Share of the prefixes that a new inventory must keep; below it, and if a customer with active mitigations is missing, it waits for `prefixd inventory accept`.',
    ),
  webhook_secret_env: environment
    .optional()
    .describe(
      'Environment variable that contains the secret of the webhook (`X-Hook-Signature`). Default: no webhook.',
    ),
});

/** Query parameters that prefixd sets by itself. */
export const OWN_PARAMETERS: ReadonlySet<string> = new Set([
  'limit',
  'offset',
  'start',
  'ordering',
  'fields',
  'omit',
  'brief',
  'exclude',
  'format',
  'export',
  'vrf_id',
]);
