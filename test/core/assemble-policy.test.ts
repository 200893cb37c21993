import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  assemblePolicy,
  type PolicySettings,
  type PolicySource,
} from '../../src/core/policy/assemble-policy.ts';
import { parseAddress } from '../../src/net/prefix.ts';
import { INVENTORY, PLAYBOOKS, policyOf } from './scenario.ts';

const { inventory: _inventory, playbooks: _playbooks, ...SETTINGS } = policyOf();

const inventory = (name: string, ...customers: unknown[]): PolicySource => ({
  kind: 'inventory',
  name,
  data: { customers },
});
const playbooks = (name: string, data: unknown): PolicySource => ({ kind: 'playbooks', name, data });

function assembled(settings: PolicySettings | undefined, ...sources: PolicySource[]) {
  const { policy, inventories, playbooks, problems } = assemblePolicy(settings, sources);
  return {
    policy,
    said: [
      ...[...inventories, ...playbooks].flatMap(({ source, issues }) =>
        issues.map(({ path }) => `${source.name} ${path.join('.')}: invalid`),
      ),
      ...problems.map(({ source, path, message }) => `${source.name} ${path.join('.')}: ${message}`),
    ],
  };
}

const BOB = { customer_id: 'bob', prefixes: ['198.51.100.0/24'] };
const EVE = { customer_id: 'eve', prefixes: ['203.0.113.0/24'] };
const STEPS = [{ action: 'discard' }];

describe('the policy', () => {
  test('has the customers and playbooks of all its sources', () => {
    const { policy, said } = assembled(
      SETTINGS,
      inventory('inventory.yaml', BOB),
      inventory('another system', EVE),
      playbooks('a.yaml', { playbooks: [{ name: 'a', match: { vector: 'udp_flood' }, steps: STEPS }] }),
      playbooks('b.yaml', { default_playbook: { name: 'rest', steps: STEPS } }),
    );
    assert.deepEqual(said, []);
    assert.deepEqual(policy?.playbooks.names, ['a', 'rest']);
    const owner = (text: string) =>
      policy?.inventory.lookup(parseAddress(text) ?? new Uint8Array())?.customerId;
    assert.deepEqual([owner('198.51.100.1'), owner('203.0.113.1')], ['bob', 'eve']);
    assert.equal(policy?.pop, SETTINGS.pop);
  });

  test('is not assembled without settings, and its sources are checked nevertheless', () => {
    const { policy, said } = assembled(undefined, inventory('i', BOB, BOB), playbooks('p', PLAYBOOKS));
    assert.equal(policy, undefined);
    assert.deepEqual(said, [
      'i customers.1.customer_id: customer_id "bob" is used twice',
      'i customers.1.prefixes.0: prefix 198.51.100.0/24 is listed twice',
    ]);
  });

  test('names the source of a problem and the place in it, past entries that are invalid', () => {
    const { policy, said } = assembled(
      SETTINGS,
      inventory('i1', { customer_id: '' }, BOB),
      inventory('i2', EVE, { customer_id: 'new', prefix: [] }, { ...BOB, prefixes: [] }),
      playbooks('p1', {
        playbooks: [{ name: 'a', match: {}, steps: STEPS }],
        default_playbook: { steps: STEPS },
      }),
      playbooks('p2', {
        playbooks: [{ name: 'a', match: { vector: '?' }, steps: STEPS }],
        default_playbook: { steps: STEPS },
      }),
      playbooks('p3', { default_playbook: { steps: STEPS } }),
    );
    assert.equal(policy, undefined);
    assert.deepEqual(said, [
      'i1 customers.0.customer_id: invalid',
      'i2 customers.1: invalid',
      'p1 playbooks.0.match.vector: invalid',
      'i2 customers.2.customer_id: customer_id "bob" is used twice',
      'p3 default_playbook: p2 already has a default playbook',
      'p2 playbooks.0.match.vector: "?" is not a vector: 1 to 64 of a-z, 0-9 and underscore',
    ]);
  });

  test('is assembled despite a warning', () => {
    const { policy, said } = assembled(
      SETTINGS,
      { kind: 'inventory', name: 'i', data: INVENTORY },
      playbooks('p', {}),
    );
    assert.deepEqual(said, [
      'p playbooks: there is no playbook and no default_playbook: no attack will ever be mitigated',
    ]);
    assert.ok(policy !== undefined);
  });
});
