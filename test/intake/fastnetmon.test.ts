import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import type { Detection } from '../../src/core/types.ts';
import { parseFastNetMonJson, parseFastNetMonNotify } from '../../src/intake/fastnetmon.ts';
import type { Signal } from '../../src/intake/signal.ts';
import { policyOf, World } from '../core/scenario.ts';
import { processorTime } from '../support/processor-time.ts';

/** Text written by FastNetMon Community 1.2.4 for NetFlow input. */
function sample(name: string): string {
  return readFileSync(new URL(`samples/${name}`, import.meta.url), 'utf8');
}

const ARGS = sample('fastnetmon-notify.args').trim().split(' ');
const STDIN = sample('fastnetmon-notify.stdin');

/** The one signal of a message. */
function only(signals: readonly Signal[]): Signal {
  const [signal] = signals;
  assert.ok(signal !== undefined && signals.length === 1, JSON.stringify(signals));
  return signal;
}

function detected(signals: readonly Signal[]): Detection {
  const signal = only(signals);
  assert.ok(signal.kind === 'detection', JSON.stringify(signal));
  return signal.detection;
}

describe("Community's notify script", () => {
  test('is read in time that grows with its length, whatever it contains', () => {
    const text = `Attack type: syn_flood${' '.repeat(100_000)}x\nAttack protocol: tcp \r\n`;
    const took = processorTime(() => {
      assert.equal(detected(parseFastNetMonNotify(ARGS, text)).protocol, 6);
    });
    assert.ok(took < 1_000, `nobody else is served for ${took} ms`);
  });

  test('says vector, rate and the port under attack', () => {
    const detection = detected(parseFastNetMonNotify(ARGS, STDIN));
    assert.equal(detection.victim, '203.0.113.10');
    assert.equal(detection.action, 'ban');
    assert.equal(detection.source, 'fastnetmon');
    assert.equal(detection.vector, 'udp_flood');
    assert.equal(detection.protocol, 17);
    assert.equal(detection.bps, 472_000_000);
    assert.equal(detection.pps, 118_040);
    assert.deepEqual(detection.ports, [53]);
  });

  test('calls a second time with attack_details, which decides nothing', () => {
    assert.equal(only(parseFastNetMonNotify([...ARGS.slice(0, 3), 'attack_details'], STDIN)).kind, 'ignored');
  });

  test('reports an unban without standard input', () => {
    const detection = detected(parseFastNetMonNotify([...ARGS.slice(0, 3), 'unban'], ''));
    assert.equal(detection.action, 'unban');
    assert.equal(detection.vector, 'unknown');
  });

  test('never makes a rule of an outgoing attack', () => {
    const args = ['203.0.113.10', 'outgoing', '118040', 'ban'];
    const signal = only(parseFastNetMonNotify(args, STDIN));
    assert.ok(signal.kind === 'ignored');
    assert.match(signal.why, /our own host/);
    const said = STDIN.replace('Attack direction: incoming', 'Attack direction: outgoing');
    assert.equal(only(parseFastNetMonNotify(ARGS, said)).kind, 'ignored');
  });

  test('of an attack of no known kind goes by its protocol', () => {
    const text = STDIN.replace('Attack type: udp_flood', 'Attack type: unknown').replace(
      'Attack protocol: udp',
      'Attack protocol: tcp',
    );
    const detection = detected(parseFastNetMonNotify(ARGS, text));
    assert.equal(detection.vector, 'unknown');
    assert.equal(detection.protocol, 6);
    assert.deepEqual(detection.ports, [], 'the flows listed are of UDP');
  });

  test('names no ports when the flows go to many', () => {
    const flows = Array.from(
      { length: 50 },
      (_, i) => `203.0.113.10:${1000 + i} < 198.51.100.1:53 10 bytes 5 packets`,
    );
    const text = `Attack type: udp_flood\nIncoming\n\nUDP flows: 50\n${flows.join('\n')}\n`;
    assert.deepEqual(detected(parseFastNetMonNotify(ARGS, text)).ports, []);
  });

  test('leaves out ports that hardly matter, and flows of others', () => {
    const text = [
      'Attack type: udp_flood',
      'Incoming',
      '',
      'TCP flows: 1',
      '203.0.113.10:22 < 198.51.100.1:5000 10 bytes 9000 packets',
      '',
      'UDP flows: 4',
      '203.0.113.10:80 < 198.51.100.1:5000 10 bytes 900 packets',
      '203.0.113.10:81 < 198.51.100.1:5000 10 bytes 50 packets',
      '203.0.113.10:82 < 198.51.100.1:5000 10 bytes 50 packets',
      '203.0.113.11:99 < 198.51.100.1:5000 10 bytes 9000 packets',
      'Outgoing',
      '',
      'UDP flows: 1',
      '203.0.113.10:7 > 198.51.100.1:5000 10 bytes 9000 packets',
    ].join('\n');
    assert.deepEqual(detected(parseFastNetMonNotify(ARGS, text)).ports, [80]);
  });

  test('says what is wrong with a call', () => {
    assert.equal(only(parseFastNetMonNotify(['203.0.113.10'], '')).kind, 'invalid');
    assert.equal(only(parseFastNetMonNotify(['host', 'incoming', '1', 'ban'], '')).kind, 'invalid');
    assert.equal(
      only(parseFastNetMonNotify(['203.0.113.10', 'incoming', 'many', 'ban'], '')).kind,
      'invalid',
    );
    assert.equal(only(parseFastNetMonNotify(['203.0.113.10', 'incoming', '1', 'dance'], '')).kind, 'invalid');
  });

  test('may arrive as JSON with the text as details', () => {
    const [ip, direction, pps, action] = ARGS;
    const signal = parseFastNetMonJson({ ip, direction, pps: Number(pps), action, details: STDIN });
    assert.deepEqual(signal, parseFastNetMonNotify(ARGS, STDIN));
    const missing = only(parseFastNetMonJson({ ip, direction, action }));
    assert.deepEqual(missing, { kind: 'invalid', problems: [{ path: 'pps', message: 'is missing' }] });
  });
});

describe("Advanced's JSON", () => {
  const DOCUMENT = {
    ip: '203.0.113.10',
    action: 'ban',
    alert_scope: 'host',
    attack_details: {
      attack_uuid: '041eb504-2b33-4ff7-a6b7-8235408d5062',
      attack_severity: 'middle',
      attack_type: 'unknown',
      attack_direction: 'incoming',
      attack_protocol: 'tcp',
      total_incoming_traffic: 15_253_500,
      total_incoming_pps: 282_472,
    },
  };

  test('counts traffic in octets a second', () => {
    const detection = detected(parseFastNetMonJson(DOCUMENT));
    assert.equal(detection.bps, 122_028_000);
    assert.equal(detection.pps, 282_472);
    assert.equal(detection.protocol, 6);
    assert.equal(detection.externalId, DOCUMENT.attack_details.attack_uuid);
  });

  test('names its ban again in the unban', () => {
    const detection = detected(parseFastNetMonJson({ ...DOCUMENT, action: 'unban' }));
    assert.equal(detection.action, 'unban');
    assert.equal(detection.externalId, DOCUMENT.attack_details.attack_uuid);
  });

  test('of an attack that continues is not a duplicate of its ban', () => {
    const detection = detected(parseFastNetMonJson({ ...DOCUMENT, action: 'ongoing' }));
    assert.equal(detection.action, 'ban');
    assert.equal(detection.externalId, null);
  });

  test('may be written in capitals', () => {
    assert.equal(detected(parseFastNetMonJson({ ...DOCUMENT, action: 'Unban' })).action, 'unban');
  });

  test('about an outgoing attack or something else decides nothing', () => {
    const outgoing = { ...DOCUMENT.attack_details, attack_direction: 'outgoing' };
    assert.equal(only(parseFastNetMonJson({ ...DOCUMENT, attack_details: outgoing })).kind, 'ignored');
    assert.equal(only(parseFastNetMonJson({ ...DOCUMENT, action: 'celebrate' })).kind, 'ignored');
  });

  test('says where it is wrong', () => {
    assert.deepEqual(only(parseFastNetMonJson({ action: 'ban' })), {
      kind: 'invalid',
      problems: [{ path: 'ip', message: 'is missing' }],
    });
    const unreadable = only(parseFastNetMonJson({ action: 'ban', ip: '203.0.113.' }));
    assert.ok(unreadable.kind === 'invalid');
    assert.equal(unreadable.remains?.victim, '203.0.113.', 'recorded: a script reads no answer');
    assert.equal(only(parseFastNetMonJson([])).kind, 'invalid');
  });
});

describe("the sample's attack, with the sample's inventory and playbooks", () => {
  const options = { inventory: parse(sample('inventory.yaml')), playbooks: parse(sample('playbooks.yaml')) };

  test('aims at port 53, which the service allows: policed, not discarded, however long it lasts', () => {
    const world = new World(options);
    const ban = detected(parseFastNetMonNotify(ARGS, STDIN));
    const mitigation = world.attack(ban);
    assert.equal(mitigation.serviceId, 'dns');
    assert.deepEqual(mitigation.action, { type: 'police', rateBps: 5_000_000 });
    assert.deepEqual(mitigation.match, {
      dstPrefix: '203.0.113.10/32',
      protocol: 17,
      dstPorts: [[53, 53]],
      srcPorts: [],
    });
    for (let i = 0; i < 5; i++) world.wait(60).event({ ...ban, confidence: 1 });
    assert.equal(world.get(mitigation.id).action.type, 'police');
  });

  test('without the flows leads to a police rule on UDP around port 53', () => {
    const world = new World(options);
    const [text = ''] = STDIN.split('UDP flows:');
    const mitigation = world.attack(detected(parseFastNetMonNotify(ARGS, text)));
    assert.equal(mitigation.action.type, 'police');
    assert.deepEqual(mitigation.excludedPorts, [53]);
    assert.deepEqual(mitigation.match.dstPorts, [
      [0, 52],
      [54, 65535],
    ]);
  });

  test('ends with its unban, which names neither vector nor id', () => {
    const world = new World(options);
    const { id } = world.attack(detected(parseFastNetMonNotify(ARGS, STDIN)));
    const unban = detected(parseFastNetMonNotify([...ARGS.slice(0, 3), 'unban'], ''));
    assert.equal(world.event(unban).status, 'withdrawn');
    assert.equal(world.get(id).ending?.to, 'withdrawn');
  });

  test('the files load as they are', () => {
    assert.equal(policyOf(options).playbooks.names.length, 3);
  });
});
