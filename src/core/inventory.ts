/** Who owns an address: customers, their prefixes, services and assets (INTERFACES "What an event leads to", 1). */
import { type Prefix, parsePrefix, unmapped } from '../net/prefix.ts';
import { assetPrefixes } from './asset-range.ts';
import type { AssetData, CustomerData, InventoryData, ServiceData } from './inventory-data.ts';
import { PrefixTrie } from './prefix-trie.ts';
import type { Problem } from './problem.ts';
import type { ProfileName } from './profile.ts';

/** Destination ports that are never discarded, ascending, no duplicates. */
export interface AllowedPorts {
  readonly udp: readonly number[];
  readonly tcp: readonly number[];
}

/** What the inventory knows about an address. */
export interface Ownership {
  readonly customerId: string;
  readonly customerName: string;
  readonly profile: ProfileName;
  /** null when only a prefix of the customer covers the address. */
  readonly serviceId: string | null;
  readonly serviceName: string | null;
  readonly allowedPorts: AllowedPorts;
  /** The entry that decided, in words: `prefix 203.0.113.0/24`, `asset 203.0.113.100-203.0.113.110`. */
  readonly entry: string;
}

/** Read-only once built; a reload builds another. */
export interface Inventory {
  /** Number of prefixes and assets. */
  readonly size: number;
  /** What it was built from, for display. */
  readonly data: InventoryData;
  /** The owner of an address of 4 or 16 octets: an asset first, else the longest prefix; undefined when nobody owns it. */
  lookup(address: Uint8Array): Ownership | undefined;
}

/** An inventory that owns nothing. */
export const EMPTY_INVENTORY: Inventory = { size: 0, data: { customers: [] }, lookup: () => undefined };

const NO_PORTS: AllowedPorts = { udp: [], tcp: [] };

type Path = readonly (string | number)[];

/** What is gathered while building. */
interface Draft {
  readonly prefixes: PrefixTrie<Ownership>;
  readonly assets: PrefixTrie<Ownership>;
  readonly problems: Problem[];
  /** Looked at again once everything is known. */
  readonly placed: { readonly path: Path; readonly owner: Ownership; readonly prefixes: readonly Prefix[] }[];
  size: number;
}

/**
 * Builds the look-up structure. Entries with an error are left out of it, so a caller must not use an inventory whose
 * problems contain one. Nested prefixes are no problem (the longest wins); the same prefix of two customers is.
 */
export function buildInventory(data: InventoryData): {
  readonly inventory: Inventory;
  readonly problems: readonly Problem[];
} {
  const draft: Draft = {
    prefixes: new PrefixTrie(),
    assets: new PrefixTrie(),
    problems: [],
    placed: [],
    size: 0,
  };
  const ids = new Set<string>();
  data.customers.forEach((customer, i) => {
    const path: Path = ['customers', i];
    if (customer.customer_id === '')
      complain(draft, [...path, 'customer_id'], 'customer_id must not be empty');
    if (ids.has(customer.customer_id)) {
      complain(draft, [...path, 'customer_id'], `customer_id "${customer.customer_id}" is used twice`);
    }
    ids.add(customer.customer_id);
    addCustomer(draft, customer, path);
  });
  for (const placed of draft.placed) checkPlace(draft, placed);

  const { prefixes, assets, size } = draft;
  const inventory: Inventory = {
    size,
    data,
    lookup: (address) => assets.longestMatch(address) ?? prefixes.longestMatch(address),
  };
  return { inventory, problems: draft.problems };
}

function addCustomer(draft: Draft, customer: CustomerData, path: Path): void {
  const base = {
    customerId: customer.customer_id,
    customerName: customer.name ?? customer.customer_id,
    profile: customer.policy_profile ?? ('normal' as const),
  };
  for (const [i, text] of (customer.prefixes ?? []).entries()) {
    const at = [...path, 'prefixes', i];
    const prefix = parsePrefix(text);
    if (typeof prefix === 'string') {
      complain(draft, at, prefix);
      continue;
    }
    const entry = `prefix ${text}`;
    const owner = { ...base, serviceId: null, serviceName: null, allowedPorts: NO_PORTS, entry };
    const before = draft.prefixes.set(unmapped(prefix), owner);
    draft.size++;
    if (before === undefined) continue;
    if (before.customerId === customer.customer_id) warn(draft, at, `${entry} is listed twice`);
    else complain(draft, at, `${entry} already belongs to customer "${before.customerId}"`);
  }
  const ids = new Set<string>();
  (customer.services ?? []).forEach((service, i) => {
    const at = [...path, 'services', i];
    if (service.service_id === '') complain(draft, [...at, 'service_id'], 'service_id must not be empty');
    if (ids.has(service.service_id)) {
      complain(
        draft,
        [...at, 'service_id'],
        `service_id "${service.service_id}" is used twice in this customer`,
      );
    }
    ids.add(service.service_id);
    addService(draft, service, base, at);
  });
}

function addService(
  draft: Draft,
  service: ServiceData,
  base: Pick<Ownership, 'customerId' | 'customerName' | 'profile'>,
  path: Path,
): void {
  const allowedPorts = {
    udp: portList(draft, service.allowed_ports?.udp ?? [], [...path, 'allowed_ports', 'udp']),
    tcp: portList(draft, service.allowed_ports?.tcp ?? [], [...path, 'allowed_ports', 'tcp']),
  };
  for (const [i, asset] of (service.assets ?? []).entries()) {
    const at = [...path, 'assets', i];
    const prefixes = assetPrefixes(asset.ip, asset.range_end);
    if ('problem' in prefixes) {
      complain(draft, [...at, prefixes.key], prefixes.problem);
      continue;
    }
    const owner: Ownership = {
      ...base,
      serviceId: service.service_id,
      serviceName: service.name ?? service.service_id,
      allowedPorts,
      entry: assetEntry(asset),
    };
    draft.size++;
    addAsset(draft, prefixes.prefixes, owner, at);
  }
}

function addAsset(draft: Draft, prefixes: readonly Prefix[], owner: Ownership, path: Path): void {
  for (const prefix of prefixes) {
    const before = draft.assets.set(prefix, owner);
    if (before === undefined) continue;
    if (sameService(before, owner)) {
      warn(draft, path, `${owner.entry} is listed twice in service "${owner.serviceId}"`);
    } else {
      complain(draft, path, `${owner.entry} overlaps ${inWords(before)}; an address has one service`);
    }
    break;
  }
  draft.placed.push({ path, owner, prefixes });
}

/** Overlaps of different length, and assets outside of their customer: allowed, but worth saying. */
function checkPlace(draft: Draft, placed: Draft['placed'][number]): void {
  const { owner, prefixes, path } = placed;
  for (const prefix of prefixes) {
    const wider = draft.assets.parentOf(prefix);
    if (wider !== undefined && !sameService(wider, owner)) {
      warn(draft, path, `${owner.entry} lies within ${inWords(wider)}; the narrower entry wins`);
      break;
    }
  }
  const first = prefixes[0];
  if (first === undefined) return;
  const around = draft.prefixes.longestMatch(first.address);
  if (around === undefined) {
    warn(
      draft,
      path,
      `${owner.entry} lies in no prefix of a customer; it counts as "${owner.customerId}" all the same`,
    );
  } else if (around.customerId !== owner.customerId) {
    warn(
      draft,
      path,
      `${owner.entry} of "${owner.customerId}" lies in ${around.entry} of "${around.customerId}"`,
    );
  }
}

function portList(draft: Draft, ports: readonly number[], path: Path): readonly number[] {
  ports.forEach((port, i) => {
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      complain(draft, [...path, i], `${port} is not a port (0 to 65535)`);
    }
  });
  const valid = ports.filter((port) => Number.isInteger(port) && port >= 0 && port <= 65535);
  return [...new Set(valid)].sort((a, b) => a - b);
}

function assetEntry(asset: AssetData): string {
  return asset.range_end === undefined ? `asset ${asset.ip}` : `asset ${asset.ip}-${asset.range_end}`;
}

function inWords(owner: Ownership): string {
  return `${owner.entry} of service "${owner.serviceId}" (customer "${owner.customerId}")`;
}

function sameService(a: Ownership, b: Ownership): boolean {
  return a.customerId === b.customerId && a.serviceId === b.serviceId;
}

function complain(draft: Draft, path: Path, message: string): void {
  draft.problems.push({ path, message, severity: 'error' });
}

function warn(draft: Draft, path: Path, message: string): void {
  draft.problems.push({ path, message, severity: 'warning' });
}
