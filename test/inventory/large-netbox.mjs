/**
 * A large NetBox in a process of its own: `node large-netbox.mjs TENANTS PREFIXES ADDRESSES [EXTRA]`. Prints its URL. Its
 * pages are of the cursor form of 4.6. SIGUSR2 adds a prefix.
 */
import { createServer } from 'node:http';

const [tenants, prefixes, addresses] = process.argv.slice(2).map(Number);
let more = 0;
process.on('SIGUSR2', () => more++);

const refs = (id) => ({
  id,
  url: `http://netbox/api/tenancy/tenants/${id}/`,
  display: `Tenant ${id}`,
  name: `Tenant ${id}`,
  slug: `tenant-${id}`,
  description: '',
});
const choice = { value: 'active', label: 'Active' };
const octets = (base, n) => `${base}.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;

const LISTS = {
  '/api/tenancy/tenants/': [
    () => tenants,
    (id) => ({ id, name: `Tenant ${id}`, slug: `tenant-${id}`, group: null, custom_fields: {} }),
  ],
  '/api/ipam/prefixes/': [
    () => prefixes + more,
    (id) => ({
      id,
      prefix: `${octets(20 + (id >> 16), (id & 0xffff) << 8)}/24`,
      vrf: null,
      tenant: refs((id % tenants) + 1),
      status: choice,
      scope_type: null,
      scope: null,
      tags: [],
    }),
  ],
  '/api/ipam/ip-addresses/': [
    () => addresses,
    (id) => ({
      id,
      address: `${octets(20 + (id >> 24), id)}/24`,
      vrf: null,
      tenant: refs((id % tenants) + 1),
      status: choice,
      tags: [],
      custom_fields: { prefixd_ports: id % 3 === 0 ? 'udp/53, tcp/443' : null },
    }),
  ],
  '/api/ipam/ip-ranges/': [() => 0, () => ({})],
  '/api/ipam/services/': [() => 0, () => ({})],
};

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://netbox');
  const [count, make] = LISTS[url.pathname] ?? [() => 0, () => ({})];
  const from = Math.max(1, Number(url.searchParams.get('start')));
  const to = Math.min(count() + 1, from + Number(url.searchParams.get('limit')));
  const results = [];
  for (let id = from; id < to; id++) results.push(make(id));
  const next = to > count() ? null : `http://netbox${url.pathname}?start=${to}`;
  response.writeHead(200, { 'content-type': 'application/json', 'api-version': '4.6' });
  response.end(JSON.stringify({ count: null, next, previous: null, results }));
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
