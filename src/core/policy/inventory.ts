/** Finds the owner of an address: customers, their prefixes, services and assets. */
import { PrefixTrie } from '../../net/prefix-trie.ts';
import { parsePrefix, type Prefix, unmapped } from '../../net/prefix.ts';
import { runToEnd } from '../../net/steps.ts';
import type { Range } from '../types.ts';
import {
  type AssetData,
  type CustomerData,
  type InventoryData,
  prefixOf,
  type ServiceData,
} from './inventory-schema.ts';
import {
  assetPrefixes,
  NO_ALLOWED_PORTS,
  type Ownership,
  ownerTogether,
  type PrefixOwnership,
} from './ownership.ts';
import { MAX_PORT, normalRanges, readRange } from './ports.ts';
import type { PolicyProblem } from './policy-problem.ts';
import { USUAL_PROFILE } from './profile.ts';

export type { AllowedPorts, Ownership, PrefixOwnership } from './ownership.ts';

/** Read-only once built; a reload builds a new one. */
export interface Inventory {
  /** Number of prefixes and assets. */
  readonly size: number;
  /** The data it was built from, for display. */
  readonly data: InventoryData;
  /** Returns the owner of an address of 4 or 16 octets: an asset first, else the longest prefix; undefined for none. */
  lookup(address: Uint8Array): Ownership | undefined;
  /**
   * Returns the owner of a prefix if one customer owns every address of it; undefined if nobody does, or if a narrower
   * entry gives some of its addresses to another customer.
   */
  lookupPrefix(prefix: Prefix): PrefixOwnership | undefined;
  /**
   * Returns the POPs through which traffic to a prefix enters: those of its service, else of the narrowest prefix around
   * it that names any, else of its customer; undefined when none names any.
   */
  popsOf(prefix: Prefix): readonly string[] | undefined;
}

type InventoryPath = readonly (string | number)[];

/** The inventory while it is built. */
interface InventoryDraft {
  readonly index: OwnerIndex;
  readonly problems: PolicyProblem[];
  /** Checked again when all entries are known. */
  readonly placed: {
    readonly path: InventoryPath;
    readonly owner: Ownership;
    readonly prefixes: readonly Prefix[];
  }[];
  size: number;
}

/** An inventory and the problems in its data. */
export interface BuiltInventory {
  readonly inventory: Inventory;
  readonly problems: readonly PolicyProblem[];
}

/**
 * Builds the look-up structure from data that the schema has accepted. It omits entries with an error, so callers must not use an inventory whose problems
 * contain one. Nested prefixes are allowed (the longest wins); the same prefix for two customers is an error.
 */
export function buildInventory(data: InventoryData): BuiltInventory {
  return runToEnd(inventorySteps(data));
}

/** Does the same in steps of some microseconds, so that callers can let the event loop run between them. */
export function* inventorySteps(data: InventoryData): Generator<undefined, BuiltInventory> {
  const draft: InventoryDraft = {
    index: new OwnerIndex(),
    problems: [],
    placed: [],
    size: 0,
  };
  const ids = new Set<string>();
  for (const [i, customer] of data.customers.entries()) {
    const path: InventoryPath = ['customers', i];
    if (ids.has(customer.customer_id)) {
      complain(draft, [...path, 'customer_id'], `customer_id "${customer.customer_id}" is used twice`);
    }
    ids.add(customer.customer_id);
    yield* addCustomer(draft, customer, path);
  }
  for (const placed of draft.placed) {
    checkPlace(draft, placed);
    yield;
  }

  const { index, size } = draft;
  const popsOf = new Map(data.customers.map((customer) => [customer.customer_id, customer.pops]));
  yield* index.seal();
  const inventory: Inventory = {
    size,
    data,
    lookup: (address) => index.ofAddress(address),
    lookupPrefix: (prefix) => index.ofPrefix(prefix),
    // An asset outside its customer's prefixes has the customer's POPs.
    popsOf: (prefix) => index.popsOf(prefix) ?? popsOf.get(index.ofPrefix(prefix)?.customerId ?? ''),
  };
  return { inventory, problems: draft.problems };
}

function* addCustomer(
  draft: InventoryDraft,
  customer: CustomerData,
  path: InventoryPath,
): Generator<undefined, void> {
  const base = {
    customerId: customer.customer_id,
    customerName: customer.name ?? customer.customer_id,
    profile: customer.policy_profile ?? USUAL_PROFILE,
  };
  yield;
  for (const [i, listed] of (customer.prefixes ?? []).entries()) {
    yield;
    const text = prefixOf(listed);
    const pops = typeof listed === 'string' ? customer.pops : listed.pops;
    const at = [...path, 'prefixes', i];
    const prefix = parsePrefix(text);
    if (!prefix.ok) {
      complain(draft, at, prefix.error);
      continue;
    }
    const entry = `prefix ${text}`;
    const owner = {
      ...base,
      serviceId: null,
      serviceName: null,
      serviceIds: [],
      allowedPorts: NO_ALLOWED_PORTS,
      ...(pops === undefined ? {} : { pops }),
      entry,
    };
    const before = draft.index.addPrefix(unmapped(prefix.value), owner);
    draft.size++;
    if (before === undefined) continue;
    if (before.customerId === customer.customer_id) warn(draft, at, `${entry} is listed twice`);
    else complain(draft, at, `${entry} already belongs to customer "${before.customerId}"`);
  }
  const ids = new Set<string>();
  for (const [i, service] of (customer.services ?? []).entries()) {
    const at = [...path, 'services', i];
    if (ids.has(service.service_id)) {
      complain(
        draft,
        [...at, 'service_id'],
        `service_id "${service.service_id}" is used twice in this customer`,
      );
    }
    ids.add(service.service_id);
    yield* addService(draft, service, base, at);
  }
}

function* addService(
  draft: InventoryDraft,
  service: ServiceData,
  base: Pick<Ownership, 'customerId' | 'customerName' | 'profile'>,
  path: InventoryPath,
): Generator<undefined, void> {
  const allowedPorts = {
    udp: portRangesOf(draft, service.allowed_ports?.udp ?? [], [...path, 'allowed_ports', 'udp']),
    tcp: portRangesOf(draft, service.allowed_ports?.tcp ?? [], [...path, 'allowed_ports', 'tcp']),
  };
  yield;
  for (const [i, asset] of (service.assets ?? []).entries()) {
    yield;
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
      serviceIds: [service.service_id],
      allowedPorts,
      ...(service.pops === undefined ? {} : { pops: service.pops }),
      entry: assetEntry(asset),
    };
    draft.size++;
    addAsset(draft, prefixes.prefixes, owner, at);
  }
}

/**
 * Adds an asset. Several services of a customer may share an address: their allowed ports add up. Two customers may
 * not.
 */
function addAsset(
  draft: InventoryDraft,
  prefixes: readonly Prefix[],
  owner: Ownership,
  path: InventoryPath,
): void {
  let complained = false;
  for (const prefix of prefixes) {
    const before = draft.index.addAsset(prefix, owner);
    if (complained) continue;
    const stranger = before.find(({ customerId }) => customerId !== owner.customerId);
    if (stranger !== undefined) {
      complain(draft, path, `${owner.entry} overlaps ${inWords(stranger)}; an address has one customer`);
    } else if (before.some((other) => sameService(other, owner))) {
      warn(draft, path, `${owner.entry} is listed twice in service "${owner.serviceId}"`);
    } else continue;
    complained = true;
  }
  draft.placed.push({ path, owner, prefixes });
}

/** Warns of overlaps with other customers, and of assets outside their customer's prefixes; both are allowed. */
function checkPlace(draft: InventoryDraft, placed: InventoryDraft['placed'][number]): void {
  const { owner, prefixes, path } = placed;
  for (const prefix of prefixes) {
    const wider = draft.index.assetAround(prefix);
    if (wider !== undefined && wider.customerId !== owner.customerId) {
      warn(draft, path, `${owner.entry} is inside ${inWords(wider)}; the narrower entry wins`);
      break;
    }
  }
  const first = prefixes[0];
  if (first === undefined) return;
  const around = draft.index.prefixAround(first);
  if (around === undefined) {
    warn(
      draft,
      path,
      `${owner.entry} is outside all customer prefixes; still assigned to "${owner.customerId}"`,
    );
  } else if (around.customerId !== owner.customerId) {
    warn(
      draft,
      path,
      `${owner.entry} of "${owner.customerId}" is inside ${around.entry} of "${around.customerId}"`,
    );
  }
}

function portRangesOf(
  draft: InventoryDraft,
  items: readonly (number | string)[],
  path: InventoryPath,
): readonly Range[] {
  const ranges: Range[] = [];
  for (const [i, item] of items.entries()) {
    const range = readRange(item);
    const [from, to] = range ?? [0, 0];
    if (range === undefined) {
      complain(draft, [...path, i], `"${item}" is invalid: expected a port or a range such as "27015-27030"`);
    } else if (from > to) complain(draft, [...path, i], `the range ${item} ends before it begins`);
    else if (from < 0 || to > MAX_PORT) {
      const what = from === to ? 'a port' : 'a range of ports';
      complain(draft, [...path, i], `${item} is not ${what} (0 to ${MAX_PORT})`);
    } else ranges.push(range);
  }
  return normalRanges(ranges);
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

function complain(draft: InventoryDraft, path: InventoryPath, message: string): void {
  draft.problems.push({ path, message, severity: 'error' });
}

function warn(draft: InventoryDraft, path: InventoryPath, message: string): void {
  draft.problems.push({ path, message, severity: 'warning' });
}

// Looks up owners of addresses and prefixes. Assets precede customers' prefixes, and narrower entries precede wider
// ones.

/** The assets that share one prefix, in the order of the file. */
interface Assets {
  readonly prefix: Prefix;
  readonly owners: Ownership[];
  /** The owner of the prefix's addresses that no narrower asset has; set by `seal`. */
  together: Ownership | undefined;
}

/** Filled first, then sealed, then queried. */
export class OwnerIndex {
  /** The values are the owners themselves, which saves look-ups a step. */
  readonly #prefixes = new PrefixTrie<PrefixOwnership>();
  readonly #assets = new PrefixTrie<Assets>();

  /** Adds a customer's prefix. Returns the previous owner, who loses it. */
  addPrefix(prefix: Prefix, owner: Ownership): Ownership | undefined {
    return this.#prefixes.set(prefix, { ...owner, prefix });
  }

  /** Adds an asset's prefix. Returns the previous owners of the same prefix, who keep it. */
  addAsset(prefix: Prefix, owner: Ownership): readonly Ownership[] {
    const assets = this.#assets.get(prefix);
    if (assets === undefined) {
      this.#assets.set(prefix, { prefix, owners: [owner], together: undefined });
      return [];
    }
    const before = [...assets.owners];
    assets.owners.push(owner);
    return before;
  }

  /** Returns the narrowest customer prefix that covers this one. */
  prefixAround(prefix: Prefix): Ownership | undefined {
    return this.#prefixes.covering(prefix)[0];
  }

  /** Returns the narrowest asset that covers this prefix and is wider. */
  assetAround(prefix: Prefix): Ownership | undefined {
    return this.#assets.parentOf(prefix)?.owners[0];
  }

  /** Adds up the services of each address, one prefix a step; sealed only after the last. */
  *seal(): Generator<undefined, void> {
    for (const assets of this.#assets.values()) {
      assets.together = ownerTogether(this.#around(assets.prefix));
      yield;
    }
  }

  /** Returns the owner of an address of 4 or 16 octets; undefined for none. */
  ofAddress(address: Uint8Array): Ownership | undefined {
    return this.#assets.longestMatch(address)?.together ?? this.#prefixes.longestMatch(address);
  }

  /**
   * Returns the owner of a prefix if one customer owns all of it: an asset or a prefix of the customer covers it, and
   * no entry inside belongs to another customer. Cost grows with the number of entries inside.
   */
  ofPrefix(asked: Prefix): PrefixOwnership | undefined {
    const prefix = unmapped(asked);
    const around = this.#around(prefix);
    const above = this.#prefixes.covering(prefix);
    const customerId = around[0]?.customerId ?? above[0]?.customerId;
    if (customerId === undefined) return undefined;
    const inside = [...this.#assets.within(prefix)].flatMap(({ owners }) => owners);
    const others = around.length > 0 ? [] : [...this.#prefixes.within(prefix)];
    if ([...inside, ...others].some((owner) => owner.customerId !== customerId)) return undefined;

    const entry = above.find((owner) => owner.customerId === customerId);
    const covering = entry?.prefix ?? this.#assets.covering(prefix)[0]?.prefix;
    if (covering === undefined) return undefined;
    // An asset with exactly this prefix is both around it and inside.
    const assets = [...new Set([...around, ...inside])];
    const owner = assets.length === 0 ? entry : ownerTogether(assets);
    if (owner === undefined) return undefined;
    return { ...owner, entry: (around[0] ?? entry ?? owner).entry, prefix: covering };
  }

  /** Returns the POPs that the narrowest entry around a prefix names, assets before prefixes; undefined for none. */
  popsOf(asked: Prefix): readonly string[] | undefined {
    const prefix = unmapped(asked);
    const around = [...this.#around(prefix), ...this.#prefixes.covering(prefix)];
    const [first] = around;
    return around.find((entry) => entry.customerId === first?.customerId && entry.pops !== undefined)?.pops;
  }

  /** Returns the assets that cover a prefix and belong to the narrowest one's customer, narrowest first. */
  #around(prefix: Prefix): readonly Ownership[] {
    const owners = this.#assets.covering(prefix).flatMap((assets) => assets.owners);
    return owners.filter(({ customerId }) => customerId === owners[0]?.customerId);
  }
}
