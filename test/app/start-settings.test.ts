import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { needRestart, withSettingsOfStart } from '../../src/config/start-settings.ts';
import type { LoadedConfig } from '../../src/config/types.ts';
import { formatPrefix } from '../../src/net/prefix.ts';
import { folder, INVENTORY, PLAYBOOKS, SHORTEST, sound } from '../config/folder.ts';

/** Makes a folder whose prefixd.yaml changes, as at a reload. */
async function both(t: TestContext, running: string, next: string) {
  const path = await folder(t, { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS });
  const config = async (text: string): Promise<LoadedConfig> => {
    await writeFile(join(path, 'prefixd.yaml'), text);
    return sound(await loadConfig(path, null));
  };
  const [before, after] = [await config(running), await config(next)];
  return {
    config,
    before,
    waits: needRestart(before, after).map((sentence) => sentence.split(' ')[0]),
    merged: withSettingsOfStart(after, before),
  };
}

const TLS = 'tls: { cert_path: a, key_path: b }';
const CLIENTS = 'tls: { cert_path: a, key_path: b, ca_path: c }';

describe('what waits for the next start', () => {
  test('is named, stays as it is, and is shown as it is', async (t) => {
    const { config, merged, waits } = await both(
      t,
      SHORTEST,
      `${SHORTEST.replace('65010', '65011')}storage: { path: ./other }
observability: { log_level: debug }
quotas: { max_active_global: 7 }
`,
    );
    assert.deepEqual(waits, ['storage', 'observability', 'bgp.local_asn']);
    assert.equal(merged.bgp.speaker.localAsn, 65010);
    assert.equal(merged.observability.logLevel, 'info');
    assert.equal(merged.policy.quotas.maxActiveGlobal, 7, 'the rest follows');
    const shown = merged.shown.settings;
    assert.deepEqual(Reflect.get(Object(shown.bgp), 'local_asn'), 65010);
    assert.deepEqual(Reflect.get(Object(shown.quotas), 'max_active_global'), 7);
    assert.deepEqual(needRestart(merged, await config(SHORTEST)), [], 'going back leaves nothing to wait');
  });

  test('is nothing where nothing but the order of keys has changed', async (t) => {
    const { waits } = await both(
      t,
      `${SHORTEST}http: { listen: "127.0.0.1:1", rate_limit: { burst: 1, events_per_second: 2 } }\n`,
      `http: { rate_limit: { events_per_second: 2, burst: 1 }, listen: "127.0.0.1:1" }\n${SHORTEST}`,
    );
    assert.deepEqual(waits, []);
  });

  test('keeps callers out who would come in at an address that only the files have left', async (t) => {
    const { before, merged, waits } = await both(
      t,
      `${SHORTEST}http: { listen: "192.0.2.10:8080", auth: { mode: bearer } }\n`,
      `${SHORTEST}http: { listen: "127.0.0.1:8080", auth: { mode: none } }\n`,
    );
    assert.deepEqual(waits, ['http.auth', 'http.listen']);
    assert.deepEqual(merged.http, before.http);
  });

  test('keeps tokens where certificates are not asked for yet', async (t) => {
    const { merged, waits } = await both(
      t,
      `${SHORTEST}http: { auth: { mode: bearer }, ${TLS} }\n`,
      `${SHORTEST}http: { auth: { mode: mtls }, ${CLIENTS} }\n`,
    );
    assert.deepEqual(waits, ['http.auth', 'http.tls']);
    assert.equal(merged.http.auth.mode, 'bearer');
    assert.equal(merged.http.tls?.caPath, undefined);
  });

  test('is not the end of signing in: only certificates count at once, and people wait for the start', async (t) => {
    const alone = `${SHORTEST}http: { auth: { mode: mtls, roles: { noc: operator } }, ${CLIENTS} }\n`;
    const people = `${SHORTEST}http:
  ${CLIENTS}
  auth:
    mode: mtls
    roles: { noc: admin }
    sign_in:
      public_url: https://prefixd.example.net
      oidc: { issuer: https://login.example.net, client_id: prefixd, grants: [{ value: noc, role: operator }] }
`;
    const removed = await both(t, people, alone);
    assert.deepEqual(removed.waits, []);
    assert.deepEqual(removed.merged.http.auth, (await removed.config(alone)).http.auth);
    const added = await both(t, alone, people);
    assert.deepEqual(added.waits, ['http.auth']);
    assert.deepEqual(added.merged.http.auth, added.before.http.auth);
  });

  test('is TLS itself, and not its certificates', async (t) => {
    const plain = await both(t, SHORTEST, `${SHORTEST}http: { ${TLS} }\n`);
    assert.deepEqual(plain.waits, ['http.tls']);
    assert.equal(plain.merged.http.tls, undefined);
    const renewed = await both(
      t,
      `${SHORTEST}http: { ${TLS} }\n`,
      `${SHORTEST}http: { ${TLS.replace('a,', 'new,')} }\n`,
    );
    assert.deepEqual(renewed.waits, []);
    assert.match(renewed.merged.http.tls?.certPath ?? '', /new$/);
  });

  test('lets roles and tokens follow at once', async (t) => {
    const { merged, waits } = await both(
      t,
      `${SHORTEST}http: { auth: { mode: bearer, tokens: [{ name: a, role: viewer, token_env: A }] } }\n`,
      `${SHORTEST}http: { auth: { mode: bearer, tokens: [{ name: a, role: operator, token_env: A }] } }\n`,
    );
    assert.deepEqual(waits, []);
    assert.ok(merged.http.auth.mode === 'bearer' && merged.http.auth.tokens[0]?.role === 'operator');
  });

  test('leaves the addresses protected that the daemon goes on using', async (t) => {
    const { merged } = await both(
      t,
      `${SHORTEST}  listen: "192.0.2.11:179"\n`,
      `${SHORTEST.replace('192.0.2.10', '192.0.2.20')}  listen: "192.0.2.21:179"\n`,
    );
    const all = merged.policy.guardrails.protectedPrefixes.map(formatPrefix);
    for (const own of ['192.0.2.10/32', '192.0.2.11/32', '192.0.2.20/32', '192.0.2.21/32']) {
      assert.ok(all.includes(own), own);
    }
  });
});
