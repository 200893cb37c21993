/** A peer that does what a test tells it, octet by octet, over a real socket. */
import net from 'node:net';
import { localOpen } from '../../../src/bgp/fsm/negotiate.ts';
import type { FsmConfig } from '../../../src/bgp/fsm/types.ts';
import { MessageFramer } from '../../../src/bgp/wire/framing.ts';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import type { BgpMessage, CodecContext } from '../../../src/bgp/wire/types.ts';
import { FLOW4, FLOW6, until } from './support.ts';

const CONTEXT: CodecContext = { fourOctetAs: true, extendedMessages: false, internal: false };

/** AS 65001, router id 192.0.2.1, towards AS 65010. */
export const SCRIPT_CONFIG: FsmConfig = {
  localAsn: 65001,
  localIdentifier: 0xc0000201,
  peerAsn: 65010,
  holdTimeSeconds: 90,
  families: [FLOW4, FLOW6],
  passive: false,
  connectRetrySeconds: 0,
};

/** One connection, with what came on it. */
export class ScriptedConnection {
  readonly messages: BgpMessage[] = [];
  readonly socket: net.Socket;
  closed = false;
  /** Reads as a peer inside the speaker's AS does. */
  internal = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    const framer = new MessageFramer();
    socket.on('data', (chunk) => {
      framer.push(chunk);
      for (let octets = framer.next(true); octets !== undefined; octets = framer.next(true)) {
        this.messages.push(
          decodeMessage(octets.slice(), { ...CONTEXT, extendedMessages: true, internal: this.internal }),
        );
      }
    });
    socket.on('error', () => undefined);
    socket.on('end', () => {
      this.closed = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  send(message: BgpMessage): void {
    this.socket.write(encodeMessage(message, CONTEXT));
  }

  sendOctets(octets: Uint8Array): void {
    this.socket.write(octets);
  }

  sendOpen(config: Partial<FsmConfig> = {}): void {
    this.send(localOpen({ ...SCRIPT_CONFIG, ...config }));
  }

  /** Goes through OPEN and KEEPALIVE to Established. */
  async establish(config: Partial<FsmConfig> = {}): Promise<void> {
    this.sendOpen(config);
    await this.got('open');
    this.send({ type: 'keepalive' });
    await this.got('keepalive');
  }

  async got(type: BgpMessage['type'], count = 1): Promise<void> {
    await until(
      `${count} ${type} received, so far ${this.messages.map((message) => message.type).join(' ')}`,
      () => this.messages.filter((message) => message.type === type).length >= count,
    );
  }

  /** The NOTIFICATION as `code/subcode`, once it is there. */
  async notification(): Promise<string> {
    await this.got('notification');
    for (const message of this.messages) {
      if (message.type === 'notification') return `${message.code}/${message.subcode}`;
    }
    throw new Error('no NOTIFICATION');
  }

  end(): void {
    this.socket.destroy();
  }
}

/** Dials a listening speaker from an address of its own, so that the speaker tells peers apart. */
export function dialFrom(localAddress: string, host: string, port: number): Promise<ScriptedConnection> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, localAddress });
    socket.once('error', reject);
    socket.once('connect', () => resolve(new ScriptedConnection(socket)));
  });
}

/** Waits for a speaker to dial. */
export async function listenAt(host: string): Promise<{
  readonly port: number;
  readonly connections: readonly ScriptedConnection[];
  readonly next: (index: number) => Promise<ScriptedConnection>;
  readonly close: () => void;
}> {
  const connections: ScriptedConnection[] = [];
  const server = net.createServer((socket) => connections.push(new ScriptedConnection(socket)));
  await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve));
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  const next = async (index: number): Promise<ScriptedConnection> => {
    await until(`connection ${index}`, () => connections.length > index);
    const connection = connections[index];
    if (connection === undefined) throw new Error('unreachable');
    return connection;
  };
  const close = (): void => {
    for (const connection of connections) connection.end();
    server.close();
  };
  return { port, connections, next, close };
}
