/** Compares two inventories entry by entry, and describes the effect on active mitigations. Pure. */
import type { Inventory } from '../core/policy/inventory.ts';
import {
  type AssetData,
  type CustomerData,
  type InventoryData,
  prefixOf,
  type ServiceData,
} from '../core/policy/inventory-schema.ts';
import { normalRanges, rangesLess, readRange } from '../core/policy/ports.ts';
import { USUAL_PROFILE } from '../core/policy/profile.ts';
import { allowedFor, excludedRanges } from '../core/decide/rule.ts';
import type { Mitigation, Range } from '../core/types.ts';
import { ownerOf } from '../core/victim.ts';
import { portWords, rangeText } from '../core/rule-text.ts';
import { canonicalAddress, formatPrefix, parsePrefix, unmapped } from '../net/prefix.ts';

/** Describes a prefix (owned by a customer) or an asset (owned by `customer/service`) whose owner changes; null: no owner. */
export interface EntryChange {
  readonly entry: string;
  readonly from: string | null;
  readonly to: string | null;
}

export interface PortsChange {
  readonly customer_id: string;
  readonly service_id: string;
  readonly protocol: 'udp' | 'tcp';
  /** Ports as text: `53`, `27015-27030`. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface CustomerChange {
  readonly customer_id: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** The changed keys. */
  readonly keys: readonly string[];
}

export interface InventoryDiff {
  readonly customers: readonly CustomerChange[];
  readonly prefixes: readonly EntryChange[];
  readonly assets: readonly EntryChange[];
  readonly allowed_ports: readonly PortsChange[];
}

export function inventoryDiff(before: InventoryData, after: InventoryData): InventoryDiff {
  return {
    customers: customerChanges(before, after),
    prefixes: entryChanges(prefixOwners(before), prefixOwners(after)),
    assets: entryChanges(assetOwners(before), assetOwners(after)),
    allowed_ports: portChanges(before, after),
  };
}

function customerChanges(before: InventoryData, after: InventoryData): readonly CustomerChange[] {
  const [old, wanted] = [byId(before), byId(after)];
  return [...new Set([...old.keys(), ...wanted.keys()])].flatMap((customer_id): readonly CustomerChange[] => {
    const [was, becomes] = [old.get(customer_id), wanted.get(customer_id)];
    if (becomes === undefined) return [{ customer_id, change: 'removed', keys: [] }];
    if (was === undefined) return [{ customer_id, change: 'added', keys: [] }];
    const keys = [
      ...((was.name ?? customer_id) === (becomes.name ?? customer_id) ? [] : ['name']),
      ...((was.policy_profile ?? USUAL_PROFILE) === (becomes.policy_profile ?? USUAL_PROFILE)
        ? []
        : ['policy_profile']),
      ...(popsText(was) === popsText(becomes) ? [] : ['pops']),
    ];
    return keys.length === 0 ? [] : [{ customer_id, change: 'changed', keys }];
  });
}

/** Returns the POPs of a customer, its prefixes and its services, for comparing. */
function popsText({ pops, prefixes = [], services = [] }: CustomerData): string {
  const ofPrefixes = prefixes.flatMap((entry) =>
    typeof entry === 'string' ? [] : [[entry.prefix, ...entry.pops]],
  );
  const ofServices = services.flatMap((service) =>
    service.pops === undefined ? [] : [[service.service_id, ...service.pops]],
  );
  return JSON.stringify([pops ?? null, ofPrefixes, ofServices]);
}

function byId({ customers }: InventoryData): ReadonlyMap<string, CustomerData> {
  return new Map(customers.map((customer) => [customer.customer_id, customer]));
}

type Owners = ReadonlyMap<string, ReadonlySet<string>>;

function prefixOwners({ customers }: InventoryData): Owners {
  const owners = new Map<string, Set<string>>();
  for (const { customer_id, prefixes } of customers) {
    for (const entry of prefixes ?? []) note(owners, prefixText(prefixOf(entry)), customer_id);
  }
  return owners;
}

function assetOwners(data: InventoryData): Owners {
  const owners = new Map<string, Set<string>>();
  for (const { customerId, service } of servicesOf(data)) {
    for (const asset of service.assets ?? []) {
      note(owners, assetText(asset), `${customerId}/${service.service_id}`);
    }
  }
  return owners;
}

function note(owners: Map<string, Set<string>>, entry: string, owner: string): void {
  const known = owners.get(entry);
  if (known === undefined) owners.set(entry, new Set([owner]));
  else known.add(owner);
}

/** Pairs each removed owner with an added one, as a move. */
function entryChanges(before: Owners, after: Owners): readonly EntryChange[] {
  const none: ReadonlySet<string> = new Set();
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((entry) => {
    const [old, wanted] = [before.get(entry) ?? none, after.get(entry) ?? none];
    const gone = [...old].filter((owner) => !wanted.has(owner));
    const come = [...wanted].filter((owner) => !old.has(owner));
    return Array.from({ length: Math.max(gone.length, come.length) }, (_, i) => ({
      entry,
      from: gone[i] ?? null,
      to: come[i] ?? null,
    }));
  });
}

function portChanges(before: InventoryData, after: InventoryData): readonly PortsChange[] {
  const [old, wanted] = [allowedOf(before), allowedOf(after)];
  return [...new Map([...old, ...wanted]).entries()].flatMap(
    ([key, { customer_id, service_id, protocol }]) => {
      const [was, becomes] = [old.get(key)?.ranges ?? [], wanted.get(key)?.ranges ?? []];
      const added = rangesLess(becomes, was).map(rangeText);
      const removed = rangesLess(was, becomes).map(rangeText);
      return added.length + removed.length === 0
        ? []
        : [{ customer_id, service_id, protocol, added, removed }];
    },
  );
}

interface Allowed extends Pick<PortsChange, 'customer_id' | 'service_id' | 'protocol'> {
  readonly ranges: readonly Range[];
}

function allowedOf(data: InventoryData): ReadonlyMap<string, Allowed> {
  const all = new Map<string, Allowed>();
  for (const { customerId: customer_id, service } of servicesOf(data)) {
    const { service_id, allowed_ports } = service;
    for (const protocol of ['udp', 'tcp'] as const) {
      const ranges = normalRanges(
        (allowed_ports?.[protocol] ?? []).flatMap((item) => {
          const range = readRange(item);
          return range === undefined ? [] : [range];
        }),
      );
      if (ranges.length === 0) continue;
      all.set(JSON.stringify([customer_id, service_id, protocol]), {
        customer_id,
        service_id,
        protocol,
        ranges,
      });
    }
  }
  return all;
}

function* servicesOf({ customers }: InventoryData): Iterable<{ customerId: string; service: ServiceData }> {
  for (const { customer_id: customerId, services } of customers) {
    for (const service of services ?? []) yield { customerId, service };
  }
}

/** Returns canonical text, so that two spellings of one prefix are equal. */
function prefixText(text: string): string {
  const prefix = parsePrefix(text);
  return prefix.ok ? formatPrefix(unmapped(prefix.value)) : text;
}

function assetText({ ip, range_end: end }: AssetData): string {
  if (end !== undefined) return `${canonicalAddress(ip) ?? ip}-${canonicalAddress(end) ?? end}`;
  const prefix = prefixText(ip);
  return prefix.replace(/^([^:]+)\/32$|^(.*)\/128$/, '$1$2');
}

/** Holds the fields of an active mitigation that depend on the inventory. */
export type Owned = Pick<
  Mitigation,
  'victim' | 'customerId' | 'serviceId' | 'match' | 'ports' | 'excludedPorts' | 'action'
>;

/**
 * Describes how a reload changes an active mitigation that it does not withdraw; empty if nothing changes. `required`:
 * victims outside the inventory are not protected.
 */
export function consequences(
  mitigation: Owned,
  before: Inventory,
  after: Inventory,
  required: boolean,
): readonly string[] {
  const { victim, match } = mitigation;
  const [was, becomes] = [ownerOf(before, victim), ownerOf(after, victim)];
  const words = [...moveWords(mitigation, becomes?.customerId ?? null, becomes?.serviceId ?? null, required)];
  const [old, wanted] = [was, becomes].map((owner) =>
    owner === undefined ? [] : allowedFor(owner.allowedPorts, match.protocol),
  );
  const come = within(rangesLess(wanted ?? [], old ?? []), match.dstPorts);
  if (come.length > 0) words.push(`its rule polices ${portWords(come)}, which the inventory now allows`);
  const gone = within(rangesLess(old ?? [], wanted ?? []), excludedRanges(mitigation));
  if (gone.length > 0 && excludedRanges(mitigation).length > 0) {
    words.push(`its rule excludes ${portWords(gone)}, which the inventory no longer allows`);
  }
  return words;
}

function* moveWords(
  { customerId, serviceId }: Owned,
  customer: string | null,
  service: string | null,
  required: boolean,
): Iterable<string> {
  if (customerId !== customer) {
    if (customer === null) {
      yield `no longer belongs to a customer (was ${customerId})`;
      if (required)
        yield 'its rule stays until it expires; new reports are refused (guardrails.require_inventory)';
    } else {
      yield `moves from ${customerId ?? 'no customer'} to ${customer}`;
    }
  } else if (serviceId !== service) {
    yield `moves from ${serviceId === null ? 'no service' : `service ${serviceId}`} to ${
      service === null ? 'no service' : `service ${service}`
    } of ${customer ?? 'no customer'}`;
  }
}

/** Intersects ranges with a list of ranges; an empty list restricts nothing. */
function within(ranges: readonly Range[], list: readonly Range[]): readonly Range[] {
  return list.length === 0 ? ranges : rangesLess(ranges, rangesLess([[0, 65535]], list));
}
