import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { formatProblem } from '../../src/config/config-problem.ts';
import { defaultConfig } from '../../src/config/default.ts';
import { needRestart, withSettingsOfStart } from '../../src/config/start-settings.ts';
import type { LoadedConfig } from '../../src/config/types.ts';

import { undo } from '../support/undo.ts';

const URL = 'postgresql://prefixd:secret@db.example.net/prefixd';

async function load(settings: Readonly<Record<string, unknown>>, url = URL) {
  const environment = { PREFIXD_DATABASE_URL: url, OTHER_DATABASE_URL: `${url}2` };
  const result = await defaultConfig({ settings, environment });
  return {
    config: result.ok ? result.config : undefined,
    problems: result.ok ? [] : result.problems.map(formatProblem),
    warnings: result.warnings.map(formatProblem),
  };
}

const EXCHANGE = { url_env: 'PREFIXD_DATABASE_URL', accept: ['fra'] };

async function configOf(settings: Readonly<Record<string, unknown>>): Promise<LoadedConfig> {
  const { config, problems } = await load(settings);
  assert.ok(config, problems.join('\n'));
  return config;
}

describe('the section exchange', () => {
  it('gives the URL to the exchange alone, and what is accepted to the policy', async () => {
    const config = await configOf({ pop: 'ber', exchange: EXCHANGE });
    assert.deepEqual(config.exchange, { url: URL });
    assert.deepEqual(config.policy.exchange, { accept: ['fra'], maxImportedPerPop: 100 });
    assert.ok(!JSON.stringify(config.shown).includes('secret'));
    assert.ok(config.secrets.includes(URL));
  });

  it('is absent by default', async () => {
    const config = await configOf({ pop: 'ber' });
    assert.equal(config.exchange, undefined);
    assert.equal(config.policy.exchange, undefined);
  });

  it('refuses what is no URL of PostgreSQL, without showing it', async () => {
    const { problems } = await load({ exchange: EXCHANGE }, 'mysql://s3cr3t@db/prefixd');
    assert.match(problems.join('\n'), /exchange\.url_env.*PREFIXD_DATABASE_URL.*postgresql:\/\//);
    assert.doesNotMatch(problems.join('\n'), /s3cr3t/);
  });

  it('warns of names that cannot be meant, and refuses one that means all POPs', async () => {
    const { warnings } = await load({ pop: 'ber', exchange: { ...EXCHANGE, accept: ['ber'] } });
    assert.match(warnings.join('\n'), /exchange\.accept\[0\].*"ber" is this POP itself/);
    const unnamed = await load({ pop: 'default', exchange: { ...EXCHANGE, accept: [] } });
    assert.match(unnamed.warnings.join('\n'), /under the name "default"/);
    assert.match(unnamed.warnings.join('\n'), /accept is empty/);
    const { problems } = await load({ pop: 'all', exchange: EXCHANGE });
    assert.match(problems.join('\n'), /"all" means all POPs in commands/);
  });

  it('changes what is accepted at a reload, and the database at the next start', async () => {
    const running = await configOf({ pop: 'ber', exchange: EXCHANGE });
    const wider = await configOf({ pop: 'ber', exchange: { ...EXCHANGE, accept: ['fra', 'par'] } });
    assert.deepEqual(needRestart(running, wider), []);
    assert.deepEqual(withSettingsOfStart(wider, running).policy.exchange?.accept, ['fra', 'par']);
    const moved = await configOf({
      pop: 'ber',
      exchange: { url_env: 'OTHER_DATABASE_URL', accept: ['par'] },
    });
    assert.deepEqual(needRestart(running, moved), [
      'exchange has changed and takes effect at the next start',
    ]);
    const kept = withSettingsOfStart(moved, running);
    assert.deepEqual(kept.exchange, { url: URL });
    assert.deepEqual(kept.policy.exchange?.accept, ['fra']);
    const gone = withSettingsOfStart(await configOf({ pop: 'ber' }), running);
    assert.deepEqual(gone.policy.exchange?.accept, ['fra']);
  });

  it('gives POPs with the same policy the same digest', async () => {
    const one = await configOf({ pop: 'ber', exchange: EXCHANGE });
    const same = await configOf({ pop: 'fra', exchange: { ...EXCHANGE, accept: ['ber'] } });
    const other = await configOf({ pop: 'fra', quotas: { max_new_per_minute: 31 } });
    assert.equal(one.policyHash, same.policyHash);
    assert.notEqual(one.policyHash, other.policyHash);
  });
});

describe('an iBGP neighbor', () => {
  const neighbor = { name: 'rr1', address: '192.0.2.1', peer_asn: 65010 };
  const bgp = { local_asn: 65010, router_id: '192.0.2.10' };

  async function warningsOf(t: TestContext, scope: string, changes: object = {}): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-exchange-checks-'));
    undo(t, () => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, 'playbooks'));
    await writeFile(
      join(folder, 'playbooks', 'udp.yaml'),
      `playbooks: [{ name: udp, match: { vector: udp_flood }, steps: [{ action: discard, scope: ${scope} }] }]\n`,
    );
    const result = await defaultConfig({
      folder,
      playbooksIn: folder,
      settings: { pop: 'ber', exchange: EXCHANGE, bgp: { ...bgp, neighbors: [{ ...neighbor, ...changes }] } },
      environment: { PREFIXD_DATABASE_URL: URL },
    });
    assert.ok(result.ok, JSON.stringify(result));
    return result.warnings.map(formatProblem).join('\n');
  }

  const REFLECTS = /neighbors\[0\].*may reflect rules to routers of other POPs.*add no-advertise/;

  it('is warned of where rules are for other POPs, too', async (t) => {
    assert.match(await warningsOf(t, 'everywhere'), REFLECTS);
  });

  it('may have rules that stay here, or that it does not pass on', async (t) => {
    assert.doesNotMatch(await warningsOf(t, 'here'), REFLECTS);
    assert.doesNotMatch(await warningsOf(t, 'everywhere', { communities: ['no-advertise'] }), REFLECTS);
    assert.doesNotMatch(await warningsOf(t, 'everywhere', { peer_asn: 65001 }), REFLECTS);
  });
});
