import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gobgpNeighbors, migrateSettings } from '../../src/config/upstream/migrate.ts';

const paths = (settings: Record<string, unknown>): readonly string[] =>
  migrateSettings(settings, []).changes.map(({ kind, path }) => `${kind} ${path}`);

describe("upstream's settings", () => {
  it('stay in dry-run where they say nothing, because that is what upstream does', () => {
    const { settings, changes } = migrateSettings({ pop: 'iad1' }, []);
    assert.equal(settings.mode, 'dry-run');
    assert.deepEqual(
      changes.map(({ path }) => path),
      ['mode'],
    );
    assert.equal(migrateSettings({ mode: 'enforced' }, []).settings.mode, 'enforced');
  });

  it('keep everything that means the same here', () => {
    const same = {
      pop: 'iad1',
      mode: 'enforced',
      guardrails: { dst_prefix_minlen: 32, max_ports: 8 },
      quotas: { max_active_per_customer: 5 },
      timers: { default_ttl_seconds: 120 },
      safelist: { prefixes: ['10.0.0.0/8'] },
    };
    assert.deepEqual(migrateSettings(same, []), { settings: same, changes: [] });
  });

  it('name each key that this prefixd has no use for', () => {
    assert.deepEqual(
      paths({
        mode: 'dry-run',
        http: { cors_origin: 'http://localhost:3000', auth: { mode: 'none', ldap: {} } },
        timers: { quiet_period_after_withdraw_seconds: 120 },
        correlation: { enabled: true },
      }),
      [
        'dropped http.cors_origin',
        'dropped http.auth.ldap',
        'dropped timers.quiet_period_after_withdraw_seconds',
        'dropped correlation',
      ],
    );
  });

  it('turn operators with passwords into tokens, never into no authentication', () => {
    const { settings } = migrateSettings({ mode: 'enforced', http: { auth: { mode: 'credentials' } } }, []);
    assert.deepEqual(settings.http, { auth: { mode: 'bearer', bearer_token_env: 'PREFIXD_API_TOKEN' } });
  });

  it('keep the bounds of the TTL, which guardrails override', () => {
    const { settings } = migrateSettings(
      { mode: 'enforced', guardrails: { max_ttl_seconds: 600 }, timers: { max_ttl_seconds: 1800 } },
      [],
    );
    assert.deepEqual(settings.timers, { max_ttl_seconds: 600 });
    assert.deepEqual(settings.guardrails, {});
  });

  it('keep their neighbors, and take those of GoBGP which they do not name', () => {
    const neighbor = {
      name: 'edge1',
      address: '192.0.2.1',
      peer_asn: 65001,
      afi_safi: ['ipv4-flowspec'],
      password_env: 'EDGE1',
    };
    const gobgp = [
      { address: '192.0.2.1', asn: 65001, hasPassword: true },
      { address: '192.0.2.2', asn: 65002, hasPassword: true },
    ];
    const { settings } = migrateSettings(
      {
        mode: 'enforced',
        bgp: { mode: 'sidecar', neighbors: [neighbor] },
        quotas: { max_announcements_per_peer: 100 },
      },
      gobgp,
    );
    assert.deepEqual(settings.bgp, {
      mode: 'native',
      neighbors: [
        {
          name: 'edge1',
          address: '192.0.2.1',
          peer_asn: 65001,
          families: ['ipv4-flowspec'],
          md5_password_env: 'EDGE1',
          max_rules: 100,
        },
        {
          name: 'router2',
          address: '192.0.2.2',
          peer_asn: 65002,
          md5_password_env: 'ROUTER2_MD5',
          max_rules: 100,
        },
      ],
    });
  });

  it('lose the address of the database, and the password that is in it', () => {
    const migrated = migrateSettings(
      { mode: 'enforced', storage: { driver: 'postgres', path: 'postgres://prefixd:s3cret@db/prefixd' } },
      [],
    );
    assert.doesNotMatch(JSON.stringify(migrated), /s3cret/);
    assert.deepEqual(migrated.settings.storage, { driver: 'jsonl', path: './data' });
  });

  it('name what needs another source to agree, and adapters, as work that is left', () => {
    const todo = (correlation: Record<string, unknown>) =>
      migrateSettings({ mode: 'enforced' }, [], { correlation }).changes.map(
        ({ kind, path }) => `${kind} ${path}`,
      );
    assert.deepEqual(todo({ enabled: true, min_sources: 2 }), ['todo correlation.min_sources']);
    assert.deepEqual(todo({ enabled: true, min_sources: 1 }), []);
    assert.deepEqual(todo({ enabled: false, min_sources: 3 }), []);
    assert.deepEqual(todo({ webhook_adapters: [{ name: 'x' }] }), ['todo correlation.webhook_adapters']);
  });

  it('lose what neither side knows, and what may be a secret where the name of a variable belongs', () => {
    const { settings, changes } = migrateSettings(
      {
        mode: 'enforced',
        http: { auth: { mode: 'bearer', bearer_token_env: 'xk29-fjq' } },
        bgp: { mode: 'mock', neighbors: [{ name: 'edge1', password_env: 'EDGE1', password: 'p' }] },
        stranger: { token: 't' },
      },
      [],
    );
    assert.deepEqual(settings, {
      mode: 'enforced',
      http: { auth: { mode: 'bearer', bearer_token_env: 'PREFIXD_HTTP_AUTH_BEARER_TOKEN' } },
      bgp: { mode: 'mock', neighbors: [{ name: 'edge1', md5_password_env: 'EDGE1' }] },
    });
    assert.deepEqual(
      changes.filter(({ kind }) => kind === 'unknown').map(({ path }) => path),
      ['bgp.neighbors[0].password', 'stranger'],
    );
    assert.doesNotMatch(JSON.stringify(changes), /xk29/);
  });

  it('are not changed in place', () => {
    const settings = { mode: 'enforced', bgp: { mode: 'sidecar', gobgp_grpc: 'gobgp:50051' } };
    const before = structuredClone(settings);
    migrateSettings(settings, []);
    assert.deepEqual(settings, before);
  });
});

describe("GoBGP's configuration", () => {
  it('tells its neighbors, and whether they have a password', () => {
    const toml = `[global.config]
  as = 65010
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.1"
    peer-as = 65001
    auth-password = "hunter22"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-flowspec"
[[neighbors]]
  config = { neighbor-address = "2001:db8::1", peer-as = 4200000000 }
  # auth-password = "off"
`;
    assert.deepEqual(gobgpNeighbors(toml), [
      { address: '192.0.2.1', asn: 65001, hasPassword: true },
      { address: '2001:db8::1', asn: 4200000000, hasPassword: false },
    ]);
  });

  it('may have none', () => {
    assert.deepEqual(gobgpNeighbors('[global.config]\n  as = 65010\n'), []);
  });
});
