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
import { packUpdates } from '../../src/bgp/rib/pack.ts';
import { encodeMessage } from '../../src/bgp/wire/message.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { endOfRib } from '../../src/bgp/wire/update.ts';
import { unicast } from '../bgp/rib/unicast-routes.ts';
import { KEEPALIVE, type Line, readFileWithCli } from '../cli/captured.ts';
import { encapsulations, junosEncapsulations } from '../tools/pcap/encapsulations.ts';
import { ethernet, ipv4, pcapFile, tcp } from '../tools/pcap/frames.ts';
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

/** Every field of a unicast route that tshark names, and its complaints. */
const ROUTE_FIELDS = [
  '_ws.malformed',
  '_ws.expert.message',
  'bgp.nlri_prefix',
  'bgp.withdrawn_prefix',
  'bgp.mp_reach_nlri_ipv6_prefix',
  'bgp.mp_unreach_nlri_ipv6_prefix',
  'bgp.update.path_attribute.next_hop',
  'bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6',
  'bgp.update.path_attribute.community_wellknown',
  'bgp.update.path_attribute.community_value',
  'bgp.large_communities.ldp2',
  'bgp.update.path_attribute.local_pref',
];

describe('tshark reads the unicast routes that the speaker packs', { skip }, () => {
  /** Writes each message as a connection of its own, and returns a row of fields for each. */
  async function fieldsOf(messages: readonly Uint8Array[]): Promise<readonly (readonly string[])[]> {
    const folder = mkdtempSync(join(tmpdir(), 'prefixd-tshark-'));
    try {
      const path = join(folder, 'updates.pcap');
      const frames = messages.map((octets, n) =>
        ethernet(0x0800, ipv4(tcp({ from: 2000 + n, seq: 1, octets }))),
      );
      writeFileSync(path, pcapFile(frames));
      const fields = ROUTE_FIELDS.flatMap((field) => ['-e', field]);
      const argv = ['-r', path, '-Y', 'bgp', '-T', 'fields', ...fields];
      const { stdout } = await promisify(execFile)('tshark', argv);
      return stdout
        .split('\n')
        .slice(0, -1)
        .map((row) => row.split('\t'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  const HOLE4 = unicast('route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,no-export,65001:1:2');
  const HOLE6 = unicast('route 2001:db8:a::10/128 next-hop 100::1 community blackhole,no-advertise');
  const external = { localAsn: 65010, internal: false, fourOctetAs: true, extendedMessages: false };
  const [hole4, hole6] = ['203.0.113.10', '2001:db8:a::10'];

  it('announced and withdrawn, to external and internal peers', async () => {
    const changes = { announce: [HOLE4, HOLE6], withdraw: [HOLE4, HOLE6] };
    const rows = await fieldsOf([
      ...packUpdates(changes, external).messages,
      ...packUpdates(changes, { ...external, internal: true }).messages,
    ]);
    // RFC 1997 and RFC 7999: 0xffffff01 is NO_EXPORT, 0xffff029a BLACKHOLE.
    const wellKnown = (row: readonly string[]): string => row[8] ?? '';
    const plain = rows.map((row) => [...row.slice(0, 8), row[10], row[11]]);
    const external4 = ['', '', hole4, '', '', '', '192.0.2.1', '', '2'];
    const external6 = ['', '', '', '', hole6, '', '', '100::1', ''];
    const withdrawals = [
      ['', '', '', hole4, '', '', '', '', '', ''],
      ['', '', '', '', '', hole6, '', '', '', ''],
    ];
    assert.deepEqual(plain, [
      [...external4, ''],
      [...external6, ''],
      ...withdrawals,
      [...external4, '100'],
      [...external6, '100'],
      ...withdrawals,
    ]);
    assert.match(wellKnown(rows[0] ?? []), /BLACKHOLE|0xffff029a/i);
    assert.match(wellKnown(rows[0] ?? []), /NO_EXPORT|0xffffff01/i);
    assert.match(wellKnown(rows[1] ?? []), /NO_ADVERTISE|0xffffff02/i);
  });

  it('in full messages, and their End-of-RIB', async () => {
    const many = Array.from({ length: 1500 }, (_, n) => `198.18.${n >>> 8}.${n & 255}`);
    const routes = many.map((host) => unicast(`route ${host}/32 next-hop 192.0.2.1 community no-export`));
    const rows = await fieldsOf([
      ...packUpdates({ announce: routes, withdraw: [] }, external).messages,
      ...packUpdates({ announce: [], withdraw: routes }, external).messages,
      encodeMessage(endOfRib(FAMILIES['ipv4-unicast']), external),
      encodeMessage(endOfRib(FAMILIES['ipv6-unicast']), external),
    ]);
    const column = (index: number): readonly string[] =>
      rows.flatMap((row) => (row[index] ?? '').split(',')).filter((text) => text !== '');
    assert.equal(rows.length, 6);
    assert.deepEqual([...column(0), ...column(1)], []);
    assert.deepEqual(column(2), many);
    assert.deepEqual(column(3), many);
  });
});
