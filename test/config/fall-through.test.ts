/** Tests what `prefixd check` says about vectors without a playbook. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fallThroughNotes } from '../../src/config/validate/playbook-checks.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { PlaybookMatchData, PlaybooksData } from '../../src/core/policy/playbook-schema.ts';
import { KNOWN_VECTORS } from '../../src/core/policy/vectors.ts';

const STEPS = [{ action: 'police', rate_bps: 1e6 }] as const;
const FALLBACK = { default_playbook: { steps: STEPS } };

function notes(matches: readonly PlaybookMatchData[], more: PlaybooksData = FALLBACK, mapped?: string[]) {
  const playbooks = matches.map((match, i) => ({ name: `p${i}`, match, steps: STEPS }));
  return fallThroughNotes(buildPlaybooks({ playbooks, ...more }).playbooks, mapped);
}

test('vectors without a playbook are named, with what becomes of them', () => {
  const others = KNOWN_VECTORS.filter((vector) => vector !== 'gre_flood' && vector !== 'unknown');
  const [note, ...rest] = notes([{ vector: others }]);
  assert.equal(
    note,
    'vectors without a playbook use the default playbook default: gre_flood, unknown, and any unknown vector; if a report names neither protocol nor ports and the vector implies none, the rule matches all protocols of the host',
  );
  assert.deepEqual(rest, []);
  assert.deepEqual(notes([{ vector: others }], {}), [
    'vectors without a playbook are not mitigated, because there is no default playbook: gre_flood, unknown, and any unknown vector',
  ]);
});

test('a vector whose playbooks all have conditions is named apart; its own protocol is none', () => {
  const [, some] = notes([
    { vector: 'udp_flood', min_bps: 1e9 },
    { vector: 'syn_flood', source: 'fnm' },
    { vector: 'syn_flood' },
    { vector: 'ack_flood', protocol: 'tcp' },
    { vector: 'icmp_flood', protocol: 'icmpv6' },
  ]);
  assert.equal(
    some,
    'vectors use the default playbook default if the conditions of their playbooks do not hold: udp_flood, icmp_flood',
  );
});

test('a vector that a vector map leads to is one of them', () => {
  assert.match(notes([], FALLBACK, ['our_game_flood']).join(), / our_game_flood, and any unknown vector/);
});

test('nothing is said when every vector has a playbook', () => {
  assert.deepEqual(notes([{ vector: KNOWN_VECTORS }]), []);
});
