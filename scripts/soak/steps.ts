/** Draws random steps: reports, operator commands, failures of lines and routers. */
import { DISCARD, type MitigationAction, ruleKind } from '../../src/core/action.ts';
import type { Command } from '../../src/core/commands.ts';
import type { Actor, Detection } from '../../src/core/types.ts';
import type { Daemon } from './daemon.ts';
import type { Edge } from './edge.ts';
import { VECTORS, VICTIMS } from './setting.ts';
import type { Random } from '../fuzzing.ts';

/** A number from 0 up to but not including `below`. */

/** One thing that is done, and its name for the report. */
export interface Step {
  readonly name: string;
  /** Starts it; resolves when it has taken effect here, which may be after the next steps have begun. */
  readonly run: () => Promise<unknown>;
}

const DETECTOR: Actor = { kind: 'detector', name: 'soak' };
const OPERATOR: Actor = { kind: 'operator', name: 'soak' };
const PORTS = [22, 53, 80, 123, 443, 1900, 4444, 8080] as const;

/** The draws do not depend on the time, so that a seed gives the same steps. */
export function nextStep(daemon: Daemon, edges: readonly Edge[], random: Random): Step {
  const draw = random(100);
  if (draw < 58) return command('event', daemon, eventOf(random, random(16) === 0 ? 'unban' : 'ban'));
  if (draw < 60) return command('clean', daemon, clean(random));
  if (draw < 65) return withdrawal(daemon, random);
  if (draw < 72) return command('mitigate', daemon, mitigation(random));
  if (draw < 77) return safelist(daemon, random);
  if (draw < 79) {
    const type = random(8) === 0 ? 'pause' : 'resume';
    return command(type, daemon, { type, actor: OPERATOR, reason: 'soak' });
  }
  if (draw < 80 && random(3) === 0)
    return command('withdraw-all', daemon, { type: 'withdraw-all', actor: OPERATOR, reason: 'soak' });
  const edge = edges[random(edges.length)];
  if (edge === undefined) throw new Error('there is no edge');
  return trouble(daemon, edge, random);
}

function trouble(daemon: Daemon, edge: Edge, random: Random): Step {
  const { name } = edge.settings;
  const { speaker } = daemon;
  const now = (what: string, run: () => void): Step => ({
    name: `${what} ${name}`,
    run: async () => run(),
  });
  switch (random(9)) {
    case 0:
      return now('reset', () => edge.cut('reset'));
    case 1:
      return now('close', () => edge.cut('close'));
    case 2:
      return now('stall', () => edge.cut('stall'));
    case 3:
      return { name: `restart ${name}`, run: () => edge.restartRouter(false) };
    case 4:
      return { name: `crash ${name}`, run: () => edge.restartRouter(true) };
    case 5:
      return now('enable', () => speaker.setEnabled(name, true));
    case 6:
      return random(2) === 0
        ? now('disable', () => speaker.setEnabled(name, false, 'soak'))
        : now('clear hard', () => speaker.clear(name, 'hard'));
    case 7:
      return now('clear soft', () => speaker.clear(name, 'soft'));
    default:
      return now('refresh', () => edge.refresh());
  }
}

function command(name: string, daemon: Daemon, said: Command): Step {
  return { name, run: () => daemon.engine.submit(said) };
}

function victim(random: Random): string {
  const n = 1 + random(VICTIMS);
  return random(3) === 0 ? `2001:db8:acd::${n.toString(16)}` : `203.0.113.${n}`;
}

function somePorts(random: Random, most: number): readonly number[] {
  return PORTS.filter(() => random(PORTS.length) < most);
}

const PROTOCOL: Readonly<Record<(typeof VECTORS)[number], number | null>> = {
  udp_flood: 17,
  syn_flood: 6,
  icmp_flood: 1,
  ntp_amplification: 17,
  ip_fragmentation: null,
  ack_flood: 6,
  dns_amplification: 17,
};

function eventOf(random: Random, action: Detection['action']): Command {
  const vector = VECTORS[random(VECTORS.length)] ?? 'udp_flood';
  return {
    type: 'event',
    actor: DETECTOR,
    detection: {
      externalId: null,
      source: 'soak',
      action,
      victim: victim(random),
      vector,
      protocol: PROTOCOL[vector],
      bps: 1e9,
      pps: 1e5,
      confidence: 0.9,
      ports: random(3) > 0 ? [] : somePorts(random, 3),
      at: null,
      details: {},
    },
  };
}

function withdrawal(daemon: Daemon, random: Random): Step {
  const draw = random(1_000_000);
  const live = [...daemon.engine.state.live];
  const id = live[draw % Math.max(1, live.length)] ?? '00000000-0000-4000-8000-000000000000';
  return command('withdraw', daemon, { type: 'withdraw', id, actor: OPERATOR, reason: 'soak' });
}

/** Actions of an operator; the last ones are about all traffic of a victim. */
const ACTIONS: readonly MitigationAction[] = [
  { type: 'discard', rateBps: null },
  { type: 'police', rateBps: 5_000_000 },
  { type: 'redirect', rateBps: null, target: { scrubber: 'fra' } },
  { type: 'redirect', rateBps: 2_000_000, target: { vrf: '65010:777' } },
  { type: 'divert', rateBps: null, scrubber: 'fra' },
  { type: 'divert', rateBps: null, scrubber: 'ams' },
  { type: 'blackhole', rateBps: null },
];

function mitigation(random: Random): Command {
  const action = ACTIONS[random(ACTIONS.length)] ?? DISCARD;
  const isRule = ruleKind(action) === 'flowspec';
  const [protocol, ports] = [random(2) === 0 ? 6 : 17, random(2) === 0 ? [] : somePorts(random, 2)];
  return {
    type: 'mitigate',
    actor: OPERATOR,
    victim: victim(random),
    protocol: isRule ? protocol : null,
    ports: isRule ? ports : [],
    action,
    ttlSeconds: 3 + random(200),
    reason: 'soak',
  };
}

/** A scrubber has nothing more to clean. */
function clean(random: Random): Command {
  const scrubber = random(2) === 0 ? 'fra' : 'ams';
  return { type: 'scrubber-clean', scrubber, victim: victim(random), actor: DETECTOR };
}

function safelist(daemon: Daemon, random: Random): Step {
  const address = victim(random);
  const prefix = `${address}/${address.includes(':') ? 128 : 32}`;
  const said: Command =
    random(3) === 0
      ? { type: 'safelist-add', prefix, actor: OPERATOR, reason: 'soak' }
      : { type: 'safelist-remove', prefix, actor: OPERATOR };
  return command(said.type, daemon, said);
}
