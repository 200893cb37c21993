/** One neighbor with everything that belongs to it: its configuration, the router behind it, the line to it. */
import type { Dialect } from '../../src/bgp/flowspec/dialect.ts';
import type { NeighborSettings } from '../../src/bgp/speaker/types.ts';
import type { Family } from '../../src/bgp/wire/iana.ts';
import type { NeighborPolicy } from '../../src/control/render-rule.ts';
import type { RuleKind } from '../../src/core/action.ts';
import { LabRouter } from '../../src/lab/router.ts';
import type { LabRule } from '../../src/lab/rule-table.ts';
import { fromHex } from '../../src/net/bytes.ts';
import { worldRuntime } from './clock.ts';
import { type Cut, type Dialling, type End, Line } from './line.ts';

export const LOCAL_ASN = 65010;

/** Of the world, as all times here are: three of our seconds. */
const HOLD_SECONDS = 45;
const RESTART_SECONDS = 60;

export interface EdgeSettings {
  readonly name: string;
  readonly asn: number;
  readonly dialect: Dialect;
  readonly dialling: Dialling;
  /** Configured for the neighbor. */
  readonly families: readonly Family[];
  /** The families that its router offers. */
  readonly offered: readonly Family[];
  readonly maxRules: number;
  /** What it is given; FlowSpec rules only unless said. */
  readonly announce?: readonly RuleKind[];
  readonly maxUnicast?: number;
  /** Keeps the rules while the speaker restarts. */
  readonly helper: boolean;
  /** COMMUNITIES in hexadecimal. */
  readonly communities: string;
}

export class Edge {
  readonly settings: EdgeSettings;
  readonly #host: string;
  readonly #line: Line;
  #router: LabRouter;
  #at: { readonly host: string; readonly port: number } | undefined;
  /** Restarts happen one after the other: of two at once, one router would listen and the other be looked at. */
  #restarted: Promise<void> = Promise.resolve();

  private constructor(settings: EdgeSettings, host: string, line: Line) {
    this.settings = settings;
    this.#host = host;
    this.#line = line;
    this.#router = this.#newRouter();
  }

  /** `host` is an address in 127/8 that no other edge uses; `speaker` is where the router dials. */
  static async start(settings: EdgeSettings, host: string, speaker: End): Promise<Edge> {
    let edge: Edge | undefined;
    const line = await Line.start(host, settings.dialling, () => edge?.routerAt, speaker);
    edge = new Edge(settings, host, line);
    edge.#at = await edge.#router.start();
    return edge;
  }

  /** For the speaker, which is at `speakerHost`. */
  neighbor(speakerHost: string): NeighborSettings {
    const { name, asn, families, dialling, helper } = this.settings;
    return {
      name,
      address: { kind: 'tcp', host: this.#host, port: this.#line.port },
      localAddress: speakerHost,
      peerAsn: asn,
      passive: dialling === 'router',
      holdTimeSeconds: HOLD_SECONDS,
      families,
      enabled: true,
      ...(helper
        ? { gracefulRestart: { restartTimeSeconds: RESTART_SECONDS, longLivedStaleSeconds: 0 } }
        : {}),
    };
  }

  /** For the reconciler. */
  policy(): NeighborPolicy {
    const { name, dialect, families, maxRules, communities, announce, maxUnicast } = this.settings;
    return {
      ...(announce === undefined ? {} : { announce }),
      ...(maxUnicast === undefined ? {} : { maxUnicast }),
      name,
      dialect,
      families,
      maxRules,
      communities: fromHex(communities) ?? new Uint8Array(0),
      largeCommunities: new Uint8Array(0),
    };
  }

  /** The router's address; undefined while it is away. */
  get routerAt(): { readonly host: string; readonly port: number } | undefined {
    return this.#at;
  }

  rules(): readonly LabRule[] {
    return this.#router.rules();
  }

  cut(how: Cut): void {
    this.#line.cut(how);
  }

  /** The router asks for everything again. */
  refresh(): void {
    this.#router.refresh();
  }

  /** The router goes away and comes back with an empty table: by order, or by a crash, after which nobody says goodbye. */
  restartRouter(crash: boolean): Promise<void> {
    this.#restarted = this.#restarted.then(() => this.#restart(crash));
    return this.#restarted;
  }

  async #restart(crash: boolean): Promise<void> {
    if (crash) this.#line.cut('reset');
    this.#at = undefined;
    await this.#router.close();
    this.#router = this.#newRouter();
    this.#at = await this.#router.start();
  }

  async close(): Promise<void> {
    await this.#restarted;
    this.#at = undefined;
    await this.#router.close();
    this.#line.close();
  }

  #newRouter(): LabRouter {
    const { asn, offered, helper } = this.settings;
    const options = { host: '127.0.0.1', port: 0, asn, routerId: '192.0.2.1', peerAsn: LOCAL_ASN };
    return new LabRouter(
      { ...options, families: offered, holdTimeSeconds: HOLD_SECONDS, helper },
      worldRuntime,
    );
  }
}
