/**
 * Reads everything that the inventory needs from NetBox. Each list is consistent in itself (list-reader.ts). Tenants are
 * read first and compared at the end: if they have changed meanwhile, the lists may not fit together, and everything is
 * read again.
 */
import { failed, ok, type Result } from '../net/result.ts';
import type { SourceFailure } from './get-json.ts';
import type { InventoryContent, NoteBook } from './inventory-content.ts';
import type { ListQuery, ListReader, RawObject } from './list-reader.ts';
import { mapNetBox, type NetBoxObjects, parentKey } from './netbox-mapping.ts';
import {
  type ParentObject,
  readAddressObject,
  readFhrpGroup,
  readId,
  readMachine,
  readPrefixObject,
  readRangeObject,
  readServiceObject,
  readTenant,
  readTenantGroup,
  type ServiceObject,
  type ServiceParent,
} from './netbox-objects.ts';
import { type FilteredList, GLOBAL_TABLE, type SourceSettings } from './source-settings.ts';

type NetBoxSettings = Omit<SourceSettings, 'token' | 'webhookSecret'>;

/** Ids in one query: the URL stays short enough for every proxy. */
const IDS_AT_ONCE = 100;

/** Number of times that everything is read again because the tenants have changed. */
const MOST_ROUNDS = 3;

const PATHS = {
  tenants: 'tenancy/tenants/',
  tenantGroups: 'tenancy/tenant-groups/',
  vrfs: 'ipam/vrfs/',
  prefixes: 'ipam/prefixes/',
  addresses: 'ipam/ip-addresses/',
  ranges: 'ipam/ip-ranges/',
  services: 'ipam/services/',
  device: 'dcim/devices/',
  virtual_machine: 'virtualization/virtual-machines/',
  fhrp_group: 'ipam/fhrp-groups/',
} as const;

/** Returns the parameter for the fields that are needed (since 4.0; before, all are answered). */
function fields(...names: readonly string[]): ListQuery {
  return [['fields', ['id', ...names].join(',')]];
}

/** Returns the root of the API for `inventory.url`, with or without `/api/` at its end. */
export function apiRoot(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/(?:api\/?)?$/, '')}/api/`;
}

/** Reads and maps everything. */
export async function readNetBox(
  lists: ListReader,
  settings: NetBoxSettings,
  notes: NoteBook,
): Promise<Result<InventoryContent, SourceFailure>> {
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    const objects = await readObjects(lists, settings);
    if (!objects.ok) return objects;
    const { tenants } = objects.value;
    const again = await readTenants(lists, settings);
    if (!again.ok) return again;
    if (JSON.stringify(again.value) === JSON.stringify(tenants)) {
      return ok(mapNetBox(objects.value, settings, notes));
    }
  }
  return failed({
    code: 'changing',
    text: `${PATHS.tenants} changes while the other lists are read; everything is read again later`,
  });
}

function readTenants(lists: ListReader, settings: NetBoxSettings) {
  return lists.read(
    PATHS.tenants,
    [...filterOf(settings, 'tenants'), ...fields('name', 'slug', 'group', 'custom_fields')],
    readTenant,
  );
}

async function readObjects(
  lists: ListReader,
  settings: NetBoxSettings,
): Promise<Result<NetBoxObjects, SourceFailure>> {
  const vrf = await readVrf(lists, settings);
  if (!vrf.ok) return vrf;
  const ofVrf: ListQuery = [['vrf_id', vrf.value === undefined ? 'null' : String(vrf.value)]];
  const isOfVrf = ({ vrfId }: { readonly vrfId: number | undefined }): boolean => vrfId === vrf.value;

  const tenants = await readTenants(lists, settings);
  if (!tenants.ok) return tenants;
  const tenantGroups =
    settings.customer === 'tenant_group'
      ? await lists.read(PATHS.tenantGroups, fields('name', 'slug', 'custom_fields'), readTenantGroup)
      : ok([]);
  if (!tenantGroups.ok) return tenantGroups;
  const prefixes = await lists.read(
    PATHS.prefixes,
    [
      ...filterOf(settings, 'prefixes'),
      ...ofVrf,
      ...fields('prefix', 'tenant', 'vrf', 'status', 'site', 'scope_type', 'scope', 'tags'),
    ],
    readPrefixObject,
  );
  if (!prefixes.ok) return prefixes;
  const addresses = await lists.read(
    PATHS.addresses,
    [
      ...filterOf(settings, 'ip_addresses'),
      ...ofVrf,
      ...fields('address', 'tenant', 'vrf', 'status', 'tags', 'custom_fields'),
    ],
    readAddressObject,
  );
  if (!addresses.ok) return addresses;
  const ranges = await lists.read(
    PATHS.ranges,
    [
      ...filterOf(settings, 'ip_ranges'),
      ...ofVrf,
      ...fields('start_address', 'end_address', 'tenant', 'vrf', 'status', 'tags', 'custom_fields'),
    ],
    readRangeObject,
  );
  if (!ranges.ok) return ranges;
  const services = await lists.read(
    PATHS.services,
    [
      ...filterOf(settings, 'services'),
      ...fields(
        'name',
        'protocol',
        'ports',
        'ipaddresses',
        'device',
        'virtual_machine',
        'parent_object_type',
        'parent_object_id',
      ),
    ],
    readServiceObject,
  );
  if (!services.ok) return services;
  const parents = await readParents(lists, services.value);
  if (!parents.ok) return parents;
  return ok({
    tenants: tenants.value,
    tenantGroups: tenantGroups.value,
    // A server that does not know the parameter would answer with the objects of all VRFs.
    prefixes: prefixes.value.filter(isOfVrf),
    addresses: addresses.value.filter(isOfVrf),
    ranges: ranges.value.filter(isOfVrf),
    services: services.value,
    parents: parents.value,
  });
}

/** Returns the VRF's id; undefined for objects without one. */
async function readVrf(
  lists: ListReader,
  { vrf }: NetBoxSettings,
): Promise<Result<number | undefined, SourceFailure>> {
  if (vrf === GLOBAL_TABLE) return ok(undefined);
  const found = await lists.read(PATHS.vrfs, [['name', vrf], ...fields('name')], (object) => {
    const id = readId(object);
    return id.ok ? ok({ id: id.value, name: object.name }) : id;
  });
  if (!found.ok) return found;
  const [one, ...others] = found.value.filter(({ name }) => name === vrf);
  if (one !== undefined && others.length === 0) return ok(one.id);
  const text =
    one === undefined
      ? `${PATHS.vrfs} has no VRF with the name of inventory.vrf`
      : `${PATHS.vrfs} has several VRFs with the name of inventory.vrf; names must be unique`;
  return failed({ code: 'invalid', text });
}

/** Reads what the services run on: its tenant, and its primary addresses for services that are bound to none. */
async function readParents(
  lists: ListReader,
  services: readonly ServiceObject[],
): Promise<Result<ReadonlyMap<string, ParentObject>, SourceFailure>> {
  const parents = new Map<string, ParentObject>();
  for (const kind of ['device', 'virtual_machine', 'fhrp_group'] as const) {
    const ids = idsOf(kind, services);
    const [wanted, read] =
      kind === 'fhrp_group'
        ? [fields('ip_addresses'), readFhrpGroup]
        : [fields('tenant', 'primary_ip4', 'primary_ip6'), readMachine];
    for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
      const some = ids.slice(from, from + IDS_AT_ONCE).map((id) => ['id', String(id)] as const);
      // Rendered configuration contexts are large and slow (before 4.0, which has `fields`).
      const query: ListQuery = [...some, ...wanted, ['exclude', 'config_context']];
      const found = await lists.read(PATHS[kind], query, (object: RawObject) => read(object));
      if (!found.ok) return found;
      for (const parent of found.value) parents.set(parentKey({ kind, id: parent.id }), parent);
    }
  }
  return ok(parents);
}

function idsOf(kind: ServiceParent['kind'], services: readonly ServiceObject[]): readonly number[] {
  const ids = services.flatMap(({ parent }) => (parent?.kind === kind ? [parent.id] : []));
  return [...new Set(ids)].sort((a, b) => a - b);
}

function filterOf({ filter }: NetBoxSettings, list: FilteredList): ListQuery {
  return Object.entries(filter[list]).flatMap(([name, values]) =>
    values.map((value) => [name, value] as const),
  );
}
