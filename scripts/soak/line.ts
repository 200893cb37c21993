/** The wire between the speaker and one router, which can be cut in every way a wire is. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Returns the address of one end; undefined while it is away. */
export type End = () => { readonly host: string; readonly port: number } | undefined;

/** Names the side that connects: the speaker, the router, or both at once so that they collide (RFC 4271 §6.8). */
export type Dialling = 'speaker' | 'router' | 'both';

export type Cut = 'reset' | 'close' | 'stall';

/** The interval at which a connecting router retries (ms). */
const REDIAL_MS = 60;

interface Pair {
  readonly ends: readonly [Socket, Socket];
  stalled: boolean;
}

export class Line {
  readonly #host: string;
  readonly #router: End;
  readonly #speaker: End;
  readonly #pairs = new Set<Pair>();
  readonly #server: Server;
  #redial: NodeJS.Timeout | undefined;

  private constructor(host: string, router: End, speaker: End) {
    this.#host = host;
    this.#router = router;
    this.#speaker = speaker;
    this.#server = createServer((near) => this.#join(near, this.#router()));
  }

  /** `host` is the router's address as the speaker sees it, in 127/8. */
  static async start(host: string, dialling: Dialling, router: End, speaker: End): Promise<Line> {
    const line = new Line(host, router, speaker);
    line.#server.listen(0, host);
    await once(line.#server, 'listening');
    if (dialling !== 'speaker') line.#redial = setInterval(() => line.#dial(), REDIAL_MS);
    return line;
  }

  /** The address at which the speaker connects to this router. */
  get port(): number {
    const bound = this.#server.address();
    return bound !== null && typeof bound === 'object' ? bound.port : 0;
  }

  /** Cuts what connects the two now. `stall`: nothing arrives any more, in neither direction, and nobody is told. */
  cut(how: Cut): void {
    for (const pair of this.#pairs) {
      const [a, b] = pair.ends;
      if (how === 'reset') {
        a.resetAndDestroy();
        b.resetAndDestroy();
        continue;
      }
      a.unpipe(b).pause();
      b.unpipe(a).pause();
      if (how === 'stall') pair.stalled = true;
      else for (const end of pair.ends) end.end().resume();
    }
  }

  close(): void {
    clearInterval(this.#redial);
    this.#server.close();
    for (const { ends } of this.#pairs) for (const end of ends) end.destroy();
  }

  #dial(): void {
    const speaker = this.#speaker();
    if (speaker === undefined || this.#router() === undefined) return;
    if ([...this.#pairs].some((pair) => !pair.stalled)) return;
    const { host, port } = speaker;
    this.#join(connect({ host, port, localAddress: this.#host }), this.#router());
  }

  #join(near: Socket, router: ReturnType<End>): void {
    near.on('error', () => undefined);
    if (router === undefined) {
      near.destroy();
      return;
    }
    const far = connect(router);
    const pair: Pair = { ends: [near, far], stalled: false };
    this.#pairs.add(pair);
    far.on('error', () => undefined);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.setNoDelay(true);
      one.pipe(other);
      one.on('close', () => {
        // The other end of a stalled line hears nothing of it, and stays known until the line itself is closed.
        if (pair.stalled && !other.destroyed) return;
        this.#pairs.delete(pair);
        other.destroySoon();
      });
    }
  }
}
