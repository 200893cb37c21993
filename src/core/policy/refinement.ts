/** What a playbook's step adds to the match of its rule, from text to numbers. */
import { formatPrefix, knownPrefix, type Prefix } from '../../net/prefix.ts';
import { TCP_FLAGS } from '../../net/tcp-flags.ts';
import type { RefinementData } from './playbook-schema.ts';
import { rangeText } from '../rule-text.ts';
import type { Range } from '../types.ts';
import { MAX_PORT, normalRanges, readRange } from './ports.ts';

/** Empty lists, zeros, false and null do not restrict. */
export interface Refinement {
  readonly srcPorts: readonly Range[];
  readonly packetLengths: readonly Range[];
  /** Octet 13 of the TCP header: flags that must be set. */
  readonly tcpFlags: number;
  /** Flags that must not be set; only together with tcpFlags. */
  readonly tcpFlagsClear: number;
  readonly fragments: boolean;
  readonly srcPrefix: Prefix | null;
}

export const NO_REFINEMENT: Refinement = {
  srcPorts: [],
  packetLengths: [],
  tcpFlags: 0,
  tcpFlagsClear: 0,
  fragments: false,
  srcPrefix: null,
};

/** The shortest IP packet (an IPv4 header) and the longest that the length field can say. */
const PACKET_LENGTHS: Range = [20, 65535];

/** Reports a mistake under the key it belongs to. */
export type Complain = (key: keyof RefinementData, message: string) => void;

/** Reads a refinement; what is wrong is reported and left out, so the result must not be used then. */
export function readRefinement(data: RefinementData, complain: Complain): Refinement {
  const [tcpFlags, tcpFlagsClear] = readFlags(data.tcp_flags, complain);
  const refinement: Refinement = {
    srcPorts: readRanges(data.src_ports ?? [], 'src_ports', [0, MAX_PORT], complain),
    packetLengths: readRanges(asList(data.packet_length), 'packet_length', PACKET_LENGTHS, complain),
    tcpFlags,
    tcpFlagsClear,
    fragments: data.fragments ?? false,
    srcPrefix: data.src_prefix === undefined ? null : knownPrefix(data.src_prefix),
  };
  if (refinement.fragments && tcpFlags !== 0) {
    complain('fragments', 'later fragments carry no TCP flags: use either fragments or tcp_flags');
  }
  if (refinement.fragments && refinement.srcPorts.length > 0) {
    complain('fragments', 'later fragments carry no ports: use either fragments or src_ports');
  }
  return refinement;
}

/** Returns a value, or each of a list; nothing for undefined. */
export function asList<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

function readRanges(
  items: readonly (number | string)[],
  key: 'src_ports' | 'packet_length',
  [lowest, highest]: Range,
  complain: Complain,
): readonly Range[] {
  const ranges: Range[] = [];
  for (const item of items) {
    const range = readRange(item);
    if (range === undefined)
      complain(key, `"${item}" is neither a number nor a range such as ${lowest}-${highest}`);
    else if (range[0] > range[1]) complain(key, `the range ${item} ends before it begins`);
    // An unsatisfiable length once exhausted the memory of a whole network's routers (2013-03-03).
    else if (range[0] < lowest || range[1] > highest)
      complain(key, `${item} is not within ${lowest} to ${highest}`);
    else ranges.push(range);
  }
  return normalRanges(ranges);
}

/** Reads flags as octets of the TCP header; what is wrong is reported and left out. */
export function readFlags(
  value: string | readonly string[] | undefined,
  complain: Complain,
): readonly [set: number, clear: number] {
  let set = 0;
  let clear = 0;
  const words = asList(value).flatMap((text) => text.split(/[,\s]+/).filter((word) => word !== ''));
  for (const word of words) {
    const negated = word.startsWith('!');
    const flag = TCP_FLAGS.get(word.slice(negated ? 1 : 0).toLowerCase());
    if (flag === undefined) {
      complain('tcp_flags', `"${word}" is not a TCP flag; known are ${[...TCP_FLAGS.keys()].join(', ')}`);
    } else if (negated) clear |= flag;
    else set |= flag;
  }
  if ((set & clear) !== 0) complain('tcp_flags', 'a flag cannot be both set and not set');
  if (set === 0 && clear !== 0) complain('tcp_flags', 'name at least one flag that must be set');
  if (value !== undefined && words.length === 0) complain('tcp_flags', 'name at least one flag');
  return [set, clear];
}

/** Steps are few and events many: their words are made once. */
const WORDS = new WeakMap<Refinement, string>();

/** The refinement in words, or an empty string when it restricts nothing. */
export function refinementWords(refinement: Refinement): string {
  let words = WORDS.get(refinement);
  if (words === undefined) {
    words = inWords(refinement);
    WORDS.set(refinement, words);
  }
  return words;
}

function inWords(refinement: Refinement): string {
  const ranges = (list: readonly Range[]): string => list.map(rangeText).join(', ');
  const flags = tcpFlagWords(refinement).map((word) => word.replace('!', 'not '));
  return [
    refinement.srcPrefix === null ? '' : `from ${formatPrefix(refinement.srcPrefix)}`,
    refinement.srcPorts.length === 0 ? '' : `source ports ${ranges(refinement.srcPorts)}`,
    refinement.packetLengths.length === 0 ? '' : `packet lengths ${ranges(refinement.packetLengths)}`,
    flags.length === 0 ? '' : `TCP flags ${flags.join(', ')}`,
    refinement.fragments ? 'fragments only' : '',
  ]
    .filter((part) => part !== '')
    .join('; ');
}

/** The names of flags that are set, and with `!` of those that are not: `syn`, `!ack`. */
export function tcpFlagWords({
  tcpFlags = 0,
  tcpFlagsClear = 0,
}: {
  readonly tcpFlags?: number;
  readonly tcpFlagsClear?: number;
}): string[] {
  return [...TCP_FLAGS].flatMap(([name, bit]) => {
    if ((tcpFlags & bit) !== 0) return [name];
    return (tcpFlagsClear & bit) !== 0 ? [`!${name}`] : [];
  });
}
