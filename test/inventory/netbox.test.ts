/** Reading NetBox: its versions, both pagings, both tokens, changes between pages, and hostile answers. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { FakeNetBox, type NetBoxVersion, TOKEN_V1, TOKEN_V2, VERSIONS } from './fake-netbox.ts';
import { makeSourceClient } from '../../src/inventory/get-json.ts';
import { READ_LIMITS } from '../../src/inventory/source-settings.ts';
import { contentOf, reading } from './reading.ts';

async function fake(t: TestContext, version: NetBoxVersion, token?: string): Promise<FakeNetBox> {
  const netbox = await new FakeNetBox(version, token).start();
  t.after(() => netbox.stop());
  return netbox;
}

/** Two tenants with prefixes, addresses, a range and services of every kind of parent. */
function fill({ content }: FakeNetBox): void {
  const group = { id: 9, name: 'Retail', slug: 'retail' };
  content.groups.push({ ...group, customFields: { prefixd_profile: 'relaxed' } });
  content.tenants.push(
    { id: 3, name: 'ACME', slug: 'acme', group, customFields: { prefixd_profile: 'strict' } },
    { id: 4, name: 'globex', slug: 'globex', group, customFields: { prefixd_profile: null } },
  );
  content.vrfs.push({ id: 7, name: 'internet' });
  content.prefixes.push(
    { id: 1, prefix: '203.0.113.0/24', tenant: 3, site: 'fra1' },
    { id: 2, prefix: '2001:db8:acd::/48', tenant: 3, status: 'container' },
    { id: 3, prefix: '198.51.100.0/24', tenant: 4 },
    { id: 4, prefix: '192.0.2.0/24', tags: ['never-mitigate'] },
    { id: 5, prefix: '10.0.0.0/8', tenant: 4, vrf: 7 },
    { id: 6, prefix: '198.51.100.128/25', tenant: 3, status: 'deprecated' },
  );
  content.addresses.push(
    { id: 11, address: '203.0.113.10/24' },
    { id: 12, address: '203.0.113.20/24', tenant: 3 },
    { id: 13, address: '2001:db8:acd::20/64', tenant: 3 },
    { id: 14, address: '198.51.100.7/24', customFields: { prefixd_ports: 'udp/53, tcp/80-90' } },
    { id: 15, address: '192.0.2.99/24', tenant: 4 },
    { id: 16, address: '10.0.0.1/8', tenant: 4, vrf: 7 },
  );
  content.ranges.push({ id: 21, start: '198.51.100.20/24', end: '198.51.100.29/24', tenant: 4 });
  content.devices.push({ id: 31, name: 'r1', tenant: 3, primary4: 12, primary6: 13 });
  content.vms.push({ id: 32, name: 'vm1' });
  content.services.push(
    { id: 41, name: 'DNS', protocol: 'udp', ports: [53], addresses: [11], vm: 32 },
    { id: 42, name: 'DNS', protocol: 'tcp', ports: [53], addresses: [11], vm: 32 },
    { id: 43, name: 'Web', protocol: 'tcp', ports: [443, 80, 81], device: 31 },
    { id: 44, name: 'signaling', protocol: 'sctp', ports: [2905], device: 31 },
  );
}

const EXPECTED = {
  customers: [
    {
      customer_id: 'acme',
      name: 'ACME',
      policy_profile: 'strict',
      prefixes: ['2001:db8:acd::/48', '203.0.113.0/24'],
      services: [
        { service_id: 'DNS', assets: [{ ip: '203.0.113.10' }], allowed_ports: { udp: [53], tcp: [53] } },
        {
          service_id: 'Web',
          assets: [{ ip: '2001:db8:acd::20' }, { ip: '203.0.113.20' }],
          allowed_ports: { tcp: ['80-81', 443] },
        },
      ],
    },
    {
      customer_id: 'globex',
      prefixes: ['198.51.100.0/24'],
      services: [
        {
          service_id: 'addresses',
          assets: [{ ip: '192.0.2.99' }, { ip: '198.51.100.20', range_end: '198.51.100.29' }],
        },
        {
          service_id: 'tcp/80-90, udp/53',
          assets: [{ ip: '198.51.100.7' }],
          allowed_ports: { udp: [53], tcp: ['80-90'] },
        },
      ],
    },
  ],
  safelist: ['192.0.2.0/24'],
};

describe('an inventory from NetBox', () => {
  for (const version of VERSIONS) {
    for (const token of version === '4.6' ? [TOKEN_V1, TOKEN_V2] : [TOKEN_V1]) {
      it(`is the same from ${version} with a token of form ${token === TOKEN_V1 ? 1 : 2}, page by page`, async (t) => {
        const netbox = await fake(t, version, token);
        fill(netbox);
        netbox.maxPageSize = 2;
        const { result, apiVersion, notes } = await reading(netbox);
        assert.deepEqual(result.ok ? result.value : result.error, EXPECTED);
        assert.equal(apiVersion, version);
        assert.deepEqual(notes, [
          { text: 'a service is neither TCP nor UDP and is left out', count: 1, example: 'signaling (sctp)' },
        ]);
        const pages = netbox.requests.filter((path) => path.startsWith('/api/ipam/prefixes/'));
        const paged = version === '4.6' ? /[?&]start=\d/ : /[?&]offset=\d/;
        assert.ok(pages.length >= 3 && pages.every((path) => paged.test(path)), pages.join('\n'));
      });
    }
  }

  it('has one customer for each group of tenants, with the profile of the group', async (t) => {
    const netbox = await fake(t, '4.2');
    fill(netbox);
    netbox.content.tenants.push({ id: 5, name: 'Solo', slug: 'solo' });
    const { customers } = await contentOf(netbox, { customer: 'tenant_group' });
    assert.deepEqual(
      customers.map(({ customer_id, policy_profile, prefixes }) => [customer_id, policy_profile, prefixes]),
      [
        ['retail', 'relaxed', ['198.51.100.0/24', '2001:db8:acd::/48', '203.0.113.0/24']],
        ['solo', undefined, undefined],
      ],
    );
  });

  it('has the POPs of sites, in both forms that NetBox has had', async (t) => {
    for (const version of ['4.1', '4.2'] as const) {
      const netbox = await fake(t, version);
      fill(netbox);
      const { customers } = await contentOf(netbox, { pops: 'site' });
      assert.deepEqual(customers[0]?.prefixes, [
        '2001:db8:acd::/48',
        { prefix: '203.0.113.0/24', pops: ['fra1'] },
      ]);
    }
  });

  it('is that of one VRF, by its name', async (t) => {
    const netbox = await fake(t, '4.3');
    fill(netbox);
    const { customers } = await contentOf(netbox, { vrf: 'internet' });
    assert.deepEqual(
      customers.map(({ prefixes = [], services = [] }) => [
        prefixes,
        services.flatMap(({ assets }) => assets),
      ]),
      [
        [[], []],
        [['10.0.0.0/8'], [{ ip: '10.0.0.1' }]],
      ],
    );
    const { result } = await reading(netbox, { vrf: 'intranet' });
    assert.match(result.ok ? '' : result.error.text, /no VRF with the name/);
  });

  it('is narrowed by filters', async (t) => {
    const netbox = await fake(t, '4.6');
    fill(netbox);
    const filter = {
      tenants: { slug: ['acme'] },
      prefixes: { status: ['active'] },
      ip_addresses: {},
      ip_ranges: {},
      services: {},
    };
    const { customers } = await contentOf(netbox, { filter });
    assert.deepEqual(
      customers.map(({ customer_id, prefixes }) => [customer_id, prefixes]),
      [['acme', ['203.0.113.0/24']]],
    );
  });

  it('keeps apart tenants whose slug is unique in their group only', async (t) => {
    const netbox = await fake(t, '4.1');
    netbox.content.tenants.push(
      { id: 1, name: 'Shop', slug: 'shop', group: { id: 1, name: 'A', slug: 'a' } },
      { id: 2, name: 'Shop', slug: 'shop' },
    );
    const { result, notes } = await reading(netbox);
    assert.ok(result.ok);
    assert.deepEqual(
      result.value.customers.map(({ customer_id: id }) => id),
      ['a.shop', 'tenant.shop'],
    );
    assert.equal(notes[0]?.count, 2);
  });

  it('gives an address that two tenants claim to one of them, and says so', async (t) => {
    const netbox = await fake(t, '4.6');
    fill(netbox);
    netbox.content.prefixes.push({ id: 50, prefix: '203.0.113.0/24', tenant: 4 });
    netbox.content.addresses.push({ id: 51, address: '198.51.100.40/32', tenant: 3 });
    netbox.content.ranges.push({ id: 52, start: '198.51.100.36/24', end: '198.51.100.40/24', tenant: 4 });
    const { result, notes } = await reading(netbox);
    assert.ok(result.ok);
    const globex = result.value.customers[1];
    assert.deepEqual(globex?.prefixes, ['198.51.100.0/24']);
    // The range without the address of the other customer.
    assert.deepEqual(globex?.services?.[0]?.assets, [
      { ip: '192.0.2.99' },
      { ip: '198.51.100.20', range_end: '198.51.100.29' },
      { ip: '198.51.100.36/30' },
    ]);
    const examples = notes.map(({ example }) => example);
    assert.ok(examples.includes('203.0.113.0/24') && examples.includes('198.51.100.36-198.51.100.40'));
  });
});

describe('objects that come and go between pages', () => {
  /** Reads 40 prefixes in pages of 5, while something happens before a request for prefixes. */
  async function meanwhile(
    t: TestContext,
    version: NetBoxVersion,
    happens: (page: number, netbox: FakeNetBox) => void,
  ): Promise<{ found: readonly string[]; pages: number }> {
    const netbox = await fake(t, version);
    netbox.content.tenants.push({ id: 1, name: 'acme', slug: 'acme' });
    for (let n = 1; n <= 40; n++)
      netbox.content.prefixes.push({ id: n, prefix: `203.0.${n}.0/24`, tenant: 1 });
    netbox.maxPageSize = 5;
    let page = 0;
    netbox.interfere = (_n, url) => {
      if (url.pathname.endsWith('/prefixes/')) happens(++page, netbox);
      return false;
    };
    const { customers } = await contentOf(netbox);
    return { found: customers[0]?.prefixes?.map(String) ?? [], pages: page };
  }

  for (const version of ['4.1', '4.6'] as const) {
    it(`leave no gap when one that was read is deleted (${version})`, async (t) => {
      const { found } = await meanwhile(t, version, (page, { content }) => {
        if (page === 4) content.prefixes.splice(1, 1);
      });
      for (let n = 3; n <= 40; n++)
        assert.ok(found.includes(`203.0.${n}.0/24`), `203.0.${n}.0/24 is missing`);
    });

    it(`leave no gap when as many are created as are deleted (${version})`, async (t) => {
      const { found } = await meanwhile(t, version, (page, { content }) => {
        if (page !== 4) return;
        content.prefixes.splice(1, 1);
        content.prefixes.push({ id: 99, prefix: '203.0.99.0/24', tenant: 1 });
      });
      for (const n of [3, 16, 20, 40, 99]) assert.ok(found.includes(`203.0.${n}.0/24`), `${n} is missing`);
    });

    it(`are there twice nowhere when one comes to match the filter (${version})`, async (t) => {
      const { found } = await meanwhile(t, version, (page, { content }) => {
        if (page === 4) content.prefixes.unshift({ id: 45, prefix: '203.0.45.0/24', tenant: 1 });
      });
      assert.equal(new Set(found).size, 41);
    });
  }

  it('let a list that never rests be given up, with the reason', async (t) => {
    const netbox = await fake(t, '4.1');
    netbox.content.tenants.push({ id: 1, name: 'acme', slug: 'acme' });
    for (let n = 1; n <= 200; n++)
      netbox.content.prefixes.push({ id: n, prefix: `10.0.${n}.0/24`, tenant: 1 });
    netbox.maxPageSize = 5;
    netbox.interfere = (_n, url) => {
      if (url.pathname.endsWith('/prefixes/')) netbox.content.prefixes.shift();
      return false;
    };
    const { result } = await reading(netbox);
    assert.equal(result.ok ? '' : result.error.code, 'changing');
  });

  it('let everything be read again when a tenant appears meanwhile', async (t) => {
    const netbox = await fake(t, '4.6');
    fill(netbox);
    let isDone = false;
    netbox.interfere = (_n, url) => {
      if (url.pathname.endsWith('/services/') && !isDone) {
        isDone = true;
        netbox.content.tenants.push({ id: 77, name: 'New', slug: 'new' });
        netbox.content.prefixes.push({ id: 77, prefix: '203.0.112.0/24', tenant: 77 });
      }
      return false;
    };
    const { customers } = await contentOf(netbox);
    const added = customers.find(({ customer_id: id }) => id === 'new');
    assert.deepEqual(added?.prefixes, ['203.0.112.0/24']);
  });
});

describe('a NetBox in trouble', () => {
  it('that asks for a pause gets it, and the page is asked for again', async (t) => {
    const netbox = await fake(t, '4.6');
    fill(netbox);
    let refusals = 0;
    netbox.interfere = (_n, url, response) => {
      if (!url.pathname.endsWith('/prefixes/') || refusals === 2) return false;
      refusals++;
      response.writeHead(429, { 'retry-after': '7' }).end('{}');
      return true;
    };
    const { result, waits } = await reading(netbox);
    assert.deepEqual(result.ok ? result.value : result.error, EXPECTED);
    assert.deepEqual(waits, [7000, 7000]);
  });

  const troubles: readonly (readonly [
    what: string,
    code: string,
    words: RegExp,
    answer: (response: import('node:http').ServerResponse, netbox: FakeNetBox) => void,
  ])[] = [
    [
      'asks for a long pause',
      'too_many_requests',
      /HTTP 429/,
      (r) => r.writeHead(429, { 'retry-after': '3600' }).end(),
    ],
    ['refuses the token', 'unauthorized', /token_env/, (r) => r.writeHead(403).end('{}')],
    ['is broken', 'unavailable', /HTTP 502/, (r) => r.writeHead(502, { 'retry-after': '600' }).end()],
    ['dies', 'unreachable', /127\.0\.0\.1/, (r) => r.destroy()],
    [
      'dies within an answer',
      'unreachable',
      /127\.0\.0\.1/,
      (r) => {
        r.writeHead(200, { 'content-length': '100' }).write('{"count": 1');
        setImmediate(() => r.destroy());
      },
    ],
    ['answers with a page of HTML', 'invalid', /a web page/, (r) => r.writeHead(200).end('<html>')],
    [
      'answers with half of a document',
      'invalid',
      /invalid JSON/,
      (r) => r.writeHead(200).end('{"count": 1'),
    ],
    ['answers with something else', 'invalid', /no list/, (r) => r.writeHead(200).end('[1, 2]')],
    [
      'redirects to another host',
      'redirect',
      /redirects to http:\/\/192\.0\.2\.7/,
      (r) => r.writeHead(302, { location: 'http://192.0.2.7/api/' }).end(),
    ],
    [
      'redirects in a circle',
      'redirect',
      /redirects to/,
      (r, { url }) => r.writeHead(301, { location: `${url}/api/ipam/prefixes/` }).end(),
    ],
    [
      'repeats a page for ever',
      'invalid',
      /comes after object|empty page/,
      (r) =>
        r.writeHead(200).end(
          JSON.stringify({
            count: null,
            next: 'http://x/?start=1',
            previous: null,
            results: [{ id: 1, prefix: '10.0.0.0/8', status: 'active' }],
          }),
        ),
    ],
    [
      'has an endless list of empty pages',
      'invalid',
      /empty page/,
      (r) => r.writeHead(200).end('{"count":null,"next":"http://x/","previous":null,"results":[]}'),
    ],
    [
      'has an object without an id',
      'invalid',
      /no id/,
      (r) => r.writeHead(200).end('{"count":null,"next":null,"previous":null,"results":[{}]}'),
    ],
    [
      'has a prefix of another type',
      'invalid',
      /object 5: prefix/,
      (r) =>
        r.writeHead(200).end('{"count":null,"next":null,"previous":null,"results":[{"id":5,"prefix":17}]}'),
    ],
    [
      'has a prefix with host bits',
      'invalid',
      /object 5: /,
      (r) =>
        r
          .writeHead(200)
          .end(
            '{"count":null,"next":null,"previous":null,"results":[{"id":5,"prefix":"10.0.0.1/8","status":"active"}]}',
          ),
    ],
    [
      'has a tenant of another type',
      'invalid',
      /tenant is no object/,
      (r) =>
        r
          .writeHead(200)
          .end(
            '{"count":null,"next":null,"previous":null,"results":[{"id":5,"prefix":"10.0.0.0/8","status":"active","tenant":7}]}',
          ),
    ],
  ];
  for (const [what, code, words, answer] of troubles) {
    it(`that ${what} is named: ${code}`, async (t) => {
      const netbox = await fake(t, '4.6');
      fill(netbox);
      netbox.interfere = (_n, url, response) => {
        if (!url.pathname.endsWith('/prefixes/')) return false;
        answer(response, netbox);
        return true;
      };
      const { result } = await reading(netbox);
      assert.ok(!result.ok);
      assert.equal(result.error.code, code, result.error.text);
      assert.match(result.error.text, words);
      assert.ok(!result.error.text.includes(TOKEN_V1));
    });
  }

  it('that answers more than a page may have, or more objects than there may be, is cut off', async (t) => {
    const netbox = await fake(t, '4.6');
    fill(netbox);
    const large = await reading(netbox, {}, { pageBytes: 1000 });
    assert.equal(large.result.ok ? '' : large.result.error.code, 'too_large');
    const many = await reading(netbox, {}, { objects: 5 });
    assert.match(many.result.ok ? '' : many.result.error.text, /more than 5 objects/);
  });

  it('that answers nothing is given up in time', async (t) => {
    const netbox = await fake(t, '4.6');
    netbox.interfere = () => true;
    const { result } = await reading(netbox, {}, { silenceMs: 100 });
    assert.equal(result.ok ? '' : result.error.code, 'timeout');
  });

  it('that has a certificate of its own CA is read with inventory.ca_path, and refused without', async (t) => {
    const pem = (name: string): Promise<string> =>
      readFile(join(import.meta.dirname, `../http/certs/${name}.pem`), 'utf8');
    const server = createTlsServer(
      { cert: await pem('server'), key: await pem('server.key') },
      (_, response) => {
        response.end('{"count":null,"next":null,"previous":null,"results":[]}');
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const url = `https://localhost:${(server.address() as AddressInfo).port}/api/`;
    const ask = async (ca: string | undefined) => {
      const signal = new AbortController().signal;
      const client = makeSourceClient({ token: 'x', ca, limits: READ_LIMITS, signal }, true);
      const answer = await client.get(url);
      await client.close();
      return answer;
    };
    assert.ok((await ask(await pem('ca'))).ok);
    const refused = await ask(undefined);
    assert.equal(refused.ok ? '' : refused.error.code, 'tls');
    assert.match(refused.ok ? '' : refused.error.text, /inventory\.ca_path/);
  });

  it('never learns the token by a redirect', async (t) => {
    const seen: unknown[] = [];
    const other = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    t.after(() => other.close());
    const netbox = await fake(t, '4.6');
    const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/api/`;
    netbox.interfere = (_n, _url, response) => {
      response.writeHead(307, { location }).end();
      return true;
    };
    const { result } = await reading(netbox);
    assert.equal(result.ok ? '' : result.error.code, 'redirect');
    assert.deepEqual(seen, []);
  });
});
