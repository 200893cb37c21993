/** Compares two inventories entry by entry, and describes the differences. Pure. */
import { canonicalAddress, formatPrefix, parsePrefix, unmapped } from '../../net/prefix.ts';
import { rangeText } from '../rule-text.ts';
import type { Range } from '../types.ts';
import {
  type AssetData,
  type CustomerData,
  type InventoryData,
  prefixOf,
  type ServiceData,
} from './inventory-schema.ts';
import { normalRanges, rangesLess, readRange } from './ports.ts';
import { USUAL_PROFILE } from './profile.ts';

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

/** Describes each difference in one line: customers, then prefixes, assets and allowed ports. */
export function* inventoryWords({
  customers,
  prefixes,
  assets,
  allowed_ports,
}: InventoryDiff): Generator<string> {
  for (const change of customers) yield customerWords(change);
  for (const change of prefixes) yield entryWords('prefix', change);
  for (const change of assets) yield entryWords('asset', change);
  for (const change of allowed_ports) yield portsWords(change);
}

export function customerWords({ customer_id, change, keys }: CustomerChange): string {
  return `customer ${customer_id}: ${change === 'changed' ? `${keys.join(', ')} changed` : change}`;
}

export function entryWords(kind: string, { entry, from, to }: EntryChange): string {
  const what =
    from === null ? `added to ${to}` : to === null ? `removed from ${from}` : `moves from ${from} to ${to}`;
  return `${kind} ${entry}: ${what}`;
}

export function portsWords({ customer_id, service_id, protocol, added, removed }: PortsChange): string {
  const parts = [
    ...(added.length === 0 ? [] : [`${added.join(', ')} added`]),
    ...(removed.length === 0 ? [] : [`${removed.join(', ')} removed`]),
  ];
  return `allowed ${protocol} ports of ${customer_id}/${service_id}: ${parts.join('; ')}`;
}
