/**
 * A TCP proxy in front of PostgreSQL that delays, goes silent, resets, and cuts: after a number of octets, or between a
 * commit and its answer, for which it reads the frames that the server sends.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/** `silent`: connections stay open, and nothing passes. `refuse`: new connections are closed at once. */
export type ProxyMode = 'pass' | 'silent' | 'refuse';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Frames of the server: a letter, and a length that counts itself. */
const HEADER = 5;
const COMMAND_COMPLETE = 0x43;
const READY_FOR_QUERY = 0x5a;

export class PostgresProxy {
  readonly #listener: Server;
  readonly #pairs = new Set<Pair>();
  /** The server's UNIX socket; a change is a failover for new connections. */
  target: string;
  mode: ProxyMode = 'pass';
  delayMs = 0;
  /** Octets, of both directions together, that still pass before a cut. */
  #left: number | undefined;
  #onCut: () => void = () => undefined;
  #swallowing: { readonly tag: RegExp; readonly done: (tag: string) => void } | undefined;
  /** Octets that have passed in both directions. */
  passed = 0;

  private constructor(target: string) {
    this.target = target;
    this.#listener = createServer({ allowHalfOpen: false }, (client) => this.#accept(client));
  }

  static async start(target: string): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(target);
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  get at(): { readonly host: string; readonly port: number } {
    const address = this.#listener.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return { host: '127.0.0.1', port: address.port };
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Cuts the connection once so many more octets have passed. */
  cutAfter(octets: number, onCut: () => void = () => undefined): void {
    this.#left = octets;
    this.#onCut = onCut;
  }

  /**
   * Waits for a statement with this command tag, lets the server commit, and resets the connection without its answer.
   * Resolves to the tag when the commit is done.
   */
  swallowAnswer(tag: RegExp): Promise<string> {
    return new Promise((done) => {
      this.#swallowing = { tag, done };
    });
  }

  /** Resets all connections. */
  reset(): void {
    for (const pair of [...this.#pairs]) this.#end(pair);
  }

  async close(): Promise<void> {
    this.reset();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #accept(client: Socket): void {
    if (this.mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const server = createConnection(this.target);
    const pair: Pair = { client, server };
    this.#pairs.add(pair);
    const end = (): void => this.#end(pair);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (octets) => this.#pass(pair, server, octets));
    const answers = new AnswerReader();
    server.on('data', (octets) => {
      const swallowing = this.#swallowing;
      const tags = answers.read(octets);
      if (swallowing !== undefined) {
        if (answers.pendingTag !== undefined && swallowing.tag.test(answers.pendingTag)) return;
        const tag = tags.find((one) => swallowing.tag.test(one));
        if (tag !== undefined) {
          this.#swallowing = undefined;
          this.#end(pair);
          swallowing.done(tag);
          return;
        }
      }
      this.#pass(pair, client, octets);
    });
  }

  #pass(pair: Pair, to: Socket, octets: Buffer): void {
    if (this.mode === 'silent') return;
    let passing = octets;
    if (this.#left !== undefined) {
      passing = octets.subarray(0, this.#left);
      this.#left -= passing.length;
    }
    this.passed += passing.length;
    const send = (): void => {
      if (!to.destroyed) to.write(passing);
    };
    if (this.delayMs > 0) setTimeout(send, this.delayMs);
    else send();
    if (this.#left !== 0) return;
    this.#left = undefined;
    this.#onCut();
    // Gives the octets before the cut the time to arrive.
    setTimeout(() => this.#end(pair), this.delayMs + 1);
    pair.client.pause();
    pair.server.pause();
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server.destroy();
  }
}

/** Finds the command tags in what the server sends, each at the ReadyForQuery that follows its commit. */
class AnswerReader {
  #rest: Buffer = Buffer.alloc(0);
  /** The tag of a statement whose commit is not answered yet. */
  pendingTag: string | undefined;

  read(octets: Buffer): readonly string[] {
    const all = Buffer.concat([this.#rest, octets]);
    const done: string[] = [];
    let at = 0;
    while (all.length - at >= HEADER) {
      const length = all.readUInt32BE(at + 1) + 1;
      if (all.length - at < length) break;
      if (all[at] === COMMAND_COMPLETE) {
        this.pendingTag = all.toString('latin1', at + HEADER, at + length - 1);
      } else if (all[at] === READY_FOR_QUERY) {
        if (this.pendingTag !== undefined) done.push(this.pendingTag);
        this.pendingTag = undefined;
      }
      at += length;
    }
    this.#rest = all.subarray(at);
    return done;
  }
}
