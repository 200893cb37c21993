/** Victims (an address or a prefix) and their owners. */
import { formatPrefix, makePrefix, type Prefix, parseAddress, knownPrefix } from '../net/prefix.ts';
import { isImported } from './intent.ts';
import { isActive } from './state/indices.ts';
import type { Inventory } from './policy/inventory.ts';
import type { Ownership } from './policy/ownership.ts';
import type { DecisionView } from './state/state-view.ts';
import type { Mitigation } from './types.ts';

export { NO_ALLOWED_PORTS } from './policy/ownership.ts';

/**
 * Returns the owner of an address or a prefix; undefined when nobody owns it. A prefix has an owner when one customer
 * owns all of it; it has the allowed ports of every asset inside.
 */
export function ownerOf(inventory: Inventory, victim: string): Ownership | undefined {
  if (isPrefixVictim(victim)) return inventory.lookupPrefix(victimPrefix(victim));
  const address = parseAddress(victim);
  return address === undefined ? undefined : inventory.lookup(address);
}

/** Describes the inventory's entry for a victim. */
export function ownerWords(victim: string, owner: Ownership | undefined): string {
  if (owner === undefined) {
    return isPrefixVictim(victim)
      ? `no customer of the inventory owns all of ${victim}`
      : `${victim} is not in the inventory`;
  }
  return `${victim} belongs to customer ${owner.customerId}${serviceWords(owner)} (${owner.entry}, profile ${owner.profile})`;
}

function serviceWords({ serviceIds }: Ownership): string {
  if (serviceIds.length === 0) return '';
  if (serviceIds.length === 1) return `, service ${serviceIds[0]}`;
  return `, services ${serviceIds.join(', ')} (allowed ports combined)`;
}

/** True for a victim that is a prefix rather than an address. */
export function isPrefixVictim(victim: string): boolean {
  return victim.includes('/');
}

/** Returns a victim as a prefix, an address as /32 or /128. Throws RangeError for any other text. */
export function victimPrefix(victim: string): Prefix {
  return knownPrefix(victim);
}

/**
 * Lists this POP's own active mitigations of this victim and of prefixes that cover it, in order of creation. Those of
 * other POPs are their owners' business.
 */
export function mitigationsCovering(state: DecisionView, victim: string): readonly Mitigation[] {
  const ids = new Set(state.liveOfVictim(victim));
  for (const length of state.prefixLengths(victim.includes(':') ? 6 : 4)) {
    const prefix = victimPrefix(victim);
    if (length >= prefix.length) continue;
    const around = formatPrefix(makePrefix(prefix.address, length));
    for (const id of state.liveOfVictim(around)) ids.add(id);
  }
  return [...ids]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter((mitigation) => isActive(mitigation) && !isImported(mitigation))
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}
