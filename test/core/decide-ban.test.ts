import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { InventoryData } from '../../src/core/policy/inventory-schema.ts';
import { excludedRanges } from '../../src/core/decide/rule.ts';
import { NOON, World } from './scenario.ts';

const GAMES: InventoryData = {
  customers: [
    {
      customer_id: 'acme',
      prefixes: ['203.0.113.0/24'],
      services: [
        {
          service_id: 'game',
          assets: [{ ip: '203.0.113.21' }],
          allowed_ports: { udp: [53, '27015-27030'], tcp: [27015] },
        },
        {
          service_id: 'media',
          assets: [{ ip: '203.0.113.22' }],
          allowed_ports: { udp: [53, '1024-65535'] },
        },
      ],
    },
  ],
};

describe('an event of an attack', () => {
  test('leads to a mitigation by the first step of its playbook', () => {
    const world = new World();
    const answer = world.event({ bps: 1e9 });
    assert.equal(answer.status, 'accepted');
    assert.deepEqual(world.facts, ['event.received', 'mitigation.created']);
    const mitigation = world.attack({});
    assert.equal(mitigation.customerId, 'acme');
    assert.equal(mitigation.pop, 'iad1');
    assert.deepEqual(mitigation.action, { type: 'police', rateBps: 5_000_000 });
    assert.equal(mitigation.match.dstPrefix, '203.0.113.50/32');
    assert.equal(mitigation.match.protocol, 17);
    assert.equal(mitigation.expiresAt, NOON + 120_000);
    assert.equal(mitigation.status, 'active');
  });

  test('says which inventory entry, playbook and step decided', () => {
    const world = new World();
    world.event({ victim: '203.0.113.10' });
    assert.match(world.why, /203\.0\.113\.10 belongs to customer acme, service dns \(asset 203\.0\.113\.10/);
    assert.match(world.why, /matched playbook udp_flood_police_first \(vector udp_flood\)/);
    assert.match(world.why, /step 1 of 2: police at 5 Mbit\/s/);
    assert.match(world.why, /except the allowed port 53/);
  });

  test('is remembered with its answer and its mitigation', () => {
    const world = new World();
    const answer = world.event({ id: 'a1' });
    const event = world.state.events.get(answer.eventId);
    assert.equal(event?.detection.externalId, 'a1');
    assert.equal(event?.status, 'accepted');
    assert.equal(event?.mitigationId, answer.mitigation?.id);
    assert.equal(event?.receivedAt, NOON);
    assert.equal(answer.mitigation?.triggeringEventId, answer.eventId);
  });

  test('of a vector without a playbook is accepted and changes nothing', () => {
    const world = new World();
    const answer = world.event({ vector: 'carrier_pigeons' });
    assert.equal(answer.status, 'accepted_no_playbook');
    assert.deepEqual(world.facts, ['event.received']);
  });

  test('of an IPv6 victim leads to a /128', () => {
    const world = new World();
    const mitigation = world.attack({ victim: '2001:db8:acd::1', vector: 'icmp_flood' });
    assert.equal(mitigation.match.dstPrefix, '2001:db8:acd::1/128');
    assert.equal(mitigation.match.protocol, 58, 'ICMP of an IPv6 victim is ICMPv6');
  });
});

describe('ports', () => {
  test('named by the event are what the rule names', () => {
    const mitigation = new World().attack({ ports: [80, 8080] });
    assert.deepEqual(mitigation.ports, [80, 8080]);
    assert.deepEqual(mitigation.match.dstPorts, [
      [80, 80],
      [8080, 8080],
    ]);
  });

  test('that the service allows are taken out of those the event names', () => {
    const mitigation = new World().attack({ victim: '203.0.113.10', ports: [53, 80] });
    assert.deepEqual(mitigation.ports, [80]);
    assert.deepEqual(mitigation.excludedPorts, [53]);
  });

  test('not named: the rule covers the protocol as ranges around the allowed ports', () => {
    const mitigation = new World().attack({ victim: '203.0.113.12' });
    assert.deepEqual(mitigation.ports, []);
    assert.deepEqual(mitigation.excludedPorts, [53, 123]);
    assert.deepEqual(mitigation.match.dstPorts, [
      [0, 52],
      [54, 122],
      [124, 65535],
    ]);
  });

  test('allowed as a range are spared as a range, whether named or not, and shown as one', () => {
    const world = new World({ inventory: GAMES });
    const around = world.attack({ victim: '203.0.113.21' });
    assert.deepEqual(around.match.dstPorts, [
      [0, 52],
      [54, 27014],
      [27031, 65535],
    ]);
    assert.match(world.why, /except the allowed ports 53, 27015-27030/);
    assert.deepEqual(around.excludedPorts, [53, ...Array.from({ length: 16 }, (_, i) => 27015 + i)]);
    assert.deepEqual(excludedRanges(around), [
      [53, 53],
      [27015, 27030],
    ]);
    const named = new World({ inventory: GAMES }).attack({
      victim: '203.0.113.21',
      ports: [80, 27016, 27031],
    });
    assert.deepEqual(named.ports, [80, 27031]);
    assert.deepEqual(named.excludedPorts, [27016]);
    assert.deepEqual(excludedRanges(named), [[27016, 27016]]);
  });

  test('allowed as a wide range are not listed one by one, but are known from the match', () => {
    const world = new World({ inventory: GAMES });
    const mitigation = world.attack({ victim: '203.0.113.22' });
    assert.deepEqual(mitigation.excludedPorts, [53]);
    assert.deepEqual(excludedRanges(mitigation), [
      [53, 53],
      [1024, 65535],
    ]);
  });

  test('allowed as a range are never discarded', () => {
    const world = new World({ inventory: GAMES });
    const answer = world.event({ victim: '203.0.113.21', vector: 'udp_flood', ports: [27016] });
    assert.equal(answer.mitigation?.action.type, 'police');
    world.wait(100).event({ victim: '203.0.113.21', ports: [27016], confidence: 1 });
    world.wait(100);
    const again = world.event({ victim: '203.0.113.21', ports: [27016], confidence: 1 });
    assert.equal(again.status, 'extended', 'it does not escalate to discard');
  });

  test('allowed by several services of one address add up, and all services are named', () => {
    const world = new World({
      inventory: {
        customers: [
          {
            customer_id: 'acme',
            prefixes: ['203.0.113.0/24'],
            services: [
              { service_id: 'dns', assets: [{ ip: '203.0.113.21' }], allowed_ports: { udp: [53] } },
              {
                service_id: 'game',
                assets: [{ ip: '203.0.113.21' }],
                allowed_ports: { udp: ['27015-27016'] },
              },
            ],
          },
        ],
      },
    });
    const mitigation = world.attack({ victim: '203.0.113.21' });
    assert.equal(mitigation.serviceId, 'dns');
    assert.deepEqual(mitigation.excludedPorts, [53, 27015, 27016]);
    assert.match(world.why, /services dns, game \(allowed ports combined\)/);
  });

  test('allowed for another protocol do not matter', () => {
    const mitigation = new World().attack({ victim: '203.0.113.20', ports: [443] });
    assert.deepEqual(mitigation.ports, [443], 'TCP 443 is allowed, this is UDP');
  });

  test('all of them allowed: policed', () => {
    const world = new World();
    const mitigation = world.attack({ victim: '203.0.113.10', ports: [53] });
    assert.equal(mitigation.action.type, 'police');
    assert.deepEqual(mitigation.match.dstPorts, [[53, 53]]);
    assert.match(world.why, /policed, never discarded/);
  });

  test('all of them allowed and the step is discard: nothing is done, and the answer says so', () => {
    const world = new World();
    const answer = world.event({ victim: '203.0.113.20', vector: 'ack_flood', ports: [80, 443] });
    assert.equal(answer.status, 'accepted_no_mitigation');
    assert.match(world.why, /allowed ports are never discarded/);
    assert.deepEqual(world.facts, ['event.received']);
  });

  test('a policed allowed port never escalates to discard', () => {
    const world = new World();
    const mitigation = world.attack({ victim: '203.0.113.10', ports: [53], confidence: 0.9 });
    for (let i = 0; i < 10; i++) {
      world.wait(60);
      assert.equal(world.event({ victim: '203.0.113.10', ports: [53], confidence: 0.99 }).status, 'extended');
    }
    assert.equal(world.get(mitigation.id).action.type, 'police');
    assert.match(world.why, /not escalating to step 2 \(discard\): only allowed port 53 would be left/);
  });

  test('without a known protocol the allowed ports of TCP and UDP are spared', () => {
    const world = new World({ playbooks: { default_playbook: { steps: [{ action: 'discard' }] } } });
    const mitigation = world.attack({ victim: '203.0.113.10', vector: 'unknown' });
    assert.equal(mitigation.match.protocol, null);
    assert.deepEqual(mitigation.match.dstPorts, [
      [0, 52],
      [54, 65535],
    ]);
  });

  test('of a protocol without ports are ignored', () => {
    const mitigation = new World().attack({ victim: '203.0.113.20', vector: 'icmp_flood', ports: [80] });
    assert.deepEqual(mitigation.match.dstPorts, []);
    assert.equal(mitigation.action.type, 'discard', 'allowed TCP ports do not spare ICMP');
  });
});

describe('amplification', () => {
  for (const [vector, port] of [
    ['dns_amplification', 53],
    ['ntp_amplification', 123],
    ['memcached_amplification', 11211],
    ['ssdp_amplification', 1900],
    ['cldap_amplification', 389],
    ['chargen_amplification', 19],
  ] as const) {
    test(`${vector} matches the reflectors' source port ${port}, not the victim's ports`, () => {
      const playbooks = {
        playbooks: [{ name: 'p', match: { vector }, steps: [{ action: 'discard' as const }] }],
      };
      const mitigation = new World({ playbooks }).attack({ vector, ports: [4444] });
      assert.deepEqual(mitigation.match.srcPorts, [[port, port]]);
      assert.deepEqual(mitigation.match.dstPorts, []);
      assert.equal(mitigation.match.protocol, 17);
    });
  }

  test('still spares the allowed ports of the victim', () => {
    const mitigation = new World().attack({ victim: '203.0.113.10', vector: 'dns_amplification' });
    assert.deepEqual(mitigation.match.srcPorts, [[53, 53]]);
    assert.deepEqual(mitigation.match.dstPorts, [
      [0, 52],
      [54, 65535],
    ]);
  });

  test('does not mix with a flood of the same protocol: each has its own rule', () => {
    const world = new World();
    const flood = world.attack({});
    const amplification = world.attack({ vector: 'dns_amplification' });
    assert.notEqual(flood.id, amplification.id);
    assert.equal(amplification.action.type, 'discard');
  });
});

describe('what is recorded and changes nothing', () => {
  test('an event older than the correlation window', () => {
    const world = new World();
    assert.equal(world.event({ at: NOON - 301_000 }).status, 'accepted_no_mitigation');
    assert.match(world.why, /older than the correlation window/);
    assert.deepEqual(world.facts, ['event.received']);
    assert.equal(world.event({ at: NOON - 300_000 }).status, 'accepted', 'the window itself is in time');
  });

  test('a stale unban does not withdraw an active mitigation', () => {
    const world = new World();
    const mitigation = world.attack({});
    assert.equal(world.event({ action: 'unban', at: NOON - 400_000 }).status, 'accepted_no_mitigation');
    assert.equal(world.get(mitigation.id).ending, null);
  });

  test('the ids of one source are independent of those of another, whatever their names contain', () => {
    const world = new World();
    world.event({ source: 'a\nb', id: 'c' });
    assert.equal(world.event({ source: 'a', id: 'b\nc' }).status, 'extended');
    assert.equal(world.event({ source: 'a', id: 'b\nc' }).status, 'duplicate');
  });

  test('the same ban of the same source again within 24 hours', () => {
    const world = new World();
    const first = world.event({ id: 'a1' });
    world.wait(3600);
    const again = world.event({ id: 'a1', ports: [80] });
    assert.equal(again.status, 'duplicate');
    assert.equal(again.eventId, first.eventId);
    assert.equal(again.mitigation?.id, first.mitigation?.id);
    assert.deepEqual(world.facts, []);
  });

  test('but not the same id of another source, nor after 24 hours', () => {
    const world = new World();
    world.event({ id: 'a1' });
    assert.equal(world.event({ id: 'a1', source: 'other' }).status, 'extended');
    world.wait(24 * 3600);
    world.do({ type: 'expire' });
    assert.equal(world.event({ id: 'a1' }).status, 'accepted');
  });
});

describe('dry-run', () => {
  test('decides the whole life, answers dry_run, and marks what must not be announced', () => {
    const world = new World({ mode: 'dry-run' });
    const answer = world.event({ confidence: 0.9 });
    assert.equal(answer.status, 'dry_run');
    assert.equal(answer.mitigation?.dryRun, true);
    world.wait(60);
    assert.equal(world.event({ ports: [80] }).status, 'dry_run', 'extended, in dry-run');
    world.wait(60);
    assert.equal(world.event({ confidence: 0.9 }).status, 'dry_run');
    assert.deepEqual(world.facts, ['event.received', 'mitigation.escalated']);
  });

  test('ends at once, because no router has the rule', () => {
    const world = new World({ mode: 'dry-run' });
    const mitigation = world.attack({});
    world.wait(120).do({ type: 'expire' });
    assert.deepEqual(world.facts, ['mitigation.ending', 'mitigation.expired']);
    assert.equal(world.get(mitigation.id).status, 'expired');
  });

  test('refuses what would be refused', () => {
    const world = new World({ mode: 'dry-run' });
    assert.equal(world.event({ victim: '8.8.8.8' }).refusal, 'not_in_inventory');
  });

  test('keeps apart from what is enforced: neither extends the other', () => {
    const world = new World({ mode: 'dry-run' });
    const dry = world.attack({});
    world.policy = new World().policy;
    const real = world.attack({});
    assert.notEqual(real.id, dry.id);
    assert.equal(real.dryRun, false);
  });
});
