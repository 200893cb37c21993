/** FastNetMon's messages and their holds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Answer } from '../../src/core/commands.ts';
import { parseFastNetMonJson, parseFastNetMonNotify } from '../../src/intake/fastnetmon.ts';
import type { Signal } from '../../src/intake/signal.ts';
import { World } from '../core/scenario.ts';

type EventAnswer = Extract<Answer, { type: 'event' }>;

/** Reports everything in a message; the answers have its order. */
function report(world: World, signals: readonly Signal[]): readonly EventAnswer[] {
  return signals.map((signal) => {
    assert.ok(signal.kind === 'detection', JSON.stringify(signal));
    const { externalId, ...detection } = signal.detection;
    return world.event({ ...detection, ...(externalId === null ? {} : { id: externalId }) });
  });
}

const UUID = '5b0e1d5e-0000-4000-8000-000000000001';
const VICTIM = '203.0.113.50';

function document(action: string, rest: object = {}): readonly Signal[] {
  return parseFastNetMonJson({
    action,
    ip: VICTIM,
    attack_details: { attack_uuid: UUID, total_incoming_pps: 10, incoming_udp_pps: 10 },
    ...rest,
  });
}

const [UDP, ICMP] = [{ protocols: ['udp'], destination_ports: [53] }, { protocols: ['icmp'] }];
const rules = (...flow_spec_rules: readonly object[]): object => ({ flow_spec_rules });

describe('the rules of a partial block', () => {
  test('lead to their own mitigations, and partial_unblock ends its own', () => {
    const world = new World();
    const [udp, icmp] = report(world, document('partial_block', rules(UDP, ICMP)));
    const [udpId = '', icmpId = ''] = [udp?.mitigation?.id, icmp?.mitigation?.id];
    assert.notEqual(udpId, icmpId);
    assert.deepEqual(world.get(udpId).ports, [53]);
    report(world, document('partial_unblock', rules(UDP)));
    assert.ok(world.get(udpId).ending !== null);
    assert.equal(world.get(icmpId).ending, null);
  });

  test('stay when the ban of the same attack ends, and the other way round', () => {
    const world = new World();
    const [ban] = report(world, document('ban'));
    const [icmp] = report(world, document('partial_block', rules(ICMP)));
    report(world, document('unban'));
    assert.ok(world.get(ban?.mitigation?.id ?? '').ending !== null);
    assert.equal(world.get(icmp?.mitigation?.id ?? '').ending, null);
    report(world, document('partial_unblock'));
    assert.ok(world.get(icmp?.mitigation?.id ?? '').ending !== null, 'without rules it means all of them');
  });
});

describe('an attack that lasts', () => {
  test('is mitigated until its unban, although FastNetMon says nothing in between', () => {
    const world = new World();
    const ban = parseFastNetMonNotify([VICTIM, 'incoming', '10', 'ban'], 'Attack type: udp_flood\n');
    const [answer] = report(world, ban);
    const id = answer?.mitigation?.id ?? '';
    for (let minute = 0; minute < 30; minute++) world.wait(60).do({ type: 'expire' });
    assert.equal(world.get(id).ending, null);
    report(world, parseFastNetMonNotify([VICTIM, 'incoming', '10', 'unban'], ''));
    assert.equal(world.get(id).ending?.to, 'withdrawn');
  });

  test('that Advanced reports as ongoing is the same alert', () => {
    const world = new World();
    const [ban] = report(world, document('ban'));
    const [status] = report(world, document('attack_status'));
    assert.equal(status?.status, 'extended');
    assert.equal(status?.mitigation?.id, ban?.mitigation?.id);
    const [end] = report(world, document('unban'));
    assert.equal(end?.status, 'withdrawn');
  });
});
