/** Converts the section `inventory` to the settings of a source. */
import { resolve } from 'node:path';
import type { SourceSettings } from '../inventory/source-settings.ts';
import type { Settings } from './schema/prefixd-schema.ts';
import type { Secrets } from './secrets.ts';

/** `folder`: relative paths start here. Undefined: all customers are in inventory.yaml. */
export function buildSource(
  { inventory }: Pick<Settings, 'inventory'>,
  secrets: Secrets,
  folder: string,
): SourceSettings | undefined {
  if (inventory === undefined) return undefined;
  const { filter } = inventory;
  return {
    source: inventory.source,
    url: inventory.url,
    token: secrets.get('inventory.token_env'),
    caPath: inventory.ca_path === undefined ? undefined : resolve(folder, inventory.ca_path),
    refreshSeconds: inventory.refresh_seconds,
    filter: {
      tenants: texts(filter.tenants),
      prefixes: texts(filter.prefixes),
      ip_addresses: texts(filter.ip_addresses),
      ip_ranges: texts(filter.ip_ranges),
      services: texts(filter.services),
    },
    vrf: inventory.vrf,
    customer: inventory.customer,
    profileField: inventory.profile_field,
    portsField: inventory.ports_field,
    safelistTag: inventory.safelist_tag,
    pops: inventory.pops,
    shrinkGuard: inventory.shrink_guard,
    webhookSecret: secrets.get('inventory.webhook_secret_env'),
  };
}

type Parameters = NonNullable<Settings['inventory']>['filter']['tenants'];

function texts(parameters: Parameters): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, [value].flat().map(String)]),
  );
}
