/**
 * tshark as a second reader of every capture in fixtures/ and of every encapsulation: message by message the same types,
 * and where no message is malformed the same prefixes, Path Identifiers and AS numbers.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { readStreams } from '../../src/tools/pcap/reassemble.ts';
import { KEEPALIVE, type Line, readFileWithCli } from '../cli/captured.ts';
import { encapsulations, junosEncapsulations } from '../tools/pcap/encapsulations.ts';
import { pcapFile, tcp } from '../tools/pcap/frames.ts';
import { missingProgram } from '../support/daemons.ts';

const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures');
const FILES = ['captures', 'wire'].flatMap((folder) =>
  readdirSync(join(FIXTURES, folder))
    .filter((name) => /\.pcap(ng)?$/.test(name))
    .map((name) => `${folder}/${name}`),
);

/** Every message in it is malformed in a way of its own, and the two readers guess differently at what is left. */
const TYPES_ONLY: ReadonlySet<string> = new Set(['captures/rfc7606-all.pcap']);
/** tshark 4.0 reads the FlowSpec rules of ADD-PATH without their identifiers, and takes one for five empty messages. */
const WITHOUT_FLOWSPEC: ReadonlySet<string> = new Set(['captures/bird-add-path.pcap']);

/** What both readers say of one direction, `address port`. */
interface Direction {
  readonly types: number[];
  /** Addresses of unicast prefixes, announced and withdrawn. */
  readonly prefixes: string[];
  readonly pathIds: number[];
  readonly asns: number[];
}

const TYPE_NUMBERS: Readonly<Record<string, number>> = {
  open: 1,
  update: 2,
  notification: 3,
  keepalive: 4,
  route_refresh: 5,
};

function directionIn(directions: Map<string, Direction>, key: string): Direction {
  const known = directions.get(key) ?? { types: [], prefixes: [], pathIds: [], asns: [] };
  directions.set(key, known);
  return known;
}

function ours(lines: readonly Line[]): ReadonlyMap<string, Direction> {
  const directions = new Map<string, Direction>();
  for (const line of lines) {
    const cut = line.src.lastIndexOf(':');
    const address = line.src.slice(0, cut).replaceAll(/[[\]]/g, '');
    const direction = directionIn(directions, `${address} ${line.src.slice(cut + 1)}`);
    direction.types.push(TYPE_NUMBERS[line.type ?? ''] ?? 0);
    for (const { safi, prefix, path_id } of [...(line.announced ?? []), ...(line.withdrawn ?? [])]) {
      if (safi !== 1) continue;
      direction.prefixes.push(prefix?.split('/')[0] ?? 'none');
      if (path_id !== undefined) direction.pathIds.push(path_id);
    }
    direction.asns.push(...(line.attributes?.as_path ?? []).flatMap(({ asns }) => asns));
  }
  return directions;
}

const FIELDS = [
  'ip.src',
  'ipv6.src',
  'tcp.srcport',
  'bgp.type',
  'bgp.nlri_prefix',
  'bgp.withdrawn_prefix',
  'bgp.mp_reach_nlri_ipv4_prefix',
  'bgp.mp_unreach_nlri_ipv4_prefix',
  'bgp.mp_reach_nlri_ipv6_prefix',
  'bgp.mp_unreach_nlri_ipv6_prefix',
  'bgp.nlri_path_id',
  'bgp.update.path_attribute.as_path_segment.as2',
  'bgp.update.path_attribute.as_path_segment.as4',
];

async function runTshark(path: string): Promise<string> {
  const ports = new Set(
    readStreams(new Uint8Array(readFileSync(path))).streams.flatMap(({ src, dst }) => [src.port, dst.port]),
  );
  const asBgp = [...ports].flatMap((port) => ['-d', `tcp.port==${port},bgp`]);
  const fields = FIELDS.flatMap((field) => ['-e', field]);
  const argv = ['-r', path, ...asBgp, '-Y', 'bgp', '-T', 'fields', ...fields];
  return (await promisify(execFile)('tshark', argv)).stdout;
}

async function tsharks(path: string): Promise<ReadonlyMap<string, Direction>> {
  const directions = new Map<string, Direction>();
  for (const row of (await runTshark(path)).split('\n')) {
    const cells = row.split('\t').map((cell) => (cell.trim() === '' ? [] : cell.trim().split(',')));
    const [ipv4 = [], ipv6 = [], port = [], types = [], ...rest] = cells;
    // The innermost address is that of the segment.
    const address = ipv4.at(-1) ?? ipv6.at(-1);
    if (address === undefined) continue;
    const direction = directionIn(directions, `${address} ${port.at(-1)}`);
    direction.types.push(...types.map(Number));
    direction.prefixes.push(...rest.slice(0, 6).flat());
    direction.pathIds.push(...(rest[6] ?? []).map(Number));
    direction.asns.push(...rest.slice(7).flat().map(Number));
  }
  return directions;
}

/** A direction with its lists sorted: tshark gives the fields of a packet by their kind. */
function sorted({ types, prefixes, pathIds, asns }: Direction): Direction {
  const numbers = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
  return {
    types: numbers(types),
    prefixes: [...prefixes].sort(),
    pathIds: numbers(pathIds),
    asns: numbers(asns),
  };
}

/** What the two readings have in common in this file. */
function compared(name: string, direction: Direction): Partial<Direction> {
  const all = sorted(direction);
  if (TYPES_ONLY.has(name)) return { types: all.types };
  if (WITHOUT_FLOWSPEC.has(name)) return { prefixes: all.prefixes };
  // A prefix of a VPN route is one of tshark's prefixes and none of ours.
  return name.includes('vpn') ? { types: all.types, asns: all.asns } : all;
}

const skip = missingProgram('tshark', 'tshark');

describe('tshark reads the same messages', { skip }, () => {
  for (const name of FILES) {
    it(name, async () => {
      const path = join(FIXTURES, name);
      const [mine, theirs] = [ours((await readFileWithCli(path)).lines), await tsharks(path)];
      assert.ok(mine.size > 0);
      assert.deepEqual([...mine.keys()].sort(), [...theirs.keys()].sort());
      for (const [key, direction] of mine) {
        const other = theirs.get(key);
        assert.ok(other);
        assert.deepEqual(compared(name, direction), compared(name, other), key);
      }
    });
  }
});

/** Encapsulations that tshark 4.0 does not read, or reads only when it is told to by a preference. */
const NOT_BY_TSHARK: ReadonlySet<string> = new Set([
  'a pseudowire with its control word',
  'a pseudowire without a control word',
  'ERSPAN type III with IP',
  'VXLAN on the port of Linux, with a VLAN inside',
  'MPLS as a link',
  'pktap',
  'OpenBSD pflog',
  'PPPoE over ATM',
  'multilink PPP',
  'services',
  'monitor',
  'secure tunnel',
]);

/** All encapsulations by link type, each around a segment from a port of its own, so that none is a retransmission. */
function framesByLink(): ReadonlyMap<number, readonly (readonly number[])[]> {
  const around = (from: number) => {
    const segment = tcp({ from, seq: 7, octets: KEEPALIVE });
    return [...encapsulations(segment), ...junosEncapsulations(segment)];
  };
  const byLink = new Map<number, (readonly number[])[]>();
  for (const [i, { what, linkType }] of around(0).entries()) {
    const frame = around(2000 + i)[i]?.frame;
    if (frame === undefined || NOT_BY_TSHARK.has(what)) continue;
    byLink.set(linkType, [...(byLink.get(linkType) ?? []), frame]);
  }
  return byLink;
}

describe('tshark finds the message in the same frames', { skip }, () => {
  for (const [linkType, frames] of framesByLink()) {
    it(`link type ${linkType}: ${frames.length} frames`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'prefixd-tshark-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const path = join(folder, 'frames.pcap');
      writeFileSync(path, pcapFile(frames, linkType));
      const rows = (await runTshark(path)).trimEnd().split('\n');
      assert.deepEqual(
        rows.map((row) => row.split('\t')[3]),
        frames.map(() => '4'),
      );
    });
  }
});
