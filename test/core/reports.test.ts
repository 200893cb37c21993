/** Reports with a fast clock, reports that cannot be read, and reports with properties beyond ports. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { detection, FNM, NOON, policyOf, World } from './scenario.ts';

describe('a detector whose clock is ahead', () => {
  test('counts as of its arrival, and the answer says so', () => {
    const world = new World();
    assert.equal(world.event({ at: NOON + 600_000 }).status, 'accepted');
    assert.match(world.why, /clock is 600 s ahead of this daemon's/);
    const [recorded] = world.state.events.values();
    assert.equal(recorded?.detection.at, NOON + 600_000, 'what it said is recorded');
    assert.equal(recorded?.detection.beganAt, NOON, 'what it is taken for');
  });

  test('ends its mitigation, whatever its clock says', () => {
    const world = new World();
    const { id } = world.attack({ at: NOON + 600_000 });
    world.wait(60).event({ action: 'unban', at: NOON + 660_000 });
    assert.equal(world.get(id).ending?.to, 'withdrawn');
  });

  test('is not bothered within a minute', () => {
    const world = new World();
    world.event({ at: NOON + 60_000 });
    assert.doesNotMatch(world.why, /clock/);
  });

  test('by which an alert begins only later, began at arrival', () => {
    const world = new World();
    world.event({ beganAt: NOON + 120_000 });
    assert.equal([...world.state.events.values()][0]?.detection.beganAt, NOON);
  });
});

describe('a report that could not be read', () => {
  const report = detection({ victim: 'not-an-address' });

  test('is recorded as refused, with what is wrong, and decides nothing', () => {
    const world = new World();
    const problems = ['victim_ip: must be an address'];
    const { answer } = world.do({ type: 'event', detection: report, actor: FNM, invalid: problems });
    assert.ok(answer.type === 'event');
    assert.deepEqual(
      [answer.status, answer.refusal, answer.mitigation],
      ['rejected', 'invalid_report', undefined],
    );
    assert.deepEqual(world.facts, ['event.received']);
    assert.match(world.why, /victim_ip: must be an address/);
  });

  test('ends nothing, though it says unban', () => {
    const world = new World();
    const { id, victim } = world.attack({});
    const unban = detection({ victim, action: 'unban' });
    world.do({ type: 'event', detection: unban, actor: FNM, invalid: ['endsAt: is no time'] });
    assert.equal(world.get(id).ending, null);
  });
});

test('ignored values of a report are named first', () => {
  const world = new World();
  const { why } = world.event({ notes: ['bps ignored: "NaN" is not a number'] });
  assert.equal(why[0], 'bps ignored: "NaN" is not a number');
});

describe('source ports of a report', () => {
  test('of reflectors narrow the rule', () => {
    const mitigation = new World().attack({ traits: { srcPorts: [123, 11211] } });
    assert.deepEqual(mitigation.match.srcPorts, [
      [123, 123],
      [11211, 11211],
    ]);
    assert.match(mitigation.why.join('\n'), /narrows the rule to source ports 123, 11211/);
  });

  test('of an amplification by a service that is not known narrow the rule', () => {
    const playbooks = {
      playbooks: [
        { name: 'any', match: { vector: 'foo_amplification' }, steps: [{ action: 'discard' as const }] },
      ],
    };
    const world = new World({ playbooks });
    const mitigation = world.attack({ vector: 'foo_amplification', traits: { srcPorts: [10_001] } });
    assert.equal(mitigation.match.protocol, 17);
    assert.deepEqual(mitigation.match.srcPorts, [[10_001, 10_001]]);
  });

  test('that anybody may send from leave the rule as wide as it was', () => {
    const mitigation = new World().attack({ traits: { srcPorts: [123, 40_000] } });
    assert.deepEqual(mitigation.match.srcPorts, []);
    assert.match(mitigation.why.join('\n'), /do not narrow the rule/);
  });

  test('join those of a known amplification', () => {
    const mitigation = new World().attack({ vector: 'dns_amplification', traits: { srcPorts: [123] } });
    assert.deepEqual(mitigation.match.srcPorts, [
      [53, 53],
      [123, 123],
    ]);
  });

  test('count for nothing where the step names its own', () => {
    const steps = [{ action: 'discard' as const, match: { src_ports: [19] } }];
    const playbooks = { playbooks: [{ name: 'own', match: { vector: 'udp_flood' }, steps }] };
    const mitigation = new World({ playbooks }).attack({ traits: { srcPorts: [123] } });
    assert.deepEqual(mitigation.match.srcPorts, [[19, 19]]);
  });
});

describe('TCP flags of a report', () => {
  test('narrow a rule for TCP, and its next step', () => {
    const world = new World();
    const traits = { tcpFlags: 0x02, tcpFlagsClear: 0x10 };
    const mitigation = world.attack({ vector: 'syn_flood', confidence: 1, traits });
    assert.deepEqual([mitigation.match.tcpFlags, mitigation.match.tcpFlagsClear], [0x02, 0x10]);
    assert.match(mitigation.why.join('\n'), /TCP flags syn, !ack/);
    for (let i = 0; i < 3; i++) world.wait(60).event({ vector: 'syn_flood', confidence: 1, traits });
    const escalated = world.get(mitigation.id);
    assert.equal(escalated.action.type, 'discard');
    assert.deepEqual([escalated.match.tcpFlags, escalated.match.tcpFlagsClear], [0x02, 0x10]);
  });

  test('of a later report open no second rule beside an active wider one', () => {
    const world = new World();
    const wide = world.attack({ vector: 'syn_flood' });
    assert.equal(world.event({ vector: 'syn_flood', traits: { tcpFlags: 0x02 } }).mitigation?.id, wide.id);
    assert.equal(world.get(wide.id).match.tcpFlags, undefined);
  });

  test('that a later report does not confirm do not keep the rule from covering what it says', () => {
    const world = new World();
    const narrow = world.attack({ vector: 'syn_flood', traits: { tcpFlags: 0x02 } });
    const wide = world.attack({ vector: 'syn_flood' });
    assert.notEqual(wide.id, narrow.id);
    assert.equal(wide.match.tcpFlags, undefined);
  });

  test('do nothing to a rule for another protocol', () => {
    const mitigation = new World().attack({ traits: { tcpFlags: 0x02 } });
    assert.equal(mitigation.match.tcpFlags, undefined);
    assert.match(mitigation.why.join('\n'), /not used/);
  });
});

test('a playbook may use any name of a vector', () => {
  const steps = [{ action: 'discard' as const }];
  const { playbooks } = policyOf({
    playbooks: { playbooks: [{ name: 'dns', match: { vector: 'dns_amp' }, steps }] },
  });
  assert.deepEqual([...playbooks.byVector.keys()], ['dns_amplification']);
});

describe('packet lengths and fragments of a report', () => {
  test('narrow the rule', () => {
    const lengths = new World().attack({ traits: { packetLengths: [[1400, 1500]] } });
    assert.deepEqual(lengths.match.packetLengths, [[1400, 1500]]);
    const fragments = new World().attack({ traits: { fragments: true, srcPorts: [123] }, ports: [80] });
    assert.deepEqual(
      [fragments.match.fragments, fragments.match.dstPorts, fragments.match.srcPorts],
      [true, [], []],
      'later fragments carry no ports',
    );
  });

  test('never widen a rule as it escalates, nor cost the allowed ports', () => {
    const world = new World();
    const { id } = world.attack({ victim: '203.0.113.10', confidence: 1, traits: { fragments: true } });
    assert.equal(world.get(id).match.fragments, true);
    for (let i = 0; i < 3; i++) {
      world.wait(60).event({ victim: '203.0.113.10', confidence: 1, traits: { fragments: true } });
    }
    assert.deepEqual([world.get(id).action.type, world.get(id).match.fragments], ['police', true]);
    assert.match(world.why, /more than the fragments/);
  });

  test('leave a discard as wide as it was where fragments could not be told apart', () => {
    const victim = '203.0.113.12';
    const steps = [{ action: 'discard' as const }];
    const playbooks = { playbooks: [{ name: 'drop', match: { vector: 'udp_flood' }, steps }] };
    const { match } = new World({ playbooks }).attack({ victim, traits: { fragments: true } });
    assert.equal(match.fragments, undefined);
    assert.ok(match.dstPorts.length > 1, 'around the allowed ports');
  });
});
