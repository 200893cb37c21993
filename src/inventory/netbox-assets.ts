/**
 * Gives addresses to customers and services. An address has one customer: that of its tenant, else of the narrowest
 * customer prefix around it, else of what it is assigned to. Pure.
 */
import type { AssetData, CustomerData, ServiceData } from '../core/policy/inventory-schema.ts';
import {
  type AllowedPorts,
  allowedTogether,
  assetPrefixes,
  NO_ALLOWED_PORTS,
} from '../core/policy/ownership.ts';
import { PrefixTrie } from '../net/prefix-trie.ts';
import { canonicalAddress, formatPrefix, parseAddress, type Prefix } from '../net/prefix.ts';
import { formatPorts, portsData } from './allowed-ports.ts';
import { inTextOrder, type NoteBook } from './inventory-content.ts';

/** The service of addresses that no service is bound to. */
export const PLAIN_SERVICE = 'addresses';

/** Addresses of one customer with one name and the same allowed ports. */
interface ServiceGroup {
  readonly name: string;
  readonly ports: AllowedPorts;
  readonly assets: Map<string, AssetData>;
}

/** One binding of a name and ports to addresses of one customer. */
interface Binding {
  readonly customer: string;
  readonly name: string;
  readonly ports: AllowedPorts;
  readonly addresses: readonly string[];
}

/** Collects the assets of all customers. */
export class AssetBook {
  readonly #prefixes: PrefixTrie<string>;
  readonly #notes: NoteBook;
  /** The customer of each asset's prefix. */
  readonly #owners = new Map<string, string>();
  /** By customer, name and addresses: one service is several objects if it has several protocols. */
  readonly #bindings = new Map<string, Binding>();
  readonly #plain = new Map<string, Map<string, AssetData>>();
  readonly #bound = new Set<string>();

  /** `prefixes`: the customers' prefixes. */
  constructor(prefixes: PrefixTrie<string>, notes: NoteBook) {
    this.#prefixes = prefixes;
    this.#notes = notes;
  }

  /** Returns the customer of an address: `tenant`'s, else that of the prefix around it; undefined for nobody's. */
  customerOf(address: string, tenant: string | undefined): string | undefined {
    return this.#owners.get(hostKey(address)) ?? tenant ?? this.prefixOwner(address);
  }

  /** Returns the customer of the narrowest prefix around an address. */
  prefixOwner(address: string): string | undefined {
    const octets = parseAddress(address);
    return octets === undefined ? undefined : this.#prefixes.longestMatch(octets);
  }

  /** Gives an address to a customer; false if another one has it already. */
  claim(address: string, customer: string): boolean {
    const key = hostKey(address);
    const owner = this.#owners.get(key) ?? customer;
    if (owner !== customer) {
      this.#notes.add('an address is assigned to two customers; the first one has it', address);
      return false;
    }
    this.#owners.set(key, customer);
    return true;
  }

  /** Adds an address that is a customer's, whatever runs on it. */
  addAddress(address: string, customer: string): void {
    if (!this.claim(address, customer)) return;
    this.#plainOf(customer).set(address, { ip: address });
  }

  /** Adds addresses with allowed ports, all of one customer. */
  bind(customer: string, name: string, ports: AllowedPorts, addresses: readonly string[]): void {
    const mine = addresses.filter((address) => this.claim(address, customer)).sort(inTextOrder);
    if (mine.length === 0) return;
    for (const address of mine) this.#bound.add(address);
    const key = JSON.stringify([customer, name, mine]);
    const before = this.#bindings.get(key)?.ports ?? NO_ALLOWED_PORTS;
    this.#bindings.set(key, { customer, name, ports: allowedTogether([before, ports]), addresses: mine });
  }

  /** Adds a range; the addresses in it that are another customer's stay theirs. Call it after all addresses. */
  addRange(
    first: string,
    last: string,
    customer: string,
    bound: { name: string; ports: AllowedPorts } | undefined,
  ): void {
    const read = assetPrefixes(first, last);
    if ('problem' in read) {
      this.#notes.add('a range is invalid and is left out', `${first}-${last}`);
      return;
    }
    const mine = read.prefixes.filter((prefix) => {
      const key = formatPrefix(prefix);
      const owner = this.#owners.get(key) ?? customer;
      if (owner === customer) this.#owners.set(key, customer);
      return owner === customer;
    });
    const isWhole = mine.length === read.prefixes.length;
    const assets: readonly AssetData[] = isWhole
      ? [first === last ? { ip: first } : { ip: first, range_end: last }]
      : mine.map((prefix) => ({ ip: formatPrefix(prefix) }));
    if (!isWhole) this.#notes.add('a range contains an address of another customer', `${first}-${last}`);
    if (bound === undefined) {
      for (const asset of assets) this.#plainOf(customer).set(assetKey(asset), asset);
      return;
    }
    const key = JSON.stringify([customer, bound.name, assets.map(assetKey)]);
    this.#ranges.set(key, { customer, ...bound, assets });
  }

  readonly #ranges = new Map<
    string,
    { customer: string; name: string; ports: AllowedPorts; assets: readonly AssetData[] }
  >();

  /** Returns each customer's services. */
  services(): ReadonlyMap<string, NonNullable<CustomerData['services']>> {
    const byCustomer = new Map<string, Map<string, ServiceGroup>>();
    const groupOf = (customer: string, name: string, ports: AllowedPorts): ServiceGroup => {
      const groups = byCustomer.get(customer) ?? new Map<string, ServiceGroup>();
      byCustomer.set(customer, groups);
      const key = JSON.stringify([name, formatPorts(ports)]);
      const group = groups.get(key) ?? { name, ports, assets: new Map<string, AssetData>() };
      groups.set(key, group);
      return group;
    };
    for (const { customer, name, ports, addresses } of this.#bindings.values()) {
      const { assets } = groupOf(customer, name, ports);
      for (const address of addresses) assets.set(address, { ip: address });
    }
    for (const { customer, name, ports, assets } of this.#ranges.values()) {
      const group = groupOf(customer, name, ports);
      for (const asset of assets) group.assets.set(assetKey(asset), asset);
    }
    for (const [customer, plain] of this.#plain) {
      const unbound = [...plain].filter(([key]) => !this.#bound.has(key));
      if (unbound.length === 0) continue;
      const { assets } = groupOf(customer, PLAIN_SERVICE, NO_ALLOWED_PORTS);
      for (const [key, asset] of unbound) assets.set(key, asset);
    }
    return new Map(
      [...byCustomer].map(([customer, groups]) => [customer, serviceData([...groups.values()])]),
    );
  }

  #plainOf(customer: string): Map<string, AssetData> {
    const plain = this.#plain.get(customer) ?? new Map<string, AssetData>();
    this.#plain.set(customer, plain);
    return plain;
  }
}

/** Names each group: by its name, and by its ports too if another group of the customer has that name. */
function serviceData(groups: readonly ServiceGroup[]): NonNullable<CustomerData['services']> {
  const uses = new Map<string, number>();
  for (const { name } of groups) uses.set(name, (uses.get(name) ?? 0) + 1);
  return groups.map(({ name, ports, assets }): ServiceData => {
    const text = formatPorts(ports);
    const isAlone = uses.get(name) === 1 || text === '';
    const allowed = portsData(ports);
    return {
      service_id: isAlone ? name : `${name} (${text})`,
      ...(isAlone ? {} : { name }),
      assets: [...assets.values()],
      ...(allowed === undefined ? {} : { allowed_ports: allowed }),
    };
  });
}

function assetKey({ ip, range_end: end }: AssetData): string {
  return end === undefined ? ip : `${ip}-${end}`;
}

/** Returns an address in canonical form, for people and as a key; the text itself if it is none. */
export function hostText(address: string): string {
  return canonicalAddress(address) ?? address;
}

function hostKey(address: string): string {
  return `${address}${address.includes(':') ? '/128' : '/32'}`;
}

/** Indexes the customers' prefixes. */
export function prefixIndex(prefixes: Iterable<readonly [Prefix, string]>): PrefixTrie<string> {
  const index = new PrefixTrie<string>();
  for (const [prefix, customer] of prefixes) index.set(prefix, customer);
  return index;
}
