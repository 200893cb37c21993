/** The section `inventory` is checked without network. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

const NETBOX = `inventory:
  source: netbox
  url: https://netbox.example.net/netbox/
  token_env: NETBOX_TOKEN
`;

const ENVIRONMENT = { NETBOX_TOKEN: 'nbt_4F9DAouzURLb.zjebxBPzICiPbWz0Wtx0fTL7bCKXKGTYhNzkgC2S' };

describe('the section inventory', () => {
  it('has defaults, needs no inventory.yaml, and shows no secret', async (t) => {
    const result = await load(
      t,
      `${SHORTEST}${NETBOX}  filter: { prefixes: { status: [active, container], role: 3 } }\n`,
      ENVIRONMENT,
    );
    const { inventorySources, shown, secrets } = sound(result);
    const { system } = inventorySources;
    assert.equal(system?.token, ENVIRONMENT.NETBOX_TOKEN);
    assert.deepEqual(system.filter.prefixes, { status: ['active', 'container'], role: ['3'] });
    assert.deepEqual(
      [system.vrf, system.customer, system.refreshSeconds, system.shrinkGuard],
      ['global', 'tenant', 300, 0.8],
    );
    assert.ok(secrets.includes(ENVIRONMENT.NETBOX_TOKEN));
    assert.ok(!JSON.stringify(shown).includes('zjebx'));
    assert.deepEqual(
      inventorySources.written.customers.map(({ customer_id: id }) => id),
      ['acme'],
    );
  });

  it('is refused with the place and the fix', async (t) => {
    const refused = async (text: string): Promise<string> =>
      problemsOf(await load(t, `${SHORTEST}${text}`, ENVIRONMENT)).join('\n');
    assert.match(
      await refused(NETBOX.replace('https', 'http')),
      /inventory\.url: the token is sent to netbox\.example\.net unencrypted; use https/,
    );
    assert.match(await refused(NETBOX.replace('://', '://kim:pw@')), /contains a user name or a password/);
    assert.match(await refused(NETBOX.replace('  token_env: NETBOX_TOKEN\n', '')), /NetBox needs a token/);
    assert.match(await refused(NETBOX.replace('NETBOX_TOKEN', 'MISSING')), /MISSING is not set/);
    assert.match(
      await refused(`${NETBOX}  filter: { prefixes: { limit: 5 } }\n`),
      /prefixd sets limit by itself; remove it/,
    );
    assert.match(await refused(`${NETBOX}  filter: { prefixes: { vrf_id: 5 } }\n`), /use inventory\.vrf/);
    assert.match(
      await refused(NETBOX.replace('netbox\n', 'http\n').concat('  ports_field: x\n')),
      /ports_field has no effect with source http/,
    );
    assert.match(await refused(`${NETBOX}  customer: site\n`), /one of tenant, tenant_group/);
  });

  it('may be unencrypted to this machine, and elsewhere with a warning', async (t) => {
    const local = await load(
      t,
      `${SHORTEST}${NETBOX.replace('https://netbox.example.net', 'http://127.0.0.1:8000')}`,
      ENVIRONMENT,
    );
    assert.deepEqual(problemsOf(local), []);
    const away = await load(
      t,
      `${SHORTEST}${NETBOX.replace('https', 'http')}  allow_http: true\n`,
      ENVIRONMENT,
    );
    assert.match(warningsOf(away).join(), /unencrypted/);
  });
});
