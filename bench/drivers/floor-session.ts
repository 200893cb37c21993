/**
 * The floor: a plain socket that writes octets encoded beforehand. Nothing that speaks BGP over Node's sockets can be
 * faster. After a reconnect it writes everything again at once.
 */
import { connect, type Socket } from 'node:net';
import { packUpdates } from '../../src/bgp/rib/pack.ts';
import { encodeMessage } from '../../src/bgp/wire/message.ts';
import { INITIAL_CONTEXT } from '../../src/bgp/wire/types.ts';
import { RULE_FAMILY, routeOf } from '../rules.ts';
import { ASN } from './driver.ts';

const REDIAL_MS = 50;
const keepalive = encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT);
const openMessage = encodeMessage(
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

export class FloorSession {
  readonly #host: string;
  readonly #sink: { readonly host: string; readonly port: number };
  #socket: Socket;
  #standing = Buffer.alloc(0);
  #prepared = Buffer.alloc(0);

  /** Dials the sink from `host` at once, and again whenever the connection ends. */
  constructor(host: string, sink: { readonly host: string; readonly port: number }) {
    this.#host = host;
    this.#sink = sink;
    this.#socket = this.#dial();
  }

  /** Encodes rules `from` .. `from + count - 1`. */
  prepare(from: number, count: number): void {
    const announce = Array.from({ length: count }, (_, i) => routeOf(from + i));
    const context = { fourOctetAs: true, extendedMessages: false, internal: false, localAsn: ASN.driver };
    this.#prepared = Buffer.concat(packUpdates({ announce, withdraw: [] }, context).messages);
  }

  /** Writes what was prepared. */
  write(): void {
    this.#socket.write(this.#prepared);
  }

  /** Keeps the prepared octets: they are written again after each reconnect, with all that were kept before. */
  keep(): void {
    this.#standing = Buffer.concat([this.#standing, this.#prepared]);
  }

  #dial(): Socket {
    const socket = connect({ ...this.#sink, localAddress: this.#host, noDelay: true });
    let up = false;
    socket.on('connect', () => socket.write(openMessage));
    socket.on('error', () => {});
    socket.on('close', () =>
      setTimeout(() => {
        this.#socket = this.#dial();
      }, REDIAL_MS),
    );
    // The sink answers OPEN with OPEN and KEEPALIVE in one go; then the session stands.
    socket.on('data', () => {
      if (up) return;
      up = true;
      socket.write(keepalive);
      if (this.#standing.length > 0) socket.write(this.#standing);
    });
    return socket;
  }
}
