/** Relays a session between a speaker and its peer and records both sides' octets: proof without a packet capture. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { MessageFramer } from '../../src/bgp/wire/framing.ts';
import { decodeMessage } from '../../src/bgp/wire/message.ts';
import type { BgpMessage, CodecContext } from '../../src/bgp/wire/types.ts';

const CONTEXT: CodecContext = { fourOctetAs: true, extendedMessages: true, internal: false };

/** One relayed connection. */
export interface RelayedSession {
  /** Messages of the side that connected, in order. */
  readonly dialler: readonly BgpMessage[];
  /** Messages of the side that was connected to, in order. */
  readonly dialled: readonly BgpMessage[];
  readonly ended: boolean;
}

export interface BgpRelay {
  readonly port: number;
  /** Connections in order. */
  readonly sessions: readonly RelayedSession[];
  /** Closes every connection and stops listening. */
  close(): void;
}

/** Listens at `host`, any free port, and passes each connection on to `to`, coming from `from`. */
export async function startRelay(
  host: string,
  to: { readonly host: string; readonly port: number; readonly from: string },
): Promise<BgpRelay> {
  const sessions: RelayedSession[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ host: to.host, port: to.port, localAddress: to.from });
    const session = { dialler: messagesOf(near), dialled: messagesOf(far), ended: false };
    sessions.push(session);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      // A reset on one side closes the other side; `close` follows.
      one.on('error', () => undefined);
      one.on('close', () => {
        session.ended = true;
        sockets.delete(one);
        other.destroySoon();
      });
    }
  });
  server.listen(0, host);
  await once(server, 'listening');
  const bound = server.address();
  return {
    port: bound !== null && typeof bound === 'object' ? bound.port : 0,
    sessions,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Returns the messages as they arrive; the list grows. */
function messagesOf(socket: Socket): readonly BgpMessage[] {
  const messages: BgpMessage[] = [];
  const framer = new MessageFramer();
  socket.on('data', (chunk: Uint8Array) => {
    framer.push(chunk);
    for (let octets = framer.next(true); octets !== undefined; octets = framer.next(true)) {
      messages.push(decodeMessage(octets.slice(), CONTEXT));
    }
  });
  return messages;
}
