/** Whom an attack hits. */
import { parseAddress } from '../net/prefix.ts';
import type { AllowedPorts, Inventory, Ownership } from './inventory.ts';

export const NO_ALLOWED_PORTS: AllowedPorts = { udp: [], tcp: [] };

/** The owner of an address in text; undefined when nobody owns it. */
export function ownerOf(inventory: Inventory, victim: string): Ownership | undefined {
  const address = parseAddress(victim);
  return address === undefined ? undefined : inventory.lookup(address);
}

/** The inventory's entry in words. */
export function ownerWords(victim: string, owner: Ownership | undefined): string {
  if (owner === undefined) return `${victim} is in no entry of the inventory`;
  const service = owner.serviceId === null ? '' : `, service ${owner.serviceId}`;
  return `${victim} belongs to customer ${owner.customerId}${service} (${owner.entry}, profile ${owner.profile})`;
}
