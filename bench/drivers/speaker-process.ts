/** prefixd's speaker alone, in a process of its own: routes in, sessions out. */
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import { RULE_FAMILY, routeOf } from '../rules.ts';
import type { ChildOptions, ChildRequest } from './child-protocol.ts';
import { ASN } from './driver.ts';

const options: ChildOptions = JSON.parse(process.argv[2] ?? '{}');
const SINK = 'sink';
const speaker = new Speaker({
  localAsn: ASN.driver,
  routerId: '192.0.2.10',
  neighbors: [
    {
      name: SINK,
      address: { kind: 'tcp', ...options.sink },
      localAddress: options.host,
      peerAsn: ASN.sink,
      passive: false,
      holdTimeSeconds: 240,
      families: [RULE_FAMILY],
      enabled: true,
    },
  ],
});
const standing: OutRoute[] = [];
let prepared: readonly OutRoute[] = [];

speaker.subscribe({
  onEstablished: (peer) => {
    speaker.apply(peer, standing, []);
    speaker.endOfRib(peer);
  },
});
process.on('message', (request: ChildRequest) => {
  if (request.type === 'go') {
    speaker.apply(SINK, prepared, []);
    standing.push(...prepared);
    return;
  }
  prepared = Array.from({ length: request.count }, (_, i) => routeOf(request.from + i));
  process.send?.({ type: 'is-ready' });
});
process.on('disconnect', () => process.exit(0));
await speaker.start();
