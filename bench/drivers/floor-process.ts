/**
 * The floor: a plain socket that writes octets encoded beforehand. Nothing that speaks BGP over Node's sockets can be
 * faster. After a reconnect it writes everything again at once.
 */
import { connect, type Socket } from 'node:net';
import { packUpdates } from '../../src/bgp/rib/pack.ts';
import { encodeMessage } from '../../src/bgp/wire/message.ts';
import { INITIAL_CONTEXT } from '../../src/bgp/wire/types.ts';
import { RULE_FAMILY, routeOf } from '../rules.ts';
import type { ChildOptions, ChildRequest } from './child-protocol.ts';
import { ASN } from './driver.ts';

const REDIAL_MS = 50;
const options: ChildOptions = JSON.parse(process.argv[2] ?? '{}');
const keepalive = encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT);
const open = encodeMessage(
  {
    type: 'open',
    version: 4,
    myAs: ASN.driver,
    holdTime: 240,
    bgpIdentifier: 0x0a000002,
    capabilities: [
      { type: 'multiprotocol', family: RULE_FAMILY },
      { type: 'four-octet-as', asn: ASN.driver },
    ],
  },
  INITIAL_CONTEXT,
);

let socket: Socket;
let standing = Buffer.alloc(0);
let prepared = Buffer.alloc(0);

function dial(): void {
  const current = connect({ ...options.sink, localAddress: options.host, noDelay: true });
  socket = current;
  let up = false;
  current.on('connect', () => current.write(open));
  current.on('error', () => {});
  current.on('close', () => setTimeout(dial, REDIAL_MS));
  // The sink answers OPEN with OPEN and KEEPALIVE in one go; then the session stands.
  current.on('data', () => {
    if (up) return;
    up = true;
    current.write(keepalive);
    if (standing.length > 0) current.write(standing);
  });
}

process.on('message', (request: ChildRequest) => {
  if (request.type === 'go') {
    socket.write(prepared);
    standing = Buffer.concat([standing, prepared]);
    return;
  }
  const announce = Array.from({ length: request.count }, (_, i) => routeOf(request.from + i));
  const context = {
    fourOctetAs: true,
    extendedMessages: false,
    internal: false,
    localAsn: ASN.driver,
  };
  prepared = Buffer.concat(packUpdates({ announce, withdraw: [] }, context).messages);
  process.send?.({ type: 'is-ready' });
});
process.on('disconnect', () => process.exit(0));
dial();
