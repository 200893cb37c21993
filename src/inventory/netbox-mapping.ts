/** Maps NetBox's objects to an inventory. What must be decided or left out is noted. Pure. */
import type { CustomerData } from '../core/policy/inventory-schema.ts';
import { type AllowedPorts, NO_ALLOWED_PORTS } from '../core/policy/ownership.ts';
import { normalRanges } from '../core/policy/ports.ts';
import { formatPrefix, type Prefix, unmapped } from '../net/prefix.ts';
import { formatPorts, parsePorts } from './allowed-ports.ts';
import { type InventoryContent, type NoteBook, normalContent } from './inventory-content.ts';
import { AssetBook, hostText, prefixIndex } from './netbox-assets.ts';
import { customersByTenant, fieldText, type NamedCustomer } from './netbox-customers.ts';
import type {
  AddressObject,
  NestedAddress,
  ParentObject,
  PrefixObject,
  RangeObject,
  ServiceObject,
  ServiceParent,
  TenantGroupObject,
  TenantObject,
} from './netbox-objects.ts';
import type { MappingSettings } from './source-settings.ts';

/** The objects of one read. */
export interface NetBoxObjects {
  readonly tenants: readonly TenantObject[];
  /** Empty unless a group is a customer. */
  readonly tenantGroups: readonly TenantGroupObject[];
  readonly prefixes: readonly PrefixObject[];
  readonly addresses: readonly AddressObject[];
  readonly ranges: readonly RangeObject[];
  readonly services: readonly ServiceObject[];
  /** What services run on, by `parentKey`; those that are not needed are missing. */
  readonly parents: ReadonlyMap<string, ParentObject>;
}

export function parentKey({ kind, id }: ServiceParent): string {
  return `${kind} ${id}`;
}

/** Objects with this status are not in use any more. */
const UNUSED = 'deprecated';

export function mapNetBox(
  objects: NetBoxObjects,
  settings: MappingSettings,
  notes: NoteBook,
): InventoryContent {
  const customers = customersByTenant(objects.tenants, objects.tenantGroups, settings, notes);
  const customerOf = (tenantId: number | undefined): string | undefined =>
    tenantId === undefined ? undefined : customers.get(tenantId)?.id;
  const prefixes = customerPrefixes(objects.prefixes, customerOf, settings, notes);
  const owners = [...prefixes].flatMap(([customer, entries]) =>
    [...entries.values()].map(({ prefix }) => [prefix, customer] as const),
  );
  const book = new AssetBook(prefixIndex(owners), notes);
  addAddresses(objects.addresses, customerOf, settings, book, notes);
  addServices(objects, customerOf, book, notes);
  addRanges(objects.ranges, customerOf, settings, book, notes);
  const services = book.services();
  const byId = new Map([...customers.values()].map((customer) => [customer.id, customer]));
  return normalContent({
    customers: [...byId.values()].map((customer) =>
      customerData(customer, prefixes.get(customer.id), services.get(customer.id)),
    ),
    safelist: safelistOf(objects, settings),
  });
}

function customerData(
  { id, name, profile }: NamedCustomer,
  prefixes: ReadonlyMap<string, OwnedPrefix> | undefined,
  services: CustomerData['services'],
): CustomerData {
  return {
    customer_id: id,
    ...(name === id ? {} : { name }),
    ...(profile === undefined ? {} : { policy_profile: profile }),
    ...(prefixes === undefined
      ? {}
      : {
          prefixes: [...prefixes].map(([text, { pop }]) =>
            pop === undefined ? text : { prefix: text, pops: [pop] },
          ),
        }),
    ...(services === undefined ? {} : { services }),
  };
}

interface OwnedPrefix {
  readonly prefix: Prefix;
  readonly pop: string | undefined;
}

/** Returns each customer's prefixes by their canonical text. A prefix that is there twice belongs to the older one. */
function customerPrefixes(
  objects: readonly PrefixObject[],
  customerOf: (tenantId: number | undefined) => string | undefined,
  { pops }: MappingSettings,
  notes: NoteBook,
): ReadonlyMap<string, ReadonlyMap<string, OwnedPrefix>> {
  const owner = new Map<string, string>();
  const byCustomer = new Map<string, Map<string, OwnedPrefix>>();
  for (const { prefix: written, tenantId, status, site } of objects) {
    if (status === UNUSED) continue;
    const customer = customerOf(tenantId);
    if (customer === undefined) continue;
    const prefix = unmapped(written);
    const text = formatPrefix(prefix);
    const first = owner.get(text);
    if (first !== undefined) {
      if (first !== customer) notes.add('a prefix belongs to two customers; the older one has it', text);
      continue;
    }
    owner.set(text, customer);
    const mine = byCustomer.get(customer) ?? new Map<string, OwnedPrefix>();
    byCustomer.set(customer, mine);
    mine.set(text, { prefix, pop: pops === 'site' ? site : undefined });
  }
  return byCustomer;
}

function addAddresses(
  addresses: readonly AddressObject[],
  customerOf: (tenantId: number | undefined) => string | undefined,
  settings: MappingSettings,
  book: AssetBook,
  notes: NoteBook,
): void {
  for (const object of addresses) {
    if (object.status === UNUSED) continue;
    const address = hostText(object.address);
    const tenant = customerOf(object.tenantId);
    const ports = portsOf(object, settings, notes);
    if (tenant !== undefined) book.addAddress(address, tenant);
    if (ports === undefined) continue;
    const customer = book.customerOf(address, tenant);
    if (customer !== undefined) book.bind(customer, formatPorts(ports), ports, [address]);
    else notes.add('an address with allowed ports belongs to no customer', address);
  }
}

/** Reads the custom field with allowed ports; undefined if it is empty. */
function portsOf(
  { address, fields }: Pick<AddressObject, 'address' | 'fields'>,
  { portsField }: MappingSettings,
  notes: NoteBook,
): AllowedPorts | undefined {
  const text = portsField === undefined ? undefined : fieldText(fields[portsField]);
  if (text === undefined) return undefined;
  const ports = parsePorts(text);
  if (ports === undefined) {
    const words = `the custom field ${portsField} has no ports such as "udp/53, tcp/80-90" and is ignored`;
    notes.add(words, `${address}: ${text}`);
  }
  return ports === undefined || formatPorts(ports) === '' ? undefined : ports;
}

function addServices(
  { services, addresses, parents }: NetBoxObjects,
  customerOf: (tenantId: number | undefined) => string | undefined,
  book: AssetBook,
  notes: NoteBook,
): void {
  const known = new Map(addresses.map((address) => [address.id, address]));
  for (const service of services) {
    const { name, protocol } = service;
    if (protocol !== 'tcp' && protocol !== 'udp') {
      notes.add('a service is neither TCP nor UDP and is left out', `${name} (${protocol})`);
      continue;
    }
    const parent = service.parent === undefined ? undefined : parents.get(parentKey(service.parent));
    const ports: AllowedPorts = {
      ...NO_ALLOWED_PORTS,
      [protocol]: normalRanges(service.ports.map((port) => [port, port])),
    };
    const byCustomer = new Map<string, string[]>();
    for (const { id, address: written } of addressesOf(service, parent)) {
      const address = hostText(written);
      const object = known.get(id);
      // Filtered out, or of another VRF, or not in use any more.
      if (object === undefined || object.status === UNUSED) continue;
      const customer = book.customerOf(address, customerOf(object.tenantId)) ?? customerOf(parent?.tenantId);
      if (customer === undefined) notes.add("a service's address belongs to no customer", address);
      else byCustomer.set(customer, [...(byCustomer.get(customer) ?? []), address]);
    }
    for (const [customer, mine] of byCustomer) book.bind(customer, name, ports, mine);
  }
}

/** Returns the addresses of a service: its own, or else all primary ones of what it runs on. */
function addressesOf(
  { addresses }: ServiceObject,
  parent: ParentObject | undefined,
): readonly NestedAddress[] {
  return addresses.length > 0 ? addresses : (parent?.addresses ?? []);
}

function addRanges(
  ranges: readonly RangeObject[],
  customerOf: (tenantId: number | undefined) => string | undefined,
  settings: MappingSettings,
  book: AssetBook,
  notes: NoteBook,
): void {
  for (const object of ranges) {
    if (object.status === UNUSED) continue;
    const [first, last] = [hostText(object.address), hostText(object.end)];
    const ports = portsOf(object, settings, notes);
    const tenant = customerOf(object.tenantId);
    if (tenant === undefined && ports === undefined) continue;
    const around = book.prefixOwner(first);
    const customer = tenant ?? (around === book.prefixOwner(last) ? around : undefined);
    if (customer === undefined) {
      notes.add('a range with allowed ports belongs to no customer', `${first}-${last}`);
      continue;
    }
    book.addRange(first, last, customer, ports && { name: formatPorts(ports), ports });
  }
}

function safelistOf(
  { prefixes, addresses }: NetBoxObjects,
  { safelistTag: tag }: MappingSettings,
): readonly string[] {
  if (tag === undefined) return [];
  return [
    ...prefixes.filter(({ tags }) => tags.includes(tag)).map(({ prefix }) => formatPrefix(unmapped(prefix))),
    ...addresses
      .filter(({ tags }) => tags.includes(tag))
      .map(({ address }) => `${hostText(address)}${address.includes(':') ? '/128' : '/32'}`),
  ];
}
