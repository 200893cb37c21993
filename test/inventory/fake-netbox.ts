/**
 * A NetBox of the tests' own. Its answers have the form that the documentation and serializers of versions 3.7, 4.1,
 * 4.2, 4.3 and 4.6 give; no NetBox ran while it was written.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const VERSIONS = ['3.7', '4.1', '4.2', '4.3', '4.6'] as const;

export type NetBoxVersion = (typeof VERSIONS)[number];

/** A token of the first form, 40 hexadecimal digits, and one of the second (since 4.5). */
export const TOKEN_V1 = '0123456789abcdef0123456789abcdef01234567';
export const TOKEN_V2 = 'nbt_4F9DAouzURLb.zjebxBPzICiPbWz0Wtx0fTL7bCKXKGTYhNzkgC2S';

interface Tagged {
  tags?: readonly string[];
  customFields?: Readonly<Record<string, unknown>>;
}

export interface FakeTenant extends Tagged {
  id: number;
  name: string;
  slug: string;
  group?: { id: number; name: string; slug: string };
}

export interface FakePrefix extends Tagged {
  id: number;
  prefix: string;
  tenant?: number;
  vrf?: number;
  status?: string;
  site?: string;
}

export interface FakeAddress extends Tagged {
  id: number;
  address: string;
  tenant?: number;
  vrf?: number;
  status?: string;
}

export interface FakeRange extends Tagged {
  id: number;
  start: string;
  end: string;
  tenant?: number;
  vrf?: number;
  status?: string;
}

export interface FakeService {
  id: number;
  name: string;
  protocol: string;
  ports: readonly number[];
  addresses?: readonly number[];
  device?: number;
  vm?: number;
  fhrp?: number;
}

export interface FakeMachine {
  id: number;
  name: string;
  tenant?: number;
  primary4?: number;
  primary6?: number;
}

export interface FakeContent {
  tenants: FakeTenant[];
  groups: (Tagged & { id: number; name: string; slug: string })[];
  vrfs: { id: number; name: string }[];
  prefixes: FakePrefix[];
  addresses: FakeAddress[];
  ranges: FakeRange[];
  services: FakeService[];
  devices: FakeMachine[];
  vms: FakeMachine[];
  fhrpGroups: { id: number; addresses: readonly number[] }[];
}

export function emptyContent(): FakeContent {
  return {
    tenants: [],
    groups: [],
    vrfs: [],
    prefixes: [],
    addresses: [],
    ranges: [],
    services: [],
    devices: [],
    vms: [],
    fhrpGroups: [],
  };
}

/** Answers instead of the fake, and returns true; or returns false. Called before each answer; requests count from 1. */
export type Interference = (request: number, url: URL, response: ServerResponse) => boolean | undefined;

type Wire = Record<string, unknown>;

export class FakeNetBox {
  readonly version: NetBoxVersion;
  readonly content: FakeContent = emptyContent();
  readonly token: string;
  /** MAX_PAGE_SIZE. */
  maxPageSize = 1000;
  interfere: Interference = () => false;
  /** Paths with queries of the requests so far. */
  readonly requests: string[] = [];
  readonly #server: Server;
  #url = '';

  constructor(version: NetBoxVersion, token: string = TOKEN_V1) {
    this.version = version;
    this.token = token;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  get url(): string {
    return this.#url;
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.#url);
    this.requests.push(`${url.pathname}${url.search}`);
    if (this.interfere(this.requests.length, url, response) === true) return;
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'api-version': this.version,
        vary: 'HX-Request, Accept, Cookie, origin',
      });
      response.end(JSON.stringify(body));
    };
    const keyword = this.token.startsWith('nbt_') ? 'Bearer' : 'Token';
    if (request.headers.authorization !== `${keyword} ${this.token}`) {
      send(403, { detail: 'Invalid token' });
      return;
    }
    const list = this.#lists()[url.pathname.replace(/^\/api\//, '')];
    if (list === undefined) send(404, { detail: 'Not found.' });
    else send(...this.#page(list, url));
  }

  #lists(): Readonly<Record<string, () => readonly Wire[]>> {
    const { content } = this;
    return {
      'tenancy/tenants/': () => content.tenants.map((one) => this.#tenant(one)),
      'tenancy/tenant-groups/': () =>
        content.groups.map((one) => ({
          ...this.#base('tenancy/tenant-groups', one),
          slug: one.slug,
          name: one.name,
        })),
      'ipam/vrfs/': () =>
        content.vrfs.map((one) => ({ ...this.#base('ipam/vrfs', one), name: one.name, rd: null })),
      'ipam/prefixes/': () => content.prefixes.map((one) => this.#prefix(one)),
      'ipam/ip-addresses/': () => content.addresses.map((one) => this.#address(one)),
      'ipam/ip-ranges/': () => content.ranges.map((one) => this.#range(one)),
      'ipam/services/': () => content.services.map((one) => this.#service(one)),
      'dcim/devices/': () => content.devices.map((one) => this.#machine('dcim/devices', one)),
      'virtualization/virtual-machines/': () =>
        content.vms.map((one) => this.#machine('virtualization/virtual-machines', one)),
      'ipam/fhrp-groups/': () =>
        content.fhrpGroups.map((one) => ({
          ...this.#base('ipam/fhrp-groups', one),
          ip_addresses: one.addresses.map((id) => this.#nestedAddress(id)),
        })),
    };
  }

  /** Filters, orders, pages and reduces a list, as NetBox does; unknown parameters are ignored. */
  #page(list: () => readonly Wire[], url: URL): [number, unknown] {
    const query = url.searchParams;
    let all = list().filter((one) => matches(one, query));
    const asked = Number(query.get('limit') ?? 50);
    const limit = Math.min(asked === 0 ? this.maxPageSize : asked, this.maxPageSize);
    const fields = this.version === '3.7' ? null : query.get('fields');
    const shown = (some: readonly Wire[]): readonly Wire[] =>
      fields === null
        ? some
        : some.map((one) =>
            Object.fromEntries(Object.entries(one).filter(([key]) => fields.split(',').includes(key))),
          );
    // Behind a proxy, NetBox often does not know its own name.
    const link = (name: string, value: number): string => {
      const next = new URL(url.href.replace(url.origin, 'http://netbox.internal:8001'));
      next.searchParams.set(name, String(value));
      return next.href;
    };
    if (this.version === '4.6' && query.has('start')) {
      if (query.has('offset') || query.has('ordering')) return [400, ['mutually exclusive']];
      const start = Number(query.get('start'));
      all = byId(all).filter(({ id }) => Number(id) >= start);
      const results = all.slice(0, limit);
      const next = results.length < limit ? null : link('start', Number(results.at(-1)?.id) + 1);
      return [200, { count: null, next, previous: null, results: shown(results) }];
    }
    if (query.get('ordering') === 'id') all = byId(all);
    else all = [...all].sort((a, b) => String(a.display).localeCompare(String(b.display)));
    const offset = Number(query.get('offset') ?? 0);
    const next = offset + limit < all.length ? link('offset', offset + limit) : null;
    const results = shown(all.slice(offset, offset + limit));
    return [200, { count: all.length, next, previous: null, results }];
  }

  #base(path: string, one: { readonly id: number } & Tagged): Wire {
    const display = String(Object.values(one)[1] ?? one.id);
    return {
      id: one.id,
      url: `${this.#url}/api/${path}/${one.id}/`,
      ...(this.version === '3.7' ? {} : { display_url: `${this.#url}/${path}/${one.id}/` }),
      display,
      description: '',
      comments: '',
      ...(this.version === '4.6' ? { owner: null } : {}),
      tags: (one.tags ?? []).map((slug, i) => ({
        id: i + 1,
        url: `${this.#url}/api/extras/tags/${i + 1}/`,
        display: slug.toUpperCase(),
        name: slug.toUpperCase(),
        slug,
        color: '9e9e9e',
      })),
      custom_fields: one.customFields ?? {},
      created: '2024-05-08T08:31:09.581921Z',
      last_updated: '2024-05-08T08:31:09.581935Z',
    };
  }

  #nested(path: string, id: number, more: Wire): Wire {
    const brief = this.version === '3.7' ? {} : { description: '' };
    return { id, url: `${this.#url}/api/${path}/${id}/`, ...more, ...brief };
  }

  #tenant(one: FakeTenant): Wire {
    const { group } = one;
    return {
      ...this.#base('tenancy/tenants', one),
      name: one.name,
      slug: one.slug,
      group:
        group === undefined
          ? null
          : this.#nested('tenancy/tenant-groups', group.id, {
              display: group.name,
              name: group.name,
              slug: group.slug,
            }),
      prefix_count: 0,
    };
  }

  #tenantRef(id: number | undefined): Wire | null {
    const tenant = this.content.tenants.find((one) => one.id === id);
    if (id === undefined) return null;
    const { name = 'gone', slug = 'gone' } = tenant ?? {};
    return this.#nested('tenancy/tenants', id, { display: name, name, slug });
  }

  #vrfRef(id: number | undefined): Wire | null {
    if (id === undefined) return null;
    return this.#nested('ipam/vrfs', id, { display: `vrf ${id}`, name: `vrf ${id}`, rd: null });
  }

  #prefix(one: FakePrefix): Wire {
    const site =
      one.site === undefined
        ? null
        : this.#nested('dcim/sites', 1, { display: one.site, name: one.site, slug: one.site });
    const isScoped = this.version !== '3.7' && this.version !== '4.1';
    return {
      ...this.#base('ipam/prefixes', one),
      family: familyOf(one.prefix),
      prefix: one.prefix,
      ...(isScoped ? { scope_type: site && 'dcim.site', scope_id: site && 1, scope: site } : { site }),
      vrf: this.#vrfRef(one.vrf),
      tenant: this.#tenantRef(one.tenant),
      vlan: null,
      status: choiceOf(one.status ?? 'active'),
      role: null,
      is_pool: false,
      mark_utilized: false,
      children: 0,
      _depth: 0,
    };
  }

  #address(one: FakeAddress): Wire {
    return {
      ...this.#base('ipam/ip-addresses', one),
      family: familyOf(one.address),
      address: one.address,
      vrf: this.#vrfRef(one.vrf),
      tenant: this.#tenantRef(one.tenant),
      status: choiceOf(one.status ?? 'active'),
      role: null,
      assigned_object_type: null,
      assigned_object_id: null,
      assigned_object: null,
      nat_inside: null,
      nat_outside: [],
      dns_name: '',
    };
  }

  #range(one: FakeRange): Wire {
    return {
      ...this.#base('ipam/ip-ranges', one),
      family: familyOf(one.start),
      start_address: one.start,
      end_address: one.end,
      size: 2,
      vrf: this.#vrfRef(one.vrf),
      tenant: this.#tenantRef(one.tenant),
      status: choiceOf(one.status ?? 'active'),
      role: null,
    };
  }

  #nestedAddress(id: number): Wire {
    const address = this.content.addresses.find((one) => one.id === id)?.address ?? '192.0.2.1/24';
    const family = this.version === '3.7' ? (address.includes(':') ? 6 : 4) : familyOf(address);
    return this.#nested('ipam/ip-addresses', id, { display: address, family, address });
  }

  #service(one: FakeService): Wire {
    const parents: readonly (readonly [type: string, key: string, path: string, id: number | undefined])[] = [
      ['dcim.device', 'device', 'dcim/devices', one.device],
      ['virtualization.virtualmachine', 'virtual_machine', 'virtualization/virtual-machines', one.vm],
      ['ipam.fhrpgroup', 'fhrp', 'ipam/fhrp-groups', one.fhrp],
    ];
    const ref = (path: string, id: number): Wire =>
      this.#nested(path, id, { display: `parent ${id}`, name: `parent ${id}` });
    const [type, , path, id] = parents.find(([, , , parent]) => parent !== undefined) ?? [
      null,
      '',
      '',
      undefined,
    ];
    const isGeneric = this.version === '4.3' || this.version === '4.6';
    return {
      ...this.#base('ipam/services', one),
      ...(isGeneric
        ? {
            parent_object_type: type,
            parent_object_id: id ?? null,
            parent: id === undefined ? null : ref(path, id),
          }
        : {
            device: one.device === undefined ? null : ref('dcim/devices', one.device),
            virtual_machine: one.vm === undefined ? null : ref('virtualization/virtual-machines', one.vm),
          }),
      name: one.name,
      protocol: choiceOf(one.protocol),
      ports: one.ports,
      ipaddresses: (one.addresses ?? []).map((address) => this.#nestedAddress(address)),
    };
  }

  #machine(path: string, one: FakeMachine): Wire {
    const primary = (id: number | undefined): Wire | null =>
      id === undefined ? null : this.#nestedAddress(id);
    return {
      ...this.#base(path, one),
      name: one.name,
      tenant: this.#tenantRef(one.tenant),
      primary_ip: primary(one.primary4 ?? one.primary6),
      primary_ip4: primary(one.primary4),
      primary_ip6: primary(one.primary6),
    };
  }
}

function choiceOf(value: string): Wire {
  return { value, label: `${value.slice(0, 1).toUpperCase()}${value.slice(1)}` };
}

function familyOf(text: string): Wire {
  return text.includes(':') ? { value: 6, label: 'IPv6' } : { value: 4, label: 'IPv4' };
}

function byId(all: readonly Wire[]): Wire[] {
  return [...all].sort((a, b) => Number(a.id) - Number(b.id));
}

/** Applies the filters that the tests use. */
function matches(one: Wire, query: URLSearchParams): boolean {
  const ids = query.getAll('id');
  if (ids.length > 0 && !ids.includes(String(one.id))) return false;
  const name = query.get('name');
  if (name !== null && one.name !== name) return false;
  const statuses = query.getAll('status');
  if (statuses.length > 0 && !statuses.includes(String((one.status as Wire | undefined)?.value)))
    return false;
  const slugs = query.getAll('slug');
  if (slugs.length > 0 && !slugs.includes(String(one.slug))) return false;
  const vrf = query.get('vrf_id');
  const vrfId = (one.vrf as Wire | null | undefined)?.id;
  return (
    vrf === null || one.vrf === undefined || (vrf === 'null' ? vrfId === undefined : String(vrfId) === vrf)
  );
}
