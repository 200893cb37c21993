/** Hot reload: all or nothing. A bad file changes nothing; what needs a restart is named, not half-applied. */
import type { Logger } from 'pino';
import type { NeighborSettings } from '../bgp/speaker/types.ts';
import { formatProblem } from '../config/config-problem.ts';
import { needRestart, withSettingsOfStart } from '../config/start-settings.ts';
import type { ConfigResult, LoadedConfig } from '../config/types.ts';
import type { Announcer } from '../control/announcer.ts';
import type { Engine } from '../control/engine.ts';
import type { Reconciler } from '../control/reconciler.ts';
import type { EngineView } from '../control/types.ts';
import { SYSTEM } from '../core/decide/lifecycle.ts';
import type { Actor } from '../core/types.ts';
import type { HttpServer, ReloadOutcome } from '../http/dependencies.ts';
import { countWords, errorText } from '../net/text.ts';

export interface ReloaderOptions {
  readonly config: LoadedConfig;
  readonly engine: Engine;
  readonly announcer: Announcer;
  readonly reconciler: Reconciler;
  readonly logger: Logger;
  readonly load: (() => Promise<ConfigResult>) | undefined;
}

/** Holds the configuration in force. */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #adopted = new Set<(config: LoadedConfig) => Promise<void>>();
  #config: LoadedConfig;
  #running: Promise<ReloadOutcome> | null = null;
  /** By whether it is confirmed: what one caller confirmed is not confirmed by another. */
  readonly #next = new Map<boolean, Promise<ReloadOutcome>>();

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** The configuration in force. */
  get config(): LoadedConfig {
    return this.#config;
  }

  /** Called with each configuration that was adopted, for parts that keep settings of their own. */
  onAdopted(adopt: (config: LoadedConfig) => Promise<void>): void {
    this.#adopted.add(adopt);
  }

  /**
   * Reads the files anew and adopts them. Calls during a reload share one more after it, because files may have changed
   * since it read them. Without `confirmed`, a configuration that would end many mitigations is refused. Rejects with StoreError when the journal cannot be written; nothing has changed then.
   */
  reload(actor: Actor, confirmed = false): Promise<ReloadOutcome> {
    if (this.#running === null) {
      this.#running = this.#reload(actor, confirmed).finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    const again = (): Promise<ReloadOutcome> => {
      this.#next.delete(confirmed);
      return this.reload(actor, confirmed);
    };
    const next = this.#next.get(confirmed) ?? this.#running.then(again, again);
    this.#next.set(confirmed, next);
    return next;
  }

  async #reload(actor: Actor, confirmed: boolean): Promise<ReloadOutcome> {
    const { load, engine, logger } = this.#options;
    if (load === undefined) return { ok: false, problems: ['the built-in configuration cannot be reloaded'] };
    const result = await load();
    if (!result.ok) {
      const problems = result.problems.map(formatProblem);
      logger.error({ problems, actor: actor.name }, 'reload refused; nothing was changed');
      return { ok: false, problems };
    }
    const next = withSettingsOfStart(result.config, this.#config);
    const warnings = [...result.warnings.map(formatProblem), ...needRestart(this.#config, result.config)];
    const summary = summarize(next);
    const answer = await engine.adopt(next.policy, {
      type: 'policy-loaded',
      actor,
      summary,
      ask: !confirmed,
    });
    if (answer.type === 'needs-confirmation') {
      logger.error(
        { actor: actor.name, effect: answer.detail },
        'reload refused; nothing was changed: confirm it with prefixd reload --yes',
      );
      return { ok: false, effect: answer.detail, wouldWithdraw: answer.ends, active: answer.active };
    }
    const neighborsBefore = this.#config.bgp.speaker.neighbors;
    this.#config = next;
    for (const failure of await this.#follow(next, neighborsBefore, actor)) {
      logger.error({ err: failure }, 'configuration reloaded, but not all of it took effect');
      warnings.push(`not all of it took effect: ${errorText(failure)}`);
    }
    logger.info({ actor: actor.name, summary, warnings }, 'configuration reloaded');
    return { ok: true, summary, warnings };
  }

  /**
   * Makes the parts follow a configuration that is in force. One that cannot does not keep the others from it: what is
   * decided by the new policy must reach the routers all the same. Returns what failed.
   */
  async #follow(
    next: LoadedConfig,
    neighborsBefore: LoadedConfig['bgp']['speaker']['neighbors'],
    actor: Actor,
  ): Promise<readonly unknown[]> {
    const { engine, announcer, reconciler } = this.#options;
    const failures: unknown[] = [];
    const attempt = async (step: () => Promise<void>): Promise<void> => {
      await step().catch((error: unknown) => failures.push(error));
    };
    // The announcer before the reconciler: sessions that go take their routes along, and the reconciler finds every
    // neighbor that it is given. Those that go are let alone while they do.
    reconciler.keepOnly(next.bgp.control.map(({ name }) => name));
    await attempt(() => announcer.reconfigure(next.bgp.speaker.neighbors));
    await attempt(() => forgetDisabled(engine, neighborsBefore, next.bgp.speaker.neighbors, actor));
    const known = new Set(announcer.peers().map(({ name }) => name));
    await attempt(() => reconciler.setNeighbors(next.bgp.control.filter(({ name }) => known.has(name))));
    for (const adopt of this.#adopted) await attempt(() => adopt(next));
    return failures;
  }
}

/** A configuration in a few words, for the record. */
export function summarize(config: LoadedConfig): string {
  const { policy, bgp } = config;
  const counts = [
    `mode ${policy.mode}`,
    countWords(policy.playbooks.names.length, 'playbook'),
    countWords(policy.safelist.length, 'safelisted prefix', 'safelisted prefixes'),
    countWords(bgp.control.length, 'neighbor'),
  ];
  return counts.join(', ');
}

/** Makes the server follow reloads of its certificates. */
export function reloadCertificates(reloader: Reloader, server: HttpServer): void {
  reloader.onAdopted(async ({ http }) => {
    if (http.tls !== null) await server.reloadTls(http.tls);
  });
}

// Neighbors that an operator disabled: kept down at a start, forgotten when the configuration no longer has them.

/** Keeps them down from the start on. Call it before the announcer is started, so that none of them is dialled. */
export async function keepDisabled(
  engine: EngineView,
  announcer: Announcer,
  neighbors: readonly NeighborSettings[],
  logger: Logger,
): Promise<void> {
  try {
    await forgetDisabled(engine, [], neighbors, SYSTEM);
  } catch (error) {
    logger.error({ err: error }, 'neighbors that are not configured any more stay recorded as disabled');
  }
  const configured = new Set(neighbors.map(({ name }) => name));
  for (const [peer, { actor, reason }] of engine.state.disabledPeers) {
    if (!configured.has(peer)) continue;
    announcer.setEnabled(peer, false);
    logger.warn({ peer, actor: actor.name, reason }, 'neighbor stays disabled until an operator enables it');
  }
}

/**
 * Forgets those that are gone from the configuration, and those that a change of it (`enabled` from false to true) lets come
 * up. Rejects with StoreError when that cannot be written down.
 */
export async function forgetDisabled(
  engine: EngineView,
  before: readonly NeighborSettings[],
  after: readonly NeighborSettings[],
  actor: Actor,
): Promise<void> {
  for (const peer of [...engine.state.disabledPeers.keys()]) {
    const now = after.find(({ name }) => name === peer);
    const then = before.find(({ name }) => name === peer);
    const reason =
      now === undefined
        ? 'the neighbor is not configured any more'
        : now.enabled && then?.enabled === false
          ? 'enabled in the configuration'
          : null;
    if (reason !== null) await engine.submit({ type: 'peer-enable', peer, actor, reason });
  }
}
