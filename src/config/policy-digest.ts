/** Computes a short digest of a policy, by which POPs see whether they decide alike. */
import { createHash } from 'node:crypto';
import type { Policy } from '../core/policy/policy.ts';
import type { Settings } from './schema/prefixd-schema.ts';

/** Settings that decisions follow. */
const SECTIONS = [
  'mode',
  'guardrails',
  'quotas',
  'timers',
  'escalation',
  'profiles',
  'aggregation',
  'safelist',
  'blackhole',
] as const satisfies readonly (keyof Settings)[];

/** Returns 12 hexadecimal digits that are equal for equal playbooks, inventories and limits. */
export function policyDigest(settings: Settings, { inventory, playbooks }: Policy): string {
  const hash = createHash('sha256');
  for (const section of SECTIONS) hash.update(JSON.stringify(settings[section]));
  hash.update(JSON.stringify(playbooks.data));
  hash.update(JSON.stringify(inventory.data));
  return hash.digest('hex').slice(0, 12);
}
