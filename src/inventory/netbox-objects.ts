/**
 * Reads NetBox's objects as versions 3.7 to 4.6 answer them, and keeps what the inventory needs. A value that is not as
 * documented is an error in words: dropping an object silently would switch protection off. Pure.
 */
import { parseAddress, parsePrefix, type Prefix } from '../net/prefix.ts';
import { failed, ok, type Result } from '../net/result.ts';
import type { RawObject } from './list-reader.ts';

export interface TenantGroupObject {
  readonly id: number;
  readonly name: string;
  readonly slug: string;
  readonly fields: RawObject;
}

export interface TenantObject extends TenantGroupObject {
  readonly groupId: number | undefined;
  readonly groupSlug: string | undefined;
}

export interface PrefixObject {
  readonly id: number;
  readonly text: string;
  readonly prefix: Prefix;
  readonly tenantId: number | undefined;
  readonly vrfId: number | undefined;
  readonly status: string;
  /** Slug of its site (before 4.2), or of its scope if that is a site. */
  readonly site: string | undefined;
  readonly tags: readonly string[];
}

export interface AddressObject {
  readonly id: number;
  /** Without its mask. */
  readonly address: string;
  readonly tenantId: number | undefined;
  readonly vrfId: number | undefined;
  readonly status: string;
  readonly tags: readonly string[];
  readonly fields: RawObject;
}

export interface RangeObject extends AddressObject {
  readonly end: string;
}

/** What a service runs on. */
export interface ServiceParent {
  readonly kind: 'device' | 'virtual_machine' | 'fhrp_group';
  readonly id: number;
}

export interface ServiceObject {
  readonly id: number;
  readonly name: string;
  readonly protocol: string;
  readonly ports: readonly number[];
  /** The addresses that it is bound to; empty: all of the parent's primary ones. */
  readonly addresses: readonly NestedAddress[];
  readonly parent: ServiceParent | undefined;
}

export interface NestedAddress {
  readonly id: number;
  readonly address: string;
}

/** A device, a virtual machine or an FHRP group, with the addresses by which services on it are reached. */
export interface ParentObject {
  readonly id: number;
  readonly tenantId: number | undefined;
  readonly addresses: readonly NestedAddress[];
}

class Unexpected extends Error {}

/** Makes a reader whose errors are results. */
function reader<T>(read: (object: RawObject) => T): (object: RawObject) => Result<T> {
  return (object) => {
    try {
      return ok(read(object));
    } catch (error) {
      if (error instanceof Unexpected) return failed(error.message);
      throw error;
    }
  };
}

export const readTenantGroup = reader(
  (object): TenantGroupObject => ({
    id: id(object),
    name: text(object, 'name'),
    slug: text(object, 'slug'),
    fields: fieldsOf(object),
  }),
);

export const readTenant = reader((object): TenantObject => {
  const group = nested(object, 'group');
  return {
    id: id(object),
    name: text(object, 'name'),
    slug: text(object, 'slug'),
    fields: fieldsOf(object),
    groupId: group === undefined ? undefined : id(group),
    groupSlug: group === undefined ? undefined : text(group, 'slug'),
  };
});

export const readPrefixObject = reader((object): PrefixObject => {
  const written = text(object, 'prefix');
  const prefix = parsePrefix(written);
  if (!prefix.ok) throw new Unexpected(prefix.error);
  return {
    id: id(object),
    text: written,
    prefix: prefix.value,
    ...assignmentOf(object),
    site: siteOf(object),
  };
});

export const readAddressObject = reader(
  (object): AddressObject => ({
    id: id(object),
    address: host(object, 'address'),
    ...assignmentOf(object),
    fields: fieldsOf(object),
  }),
);

export const readRangeObject = reader(
  (object): RangeObject => ({
    id: id(object),
    address: host(object, 'start_address'),
    end: host(object, 'end_address'),
    ...assignmentOf(object),
    fields: fieldsOf(object),
  }),
);

export const readServiceObject = reader((object): ServiceObject => {
  const ports: unknown = object.ports;
  const isPort = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535;
  if (!Array.isArray(ports) || !ports.every(isPort)) throw new Unexpected('ports is no list of ports');
  return {
    id: id(object),
    name: text(object, 'name'),
    protocol: choice(object, 'protocol'),
    ports,
    addresses: listOf(object, 'ipaddresses').map(nestedAddress),
    parent: parentOf(object),
  };
});

/** Reads a device or a virtual machine. */
export const readMachine = reader(
  (object): ParentObject => ({
    id: id(object),
    tenantId: idOfNested(object, 'tenant'),
    addresses: (['primary_ip4', 'primary_ip6'] as const).flatMap((key) => {
      const address = nested(object, key);
      return address === undefined ? [] : [nestedAddress(address)];
    }),
  }),
);

export const readFhrpGroup = reader(
  (object): ParentObject => ({
    id: id(object),
    tenantId: undefined,
    addresses: listOf(object, 'ip_addresses').map(nestedAddress),
  }),
);

export const readId = reader((object): number => id(object));

function id(object: RawObject): number {
  const value = object.id;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw new Unexpected('id is no positive number');
}

function text(object: RawObject, key: string): string {
  const value = object[key];
  if (typeof value === 'string' && value.trim() !== '' && value.length <= 1000) return value;
  throw new Unexpected(`${key} is no text`);
}

/** Returns a nested object; undefined if it is null or, in another version, absent. */
function nested(object: RawObject, key: string): RawObject | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (isObject(value)) return value;
  throw new Unexpected(`${key} is no object`);
}

function isObject(value: unknown): value is RawObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(object: RawObject, key: string): readonly RawObject[] {
  const value = object[key] ?? [];
  if (Array.isArray(value) && value.every(isObject)) return value;
  throw new Unexpected(`${key} is no list of objects`);
}

/** Returns the value of a choice: `{ "value": "active", "label": "Active" }`. */
function choice(object: RawObject, key: string): string {
  const value = object[key];
  if (isObject(value) && typeof value.value === 'string') return value.value;
  if (typeof value === 'string') return value;
  throw new Unexpected(`${key} is no choice`);
}

/** Returns an address without the mask with which NetBox writes it. */
function host(object: RawObject, key: string): string {
  const written = text(object, key);
  const slash = written.indexOf('/');
  const address = slash < 0 ? written : written.slice(0, slash);
  if (parseAddress(address) === undefined) throw new Unexpected(`${key} is no address`);
  return address;
}

function nestedAddress(object: RawObject): NestedAddress {
  return { id: id(object), address: host(object, 'address') };
}

function idOfNested(object: RawObject, key: string): number | undefined {
  const inner = nested(object, key);
  return inner === undefined ? undefined : id(inner);
}

function fieldsOf(object: RawObject): RawObject {
  return nested(object, 'custom_fields') ?? {};
}

/** Returns the slugs and names of an object's tags. */
/** Reads whose a prefix, address or range is, and what it is used for. */
function assignmentOf(object: RawObject): Pick<AddressObject, 'tenantId' | 'vrfId' | 'status' | 'tags'> {
  return {
    tenantId: idOfNested(object, 'tenant'),
    vrfId: idOfNested(object, 'vrf'),
    status: choice(object, 'status'),
    tags: tagsOf(object),
  };
}

function tagsOf(object: RawObject): readonly string[] {
  return listOf(object, 'tags').flatMap(({ slug, name }) =>
    [slug, name].filter((one) => typeof one === 'string'),
  );
}

/** Returns a prefix's site: `site` before 4.2, then a `scope` of the type `dcim.site`. */
function siteOf(object: RawObject): string | undefined {
  const site = object.scope_type === 'dcim.site' ? nested(object, 'scope') : nested(object, 'site');
  return site === undefined ? undefined : text(site, 'slug');
}

const PARENT_TYPES: Readonly<Record<string, ServiceParent['kind']>> = {
  'dcim.device': 'device',
  'virtualization.virtualmachine': 'virtual_machine',
  'ipam.fhrpgroup': 'fhrp_group',
};

/** Returns a service's parent: `parent_object_type` since 4.3, `device` or `virtual_machine` before. */
function parentOf(object: RawObject): ServiceParent | undefined {
  const type = object.parent_object_type;
  if (typeof type === 'string') {
    const kind = PARENT_TYPES[type];
    const parent = object.parent_object_id;
    if (kind === undefined) return undefined;
    if (typeof parent !== 'number') throw new Unexpected('parent_object_id is no number');
    return { kind, id: parent };
  }
  for (const kind of ['device', 'virtual_machine'] as const) {
    const parent = nested(object, kind);
    if (parent !== undefined) return { kind, id: id(parent) };
  }
  return undefined;
}
