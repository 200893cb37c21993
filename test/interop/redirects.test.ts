/**
 * Every redirect that a platform is told: GoBGP and ExaBGP show its communities in their tables, and tshark finds them in the
 * UPDATEs. As rendered for a mitigation, with the platform's own encoding.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { DIALECTS, type Dialect } from '../../src/bgp/flowspec/dialect.ts';
import { packUpdates } from '../../src/bgp/rib/pack.ts';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { redirected } from '../control/redirected.ts';
import { missing, missingProgram } from '../support/daemons.ts';
import { at } from '../support/daemons/gobgp.ts';
import { FLOWSPEC, Rig } from '../support/interop-rig.ts';
import { REDIRECT_CASES, type RedirectOctets } from '../support/redirect-vectors.ts';
import { addressHex, type ComponentJson } from '../support/rule-json.ts';
import { ethernet, ipv4, pcapFile, tcp } from '../tools/pcap/frames.ts';

/** A rule for the platform, and what it must carry. */
interface Told {
  readonly family: 4 | 6;
  readonly route: OutRoute;
  readonly octets: RedirectOctets;
  readonly components: readonly ComponentJson[];
}

/** All redirects that the platform is told, each for another host. */
function toldTo(dialect: Dialect): readonly Told[] {
  return REDIRECT_CASES.flatMap(({ family, target, copy, octets: byDialect }, n): readonly Told[] => {
    const octets = byDialect[dialect];
    if (octets === undefined) return [];
    const said = redirected(dialect, family, target, copy, 10 + n);
    assert.ok(said.ok);
    const prefix = family === 4 ? `203.0.113.${10 + n}/32` : `2001:db8:acd::${10 + n}/128`;
    const [route = assert.fail()] = said.routes;
    return [{ family, route, octets, components: [{ type: 1, prefix }] }];
  });
}

const actionsOf = ({ extendedCommunities = '', ipv6ExtendedCommunities = '' }: RedirectOctets): string =>
  extendedCommunities + ipv6ExtendedCommunities;

/** Closes the session on a redirect to a VRF by an AS number of 4 octets (docs/interop.md). */
const resets = (kind: 'gobgp' | 'exabgp', { octets }: Told): boolean =>
  kind === 'exabgp' && octets.extendedCommunities?.startsWith('8208') === true;

for (const kind of ['gobgp', 'exabgp'] as const) {
  describe(`${kind}: redirects as each platform is told them`, { skip: missing(kind) }, () => {
    let rig: Rig;
    before(async () => {
      rig = await Rig.start(kind, { daemonDials: kind === 'exabgp' });
    });
    after(() => rig.end());

    for (const dialect of DIALECTS) {
      it(`${dialect}: the table shows their communities`, async () => {
        const told = toldTo(dialect).filter((one) => !resets(kind, one));
        rig.announce(...told.map(({ route }) => route));
        for (const family of FLOWSPEC) {
          const wanted = told.filter((one) => one.family === (family === 'ipv4-flowspec' ? 4 : 6));
          assert.ok(wanted.length > 0);
          const table = await rig.table(family, wanted.length);
          const shown = new Map(table.map((rule) => [JSON.stringify(rule.components), rule]));
          for (const { components, octets, route } of wanted) {
            const rule = shown.get(JSON.stringify(components));
            assert.equal(rule?.actions.join(''), actionsOf(octets), route.text);
            // GoBGP shows no next hop of a FlowSpec rule.
            if (kind === 'exabgp') {
              const nextHop = rule?.nextHop === undefined ? undefined : addressHex(rule.nextHop);
              assert.equal(nextHop, octets.nextHop, route.text);
            }
          }
        }
        rig.withdraw(...told.map(({ route }) => route));
        for (const family of FLOWSPEC) await rig.holds(family, 0);
        assert.equal(rig.status.counters.flaps, 0, rig.log.join('\n'));
      });
    }
  });
}

/** What tshark says of one UPDATE: all values under a key, wherever they are, and its complaints. */
async function dissected(messages: readonly Uint8Array[]): Promise<readonly unknown[]> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-redirects-'));
  try {
    const path = join(folder, 'updates.pcap');
    // Each is a connection of its own.
    const frames = messages.map((octets, n) =>
      ethernet(0x0800, ipv4(tcp({ from: 2000 + n, seq: 1, octets }))),
    );
    await writeFile(path, pcapFile(frames));
    const argv = ['-r', path, '-Y', 'bgp', '-T', 'json', '-x', '--no-duplicate-keys'];
    const { stdout } = await promisify(execFile)('tshark', argv, { maxBuffer: 1 << 26 });
    return JSON.parse(stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function valuesOf(tree: unknown, key: string): readonly unknown[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([name, value]) => [
    ...(name === key ? [value] : []),
    ...valuesOf(value, key),
  ]);
}

/** The octets under a key, each time it is there. */
const octetsIn = (tree: unknown, key: string): readonly unknown[] =>
  valuesOf(tree, `${key}_raw`).map((value) => at(value, 0));

describe('tshark reads redirects as each platform is told them', {
  skip: missingProgram('tshark', 'tshark'),
}, () => {
  const context = { localAsn: 65010, internal: false, fourOctetAs: true, extendedMessages: false };

  for (const dialect of DIALECTS) {
    it(dialect, async () => {
      const told = toldTo(dialect);
      const messages = told.flatMap(
        ({ route }) => packUpdates({ announce: [route], withdraw: [] }, context).messages,
      );
      const frames = await dissected(messages);
      assert.equal(frames.length, told.length);
      for (const [i, { octets, route, components }] of told.entries()) {
        const frame = frames[i];
        assert.deepEqual(
          octetsIn(frame, 'bgp.ext_community'),
          octets.extendedCommunities === undefined ? [] : [octets.extendedCommunities],
          route.text,
        );
        // tshark 4.0 names attribute 25, and reads no further.
        assert.deepEqual(
          octetsIn(frame, 'bgp.update.path_attributes.unknown'),
          octets.ipv6ExtendedCommunities === undefined ? [] : [octets.ipv6ExtendedCommunities],
          route.text,
        );
        const { nextHop = '' } = octets;
        // With its length in front.
        const length = (nextHop.length / 2).toString(16).padStart(2, '0');
        const found = octetsIn(frame, 'bgp.update.path_attribute.mp_reach_nlri.next_hop');
        assert.deepEqual(found, [length + nextHop], route.text);
        const [match] = components;
        assert.ok(match !== undefined && 'prefix' in match);
        const key = `bgp.flowspec_nlri.dst_${match.prefix.includes(':') ? 'ipv6_pref' : 'prefix_filter'}`;
        assert.deepEqual(valuesOf(frame, key), [match.prefix.split('/')[0]]);
        // A FlowSpec rule has no next hop (RFC 8955 §4), but for the redirect of draft 00, which tshark does not know.
        const complaints = valuesOf(frame, '_ws.expert.message');
        assert.equal(complaints.length > 0, octets.nextHop !== undefined, JSON.stringify(complaints));
        for (const one of complaints) assert.match(String(one), /Next Hop/);
      }
    });
  }
});
