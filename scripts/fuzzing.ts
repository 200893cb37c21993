/** Shared by the fuzz targets: seeds from the captures, repeatable mutations, and the run itself. */
import { processorTime } from '../test/support/processor-time.ts';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MessageFramer } from '../src/bgp/wire/framing.ts';
import { NotificationError } from '../src/bgp/wire/notification.ts';
import { sameBytes, toHex } from '../src/net/bytes.ts';
import { readStreams } from '../src/tools/pcap/reassemble.ts';

/** One codec under attack. A module `scripts/fuzz-*.ts` exports `targets`, an array of these. */
export interface FuzzTarget {
  readonly name: string;
  /** Well-formed inputs to begin with; at least one. */
  readonly seeds: () => readonly Uint8Array[];
  /** Tries one input and returns. What it throws is a finding: errors that are part of the codec's contract are caught. */
  readonly run: (input: Uint8Array) => void;
}

/** An input that a target did not bear. */
export interface Finding {
  readonly target: string;
  /** `seed` and `round` make the input again. */
  readonly seed: number;
  readonly round: number;
  readonly input: Uint8Array;
  readonly why: string;
}

/** Longer than this for one input is a finding. */
const SLOW_MS = 50;

/** Every BGP message of the captures in fixtures/wire, header included; none where there are no captures. */
export function captureMessages(): readonly Uint8Array[] {
  const folder = join(import.meta.dirname, '..', 'fixtures', 'wire');
  if (!existsSync(folder)) return [];
  const messages = new Map<string, Uint8Array>();
  for (const name of readdirSync(folder).sort()) {
    if (!/\.pcap(ng)?$/.test(name)) continue;
    for (const stream of readStreams(new Uint8Array(readFileSync(join(folder, name)))).streams) {
      if (!stream.fromStart || stream.gaps.length > 0) continue;
      for (const message of framed(stream.chunks.map((chunk) => chunk.bytes)))
        messages.set(toHex(message), message);
    }
  }
  return [...messages.values()];
}

/** Messages up to the first that is none: a capture may hold other protocols too. */
function framed(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const framer = new MessageFramer();
  const messages: Uint8Array[] = [];
  try {
    for (const chunk of chunks) {
      framer.push(chunk);
      for (let one = framer.next(true); one !== undefined; one = framer.next(true)) messages.push(one);
    }
  } catch (error) {
    if (!(error instanceof NotificationError)) throw error;
  }
  return messages;
}

/** A whole number from 0 to below the given one. */
export type Random = (below: number) => number;

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Octets that sit at the borders of lengths, operators and flags. */
const BORDERS = [0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xf0, 0xfe, 0xff] as const;

/** One to eight changes of an input: bits, octets, lengths, cuts, repetitions, and pieces of another input. */
export function mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let octets = pick(seeds, random);
  for (let left = 1 + random(8); left > 0; left--) octets = mutateOnce(octets, seeds, random);
  return octets;
}

function mutateOnce(octets: Uint8Array, seeds: readonly Uint8Array[], random: Random): Uint8Array {
  const at = random(octets.length + 1);
  const length = random(Math.min(32, octets.length - at) + 1);
  const changed = octets.slice();
  switch (random(8)) {
    case 0:
      if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << random(8));
      return changed;
    case 1:
      if (at < changed.length) changed[at] = random(256);
      return changed;
    case 2:
      if (at < changed.length) changed[at] = BORDERS[random(BORDERS.length)] ?? 0;
      return changed;
    case 3:
      if (at < changed.length) changed[at] = (changed[at] ?? 0) + (random(2) === 0 ? 1 : -1);
      return changed;
    case 4:
      return spliced(octets, at, length, new Uint8Array(0));
    case 5:
      return spliced(octets, at, 0, octets.subarray(at, at + length));
    case 6:
      return spliced(
        octets,
        at,
        0,
        Uint8Array.from({ length: 1 + random(8) }, () => random(256)),
      );
    default: {
      const other = pick(seeds, random);
      const from = random(other.length + 1);
      return spliced(octets, at, length, other.subarray(from, from + random(64)));
    }
  }
}

function spliced(octets: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  const whole = new Uint8Array(octets.length - removed + inserted.length);
  whole.set(octets.subarray(0, at));
  whole.set(inserted, at);
  whole.set(octets.subarray(at + removed), at + inserted.length);
  return whole;
}

function pick(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  const seed = seeds[random(seeds.length)];
  if (seed === undefined) throw new Error('a fuzz target needs at least one seed');
  return seed;
}

/**
 * Returns the fault of an input, or undefined. Counts processor time: slow once may be the compiler or the garbage
 * collector, slow three times is the codec.
 */
export function findFault(target: FuzzTarget, input: Uint8Array): string | undefined {
  let fastest = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = input.slice();
    let took: number;
    try {
      took = processorTime(() => target.run(input));
    } catch (error) {
      return error instanceof Error ? (error.stack ?? String(error)) : String(error);
    }
    fastest = Math.min(fastest, took);
    if (!sameBytes(before, input)) return 'the input was written to';
    if (fastest <= SLOW_MS) return undefined;
  }
  return `took the processor ${Math.round(fastest)} ms, more than ${SLOW_MS}`;
}

/** A shorter input with a fault as well: pieces are left out as long as there is one. */
export function shrink(target: FuzzTarget, input: Uint8Array): Uint8Array {
  let smallest = input;
  for (let piece = input.length >> 1; piece >= 1; piece >>= 1) {
    for (let at = 0; at + piece <= smallest.length; ) {
      const shorter = spliced(smallest, at, piece, new Uint8Array(0));
      if (findFault(target, shorter) === undefined) at += piece;
      else smallest = shorter;
    }
  }
  return smallest;
}

/** Fuzzes the targets in turns for some seconds. Returns the first finding, or how many inputs each target bore. */
export function fuzz(
  targets: readonly FuzzTarget[],
  seconds: number,
  seed: number,
): Finding | ReadonlyMap<string, number> {
  const rounds = new Map(targets.map((target) => [target.name, 0]));
  const loaded = targets.map((target) => ({ target, seeds: target.seeds() }));
  for (const { target, seeds } of loaded) {
    for (const input of seeds) {
      const why = findFault(target, input);
      if (why !== undefined) return { target: target.name, seed, round: -1, input, why };
    }
  }
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    for (const { target, seeds } of loaded) {
      const first = rounds.get(target.name) ?? 0;
      for (let round = first; round < first + 200; round++) {
        const input = mutate(seeds, randomNumbers(seed + round * 0x9e3779b1));
        const why = findFault(target, input);
        if (why !== undefined) {
          return { target: target.name, seed, round, input: shrink(target, input), why };
        }
      }
      rounds.set(target.name, first + 200);
    }
  }
  return rounds;
}
