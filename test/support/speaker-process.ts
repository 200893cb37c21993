/**
 * A speaker as a process of its own, for tests that run it elsewhere than on this host's loopback. Its argument is its
 * settings as JSON. It announces one rule to whoever comes up, and prints a line for what happens.
 */
import { routeAttributes, routeKey } from '../../src/bgp/rib/route.ts';
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import type { SpeakerSettings } from '../../src/bgp/speaker/types.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';

const settings: SpeakerSettings = JSON.parse(process.argv[2] ?? '');
const speaker = new Speaker(settings);
const family = FAMILIES['ipv4-flowspec'];
/** match dst 198.18.0.1/32 proto udp then discard (RFC 8955 §4.2, §7.1). */
const nlri = Uint8Array.of(9, 1, 32, 198, 18, 0, 1, 3, 0x81, 17);
const attributes = routeAttributes({ extendedCommunities: Uint8Array.of(0x80, 6, 0, 0, 0, 0, 0, 0) });

speaker.subscribe({
  onEstablished: (peer) => {
    console.log(`established ${peer}`);
    speaker.apply(peer, [{ key: routeKey(family, nlri), family, nlri, attributes, owner: '', text: '' }], []);
  },
  onLog: (level, _peer, text, fields) => console.log(level, text, JSON.stringify(fields ?? {})),
});
await speaker.start();
console.log('listening', speaker.listening?.port ?? 'nowhere');
process.once('SIGTERM', async () => {
  await speaker.stop({ preserve: false });
  console.log('stopped');
});
