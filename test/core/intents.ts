/** Statements of other POPs for tests. */
import type { Answer, Command } from '../../src/core/commands.ts';
import type { StandingIntent } from '../../src/core/intent.ts';
import type { World } from './scenario.ts';

export const EXCHANGE = { accept: ['ams1', 'fra1'], maxImportedPerPop: 100 } as const;

/** Returns an id of ams1's or fra1's mitigations. */
export function importedId(number: number): string {
  return `11111111-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

/** ams1 discards the UDP flood on acme's spare host everywhere, unless overridden. */
export function standing(change: Partial<StandingIntent> = {}): StandingIntent {
  const victim = change.victim ?? '203.0.113.50';
  return {
    kind: 'standing',
    id: importedId(1),
    victim,
    vector: 'udp_flood',
    customerId: 'acme',
    match: { dstPrefix: `${victim}/32`, protocol: 17, dstPorts: [], srcPorts: [] },
    ports: [],
    excludedPorts: [],
    action: { type: 'discard', rateBps: null },
    confidence: 0.9,
    playbook: 'udp',
    step: 0,
    reason: 'udp_flood reported by fnm',
    why: ['matched playbook udp (vector udp_flood)'],
    createdAgoMs: 2_000,
    pops: ['*'],
    ...change,
  };
}

type ImportCommand = Extract<Command, { type: 'import' }>;

/** Returns version `n` of ams1's statement, which has 100 seconds left. */
export function version(
  n: number,
  change: Partial<StandingIntent> = {},
  more: { readonly pop?: string; readonly epoch?: number; readonly seconds?: number } = {},
): ImportCommand {
  const { pop = 'ams1', epoch = 1, seconds = 100 } = more;
  return {
    type: 'import',
    origin: { pop, epoch, n },
    intent: standing(change),
    remainingMs: seconds * 1000,
  };
}

/** Returns ams1's statement that its mitigation has ended. */
export function ended(
  n: number,
  id = importedId(1),
  to: 'withdrawn' | 'expired' = 'withdrawn',
): ImportCommand {
  const intent = { kind: 'ended', id, to, reason: 'false alarm', actorName: 'bea' } as const;
  return { type: 'import', origin: { pop: 'ams1', epoch: 1, n }, intent, remainingMs: 0 };
}

export type ImportAnswer = Extract<Answer, { type: 'import' }>;

/** Sends a statement; returns its answer. */
export function takeOver(world: World, command: ImportCommand): ImportAnswer {
  const { answer } = world.do(command);
  if (answer.type !== 'import') throw new TypeError(`an import was answered with ${answer.type}`);
  return answer;
}
