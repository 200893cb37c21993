/** What the speaker's tests share: settings, routes, a speaker that remembers what it said, and waiting for a condition. */
import { routeAttributes, routeKey, type OutRoute } from '../../../src/bgp/rib/route.ts';
import { Speaker } from '../../../src/bgp/speaker/speaker.ts';
import type { NeighborSettings, SpeakerSettings } from '../../../src/bgp/speaker/types.ts';
import { FAMILIES, type Family } from '../../../src/bgp/wire/iana.ts';
import { PATIENCE_MS } from '../../support/children.ts';

export const FLOW4 = FAMILIES['ipv4-flowspec'];
export const FLOW6 = FAMILIES['ipv6-flowspec'];

/** traffic-rate 0 (RFC 8955 §7.1): discard. */
export const DISCARD = routeAttributes({ extendedCommunities: Uint8Array.of(0x80, 6, 0, 0, 0, 0, 0, 0) });
/** traffic-rate 125000 octets a second (float32 0x47f42400). */
export const POLICE = routeAttributes({
  extendedCommunities: Uint8Array.of(0x80, 6, 0, 0, 0x47, 0xf4, 0x24, 0x00),
});

/** `match dst 198.18.<n>/32 proto udp`, octets as RFC 8955 §4.2 has them. */
export function flowRoute(n: number, attributes = DISCARD, family: Family = FLOW4): OutRoute {
  const nlri = Uint8Array.of(9, 1, 32, 198, 18, (n >>> 8) & 0xff, n & 0xff, 3, 0x81, 17);
  return { key: routeKey(family, nlri), family, nlri, attributes, owner: `m${n}`, text: `rule ${n}` };
}

/** A neighbor with the usual settings. */
export function neighbor(host: string, port: number, more: Partial<NeighborSettings> = {}): NeighborSettings {
  return {
    name: 'edge1',
    address: { kind: 'tcp', host, port },
    peerAsn: 65001,
    passive: false,
    holdTimeSeconds: 90,
    families: [FLOW4, FLOW6],
    enabled: true,
    ...more,
  };
}

export interface LogLine {
  readonly level: string;
  readonly peer: string | undefined;
  readonly text: string;
}

/** A speaker as AS 65010 whose words are kept. */
export function speakerWith(settings: Partial<SpeakerSettings>): {
  readonly speaker: Speaker;
  readonly log: LogLine[];
  readonly up: string[];
  readonly down: string[];
} {
  const speaker = new Speaker({ localAsn: 65010, routerId: '192.0.2.10', neighbors: [], ...settings });
  const log: LogLine[] = [];
  const up: string[] = [];
  const down: string[] = [];
  speaker.subscribe({
    onLog: (level, peer, text) => log.push({ level, peer, text }),
    onEstablished: (peer) => up.push(peer),
    onDown: (peer) => down.push(peer),
  });
  return { speaker, log, up, down };
}

/** Resolves when the condition holds; rejects with its description after `milliseconds`. */
export async function until(what: string, holds: () => boolean, milliseconds = PATIENCE_MS): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited ${milliseconds} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
