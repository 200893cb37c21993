/**
 * The neighbor of a speaker, both of whose sides dial, as RFC 4271 §6.8 and §8 have it and as other daemons deviate from it. It
 * knows nothing of how the speaker decides.
 */
import { localOpen } from '../../../src/bgp/fsm/negotiate.ts';
import type { FsmConfig } from '../../../src/bgp/fsm/types.ts';
import { MessageFramer } from '../../../src/bgp/wire/framing.ts';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import type { BgpMessage, CodecContext } from '../../../src/bgp/wire/types.ts';
import { SCRIPT_CONFIG } from './scripted-peer.ts';
import { type SimulatedConnection, type SimulatedNet, SimulatedProcess } from './simulated-net.ts';

const CONTEXT: CodecContext = { fourOctetAs: true, extendedMessages: false, internal: false };

/**
 * `rfc`: collisions are found in OpenConfirm (BIRD). `early`: in OpenSent already (FRR). `first`: one connection at a time,
 * any other is closed without a word (GoBGP).
 */
export type Manner = 'rfc' | 'early' | 'first';

interface Link {
  readonly connection: SimulatedConnection;
  readonly mine: boolean;
  state: 'opensent' | 'openconfirm' | 'established';
}

export class BookPeer {
  readonly #net: SimulatedNet;
  readonly #address: string;
  readonly #speaker: string;
  readonly #config: FsmConfig;
  readonly #manner: Manner;
  readonly #dialsAfter: () => number;
  #process: SimulatedProcess | undefined;
  #links: Link[] = [];
  #dialing = false;
  #stopListening: (() => void) | undefined;
  /** Connections that it closed for a collision, and those that the speaker did, since the start. */
  collisions = 0;
  lost = 0;

  constructor(
    net: SimulatedNet,
    at: { readonly address: string; readonly speaker: string },
    options: { readonly identifier: number; readonly manner: Manner; readonly dialsAfter: () => number },
  ) {
    this.#net = net;
    this.#address = at.address;
    this.#speaker = at.speaker;
    this.#config = { ...SCRIPT_CONFIG, localIdentifier: options.identifier };
    this.#manner = options.manner;
    this.#dialsAfter = options.dialsAfter;
  }

  get established(): boolean {
    return this.#links.some((link) => link.state === 'established');
  }

  start(): void {
    this.collisions = 0;
    this.lost = 0;
    this.#dialing = false;
    const process = new SimulatedProcess(this.#net, this.#address);
    this.#process = process;
    this.#stopListening = this.#net.listen(this.#address, (connection) => {
      connection.process = process;
      process.arrives(() => this.#stands(connection, false));
    });
    this.#dialLater();
  }

  /** Ends at once, as a process that is killed: its kernel closes what was open. */
  stop(): void {
    this.#process?.end();
    this.#stopListening?.();
    for (const { connection } of this.#links.splice(0)) void connection.close();
    this.#process = undefined;
  }

  pause(milliseconds: number): void {
    this.#process?.pause(milliseconds);
  }

  /** Dials although it may have the speaker's connection, as when it had none a moment ago. */
  dial(): void {
    const process = this.#process;
    if (process === undefined || this.#dialing || this.#links.some((link) => link.mine)) return;
    this.#dialing = true;
    this.#net.connect(process, this.#speaker, (connection) => {
      this.#dialing = false;
      if (process !== this.#process) void connection?.close();
      else if (connection !== undefined) this.#stands(connection, true);
    });
  }

  #dialLater(): void {
    this.#process?.after(this.#dialsAfter(), () => {
      if (this.#links.length === 0) this.dial();
      this.#dialLater();
    });
  }

  #stands(connection: SimulatedConnection, mine: boolean): void {
    if (this.#manner === 'first' && this.#links.length > 0) {
      void connection.close();
      return;
    }
    const link: Link = { connection, mine, state: 'opensent' };
    this.#links.push(link);
    const framer = new MessageFramer();
    connection.use({
      onData: (octets) => {
        framer.push(octets);
        for (let message = framer.next(true); message !== undefined; message = framer.next(true)) {
          if (this.#links.includes(link)) this.#received(link, decodeMessage(message.slice(), CONTEXT));
        }
      },
      onDrain: () => undefined,
      onClose: () => this.#gone(link),
    });
    this.#send(link, localOpen(this.#config));
  }

  #received(link: Link, message: BgpMessage): void {
    if (message.type === 'open' && link.state === 'opensent') {
      if (!this.#maySurvive(link, message.bgpIdentifier)) return;
      link.state = 'openconfirm';
      this.#send(link, { type: 'keepalive' });
    } else if (message.type === 'keepalive' && link.state === 'openconfirm') {
      link.state = 'established';
      for (const other of this.#links) if (other !== link && other.state === 'opensent') this.#collide(other);
    } else if (message.type === 'notification') {
      if (message.code === 6 && message.subcode === 7) this.lost++;
      void link.connection.close();
      this.#gone(link);
    }
  }

  /** §6.8 */
  #maySurvive(link: Link, identifier: number): boolean {
    for (const other of this.#links) {
      if (other === link || (other.state === 'opensent' && this.#manner !== 'early')) continue;
      const mineWins = this.#config.localIdentifier > identifier;
      const loses = other.state === 'established' || (link.mine !== other.mine && link.mine !== mineWins);
      this.#collide(loses ? link : other);
      if (loses) return false;
    }
    return true;
  }

  #collide(link: Link): void {
    this.collisions++;
    this.#send(link, { type: 'notification', code: 6, subcode: 7, data: new Uint8Array(0) });
    void link.connection.close();
    this.#gone(link);
  }

  #gone(link: Link): void {
    this.#links = this.#links.filter((one) => one !== link);
  }

  #send(link: Link, message: BgpMessage): void {
    link.connection.write(encodeMessage(message, CONTEXT));
  }
}
