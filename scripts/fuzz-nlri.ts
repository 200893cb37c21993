/**
 * Throws mutated FlowSpec NLRI, actions and texts at the codec for some seconds (10, or the first argument) and checks
 * what must hold for any input: it ends in a value, in bounded time, and what was read is written back canonically.
 * The seed is printed, and taken as the second argument to repeat a run.
 */
import { decodeActions, encodeActions } from '../src/bgp/flowspec/actions.ts';
import { FlowSpecError } from '../src/bgp/flowspec/errors.ts';
import { decodeFlowSpec, decodeFlowSpecList, encodeFlowSpec } from '../src/bgp/flowspec/nlri.ts';
import { parseRule } from '../src/bgp/flowspec/parse.ts';
import { findImpossible } from '../src/bgp/flowspec/sanity.ts';
import { formatRule } from '../src/bgp/flowspec/text.ts';
import { fromHex, sameBytes, toHex } from '../src/net/bytes.ts';

const seconds = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? Date.now() % 0x7fff_ffff);

/** Rules to start from: each type, both families, both lengths. */
const SEEDS = [
  '0b0118c00002038106048119',
  '120118c000020218cb007104038945' + '8b911f90',
  '090120c00002010c8005',
  '1201200020010db802684012345678' + '9a038106',
  '0f012000' + '20010db80268412468acf134',
  '0509' + '0112c202',
  '060da100000007',
  '0e0000ffff000100000120cb00710a',
  '0a0ab1ffffffffffffffff',
  `f0f105${'1103e8'.repeat(79)}9103e8`,
].map((hex) => {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new Error(`not hexadecimal: ${hex}`);
  return bytes;
});

/** mulberry32: small, seeded, and good enough to pick octets. */
function generator(start: number): (below: number) => number {
  let state = start >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

const random = generator(seed);

function mutate(source: Uint8Array): Uint8Array {
  const bytes = [...source];
  for (let changes = random(6); changes >= 0; changes--) {
    const at = random(bytes.length + 1);
    switch (random(5)) {
      case 0:
        bytes[Math.min(at, bytes.length - 1)] = random(256);
        break;
      case 1:
        bytes.splice(at, 1 + random(3));
        break;
      case 2:
        bytes.splice(at, 0, ...Array.from({ length: 1 + random(4) }, () => random(256)));
        break;
      case 3:
        bytes[Math.min(at, bytes.length - 1)] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      default:
        // Half of the mutants keep a length that fits, so that what is behind it is reached.
        if (bytes.length > 0 && bytes.length <= 240) bytes[0] = bytes.length - 1;
    }
    if (bytes.length === 0) bytes.push(random(256));
  }
  return Uint8Array.from(bytes);
}

function check(holds: boolean, what: string, bytes: Uint8Array, family: string): void {
  if (holds) return;
  console.error(`${what}: ${family} ${toHex(bytes)} (seed ${seed})`);
  process.exit(1);
}

function checkRule(bytes: Uint8Array, afi: number, safi: number): boolean {
  const family = `${afi}/${safi}`;
  const list = decodeFlowSpecList(bytes, afi, safi);
  const covered = list.reduce((sum, entry) => sum + entry.octets.length, 0);
  check(covered === bytes.length, 'a list does not cover its field', bytes, family);
  const result = decodeFlowSpec(bytes, afi, safi);
  if (!result.ok) return false;
  const { spec, canonical, tolerated } = result;
  check(sameBytes(encodeFlowSpec(spec), canonical), 'canonical octets differ', bytes, family);
  const clean = tolerated.length === 0;
  check(clean === sameBytes(canonical, bytes), 'tolerated and octets disagree', bytes, family);
  findImpossible(spec);
  const parsed = parseRule(formatRule(spec, []));
  const same = parsed.ok && sameBytes(encodeFlowSpec(parsed.spec), canonical);
  check(same, 'the text is another rule', bytes, family);
  return true;
}

function checkActions(bytes: Uint8Array): void {
  const result = decodeActions({
    extendedCommunities: bytes,
    ipv6ExtendedCommunities: mutate(bytes),
    nextHop: bytes,
  });
  if (!result.ok) return;
  try {
    encodeActions(result.actions);
  } catch (error) {
    // Actions that contradict each other can be read, and must not be written.
    if (!(error instanceof FlowSpecError)) throw error;
  }
}

const end = performance.now() + seconds * 1000;
let runs = 0;
let read = 0;
let slowest = 0;
while (performance.now() < end) {
  const bytes = mutate(SEEDS[random(SEEDS.length)] as Uint8Array);
  const started = performance.now();
  if (checkRule(bytes, 1 + random(2), 133 + random(2))) read++;
  checkActions(bytes);
  slowest = Math.max(slowest, performance.now() - started);
  runs++;
}
check(slowest < 1000, `one input took ${slowest} ms`, new Uint8Array(0), '');
console.log(`seed ${seed}: ${runs} inputs, ${read} of them rules, slowest ${slowest.toFixed(1)} ms`);
