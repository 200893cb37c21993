/** Checks the section `inventory`, without network. */
import { isPrivateHost } from '../../alert/post.ts';
import { FILTERED_LISTS } from '../../inventory/source-settings.ts';
import type { Findings } from '../config-problem.ts';
import type { DeepPartial } from '../parse-partial.ts';
import { isLoopback } from '../schema/fields.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import { OWN_PARAMETERS } from '../schema/source-schema.ts';

/** Keys that only NetBox has a meaning for. */
const NETBOX_ONLY = ['profile_field', 'ports_field', 'safelist_tag', 'webhook_secret_env'] as const;

export function sourceChecks({ inventory: source }: DeepPartial<Settings>, found: Findings): void {
  if (source === undefined) return;
  urlChecks(source, found);
  if (source.source === 'http') {
    for (const key of NETBOX_ONLY) {
      if (source[key] === undefined) continue;
      found.problem(['inventory', key], `${key} has no effect with source http`, 'remove it');
    }
    return;
  }
  if (source.source === 'netbox' && source.token_env === undefined) {
    const fix = 'add token_env, with a token that may view the objects';
    found.problem(['inventory'], 'NetBox needs a token', fix);
  }
  for (const list of FILTERED_LISTS) {
    for (const name of Object.keys(source.filter?.[list] ?? {})) {
      if (!OWN_PARAMETERS.has(name)) continue;
      const fix = name === 'vrf_id' ? 'use inventory.vrf' : 'remove it';
      found.problem(['inventory', 'filter', list, name], `prefixd sets ${name} by itself`, fix);
    }
  }
}

function urlChecks(
  { url: written, allow_http: allowHttp }: NonNullable<DeepPartial<Settings>['inventory']>,
  found: Findings,
): void {
  if (written === undefined) return;
  const url = new URL(written);
  if (url.username !== '' || url.password !== '') {
    found.problem(
      ['inventory', 'url'],
      'the URL contains a user name or a password',
      'remove it, and use token_env',
    );
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isOwn = isLoopback(host) || (/(?:^|\.)localhost\.?$/.test(host) && isPrivateHost(host));
  if (url.protocol !== 'http:' || isOwn) return;
  const why = `the token is sent to ${url.hostname} unencrypted`;
  if (allowHttp === true) found.warning(['inventory', 'url'], why, 'use https://');
  else found.problem(['inventory', 'url'], why, 'use https://; allow_http allows unencrypted requests');
}
