/** Checks the POPs of playbooks and inventory against what this POP knows of the others. */
import type { InventoryData } from '../../core/policy/inventory-schema.ts';
import type { StepData } from '../../core/policy/playbook-schema.ts';
import type { Policy } from '../../core/policy/policy.ts';
import type { Findings, Path } from '../config-problem.ts';
import { stepsOf } from './playbook-checks.ts';

/**
 * Warns about scopes that cannot be carried out: without an exchange no other POP learns of a rule, and a name that is
 * nobody's reaches nobody. `found` takes paths as if all playbook files were one.
 */
export function scopeChecks(policy: Policy, found: Findings): void {
  const { pop, exchange, playbooks, inventory } = policy;
  const known = new Set([pop, ...(exchange?.accept ?? [])]);
  const namesPops = hasPops(inventory.data);
  for (const { step, path } of stepsOf(playbooks.data, pop)) {
    const { scope } = step;
    if (scope === undefined || scope === 'here') continue;
    const at: Path = [...path, 'scope'];
    if (exchange === undefined) {
      const fix = 'add exchange to prefixd.yaml, or remove scope';
      found.warning(at, withoutExchange(scope, pop), fix);
      continue;
    }
    if (scope === 'victim' && !namesPops) {
      const why = 'the inventory names no pops, so this scope means every POP';
      found.warning(at, why, 'add pops to customers of the inventory, or write everywhere');
    }
    for (const name of typeof scope === 'string' ? [] : scope) {
      if (known.has(name)) continue;
      const why = `"${name}" is neither this POP nor in exchange.accept`;
      found.warning(
        at,
        why,
        `correct the name, or add it to exchange.accept; ignore this if ${name} accepts ${pop}`,
      );
    }
  }
}

function withoutExchange(scope: NonNullable<StepData['scope']>, pop: string): string {
  const isHere = typeof scope === 'string' || scope.includes(pop);
  return isHere
    ? 'there is no exchange, so no other POP learns of its rules'
    : `there is no exchange, and the scope leaves out this POP (${pop}): its rules are announced nowhere`;
}

/** True if an entry of the inventory names POPs. */
function hasPops({ customers }: InventoryData): boolean {
  return customers.some(
    ({ pops, prefixes = [], services = [] }) =>
      pops !== undefined ||
      prefixes.some((entry) => typeof entry !== 'string') ||
      services.some((service) => service.pops !== undefined),
  );
}
