/**
 * Reloads the configuration, all or nothing. An invalid file changes nothing; settings that need a restart are named.
 */
import type { Logger } from 'pino';
import type { NeighborSettings } from '../bgp/speaker/types.ts';
import { withSystem } from '../config/system-inventory.ts';
import type { CopyHead } from '../inventory/copy-file.ts';
import type { InventoryContent } from '../inventory/inventory-content.ts';
import { formatProblem } from '../config/config-problem.ts';
import { needRestart, withSettingsOfStart } from '../config/start-settings.ts';
import type { ConfigResult, LoadedConfig } from '../config/types.ts';
import type { Announcer } from '../control/announcer.ts';
import type { Engine } from '../control/engine.ts';
import type { Reconciler } from '../control/reconciler.ts';
import type { EngineView } from '../control/types.ts';
import { SYSTEM } from '../core/decide/lifecycle.ts';
import type { Actor } from '../core/types.ts';
import type { ReloadOutcome } from '../http/dependencies.ts';
import { SingleFlight } from '../net/single-flight.ts';
import { countWords, errorText } from '../net/text.ts';

export interface ReloaderOptions {
  readonly config: LoadedConfig;
  readonly engine: Engine;
  readonly announcer: Announcer;
  readonly reconciler: Reconciler;
  readonly logger: Logger;
  readonly load: (() => Promise<ConfigResult>) | undefined;
}

/** Holds the active configuration and reloads it. */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #adopted = new Set<(config: LoadedConfig) => Promise<void>>();
  #config: LoadedConfig;
  readonly #flight = new SingleFlight<ReloadOutcome>();

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** The active configuration. */
  get config(): LoadedConfig {
    return this.#config;
  }

  /** Registers a callback for each adopted configuration, for components with their own settings. */
  onAdopted(adopt: (config: LoadedConfig) => Promise<void>): void {
    this.#adopted.add(adopt);
  }

  /**
   * Reads the files again and adopts them. Calls during a reload share one more reload after it, because files may have
   * changed since it read them. Without `confirmed`, refuses a configuration that would withdraw many mitigations.
   * Rejects with StoreError if the journal cannot be written; nothing has changed then.
   */
  reload(actor: Actor, confirmed = false): Promise<ReloadOutcome> {
    // By `confirmed`: one caller's confirmation must not count for another.
    return this.#flight.run(() => this.#reload(actor, confirmed), confirmed);
  }

  async #reload(actor: Actor, confirmed: boolean): Promise<ReloadOutcome> {
    const { load, logger } = this.#options;
    if (load === undefined) return { ok: false, problems: ['the built-in configuration cannot be reloaded'] };
    const result = await load();
    if (!result.ok) {
      const problems = result.problems.map(formatProblem);
      logger.error({ problems, actor: actor.name }, 'reload refused; nothing was changed');
      return { ok: false, problems };
    }
    const lost = lostCopy(this.#config, result.config);
    if (lost !== undefined) {
      logger.error({ problems: [lost], actor: actor.name }, 'reload refused; nothing was changed');
      return { ok: false, problems: [lost] };
    }
    const next = withSettingsOfStart(result.config, this.#config);
    const warnings = [...result.warnings.map(formatProblem), ...needRestart(this.#config, result.config)];
    const outcome = await this.#adopt(next, actor, confirmed);
    if (!outcome.ok) {
      logger.error(
        { actor: actor.name, effect: outcome.effect },
        'reload refused; nothing was changed: confirm it with prefixd reload --yes',
      );
      return outcome;
    }
    const { summary } = outcome;
    warnings.push(...outcome.warnings);
    logger.info({ actor: actor.name, summary, warnings }, 'configuration reloaded');
    return { ok: true, summary, warnings };
  }

  /**
   * Adopts another system's customers in place of those in use, all or nothing; everything else stays as it is, also what
   * has changed in the files since they were read. `keep` makes the copy on disk the one in use; it is called after the
   * engine has adopted the policy, and before another reload reads the copy. Rejects like `reload`.
   */
  replaceSystem(
    content: InventoryContent,
    head: CopyHead,
    actor: Actor,
    { confirmed, keep }: { readonly confirmed: boolean; readonly keep: () => Promise<void> },
  ): Promise<ReloadOutcome> {
    // Never shared: each call brings its own content.
    return this.#flight.run(async () => {
      const next = await withSystem(this.#config, content, head);
      if (!next.ok) return { ok: false, problems: [next.error] };
      const outcome = await this.#adopt(next.value, actor, confirmed);
      if (!outcome.ok) return outcome;
      const warnings = [...outcome.warnings];
      await keep().catch((error: unknown) => warnings.push(`the copy cannot be kept: ${errorText(error)}`));
      return { ok: true, summary: outcome.summary, warnings };
    }, Symbol('system'));
  }

  /** Lets the engine adopt a configuration, and then everything else. */
  async #adopt(
    next: LoadedConfig,
    actor: Actor,
    confirmed: boolean,
  ): Promise<
    | { readonly ok: true; readonly summary: string; readonly warnings: readonly string[] }
    | Extract<ReloadOutcome, { readonly effect: string }>
  > {
    const { engine, logger } = this.#options;
    const summary = summarize(next);
    const answer = await engine.adopt(next.policy, {
      type: 'policy-loaded',
      actor,
      summary,
      ask: !confirmed,
    });
    if (answer.type === 'needs-confirmation') {
      return { ok: false, effect: answer.detail, wouldWithdraw: answer.ends, active: answer.active };
    }
    const neighborsBefore = this.#config.bgp.speaker.neighbors;
    this.#config = next;
    const warnings: string[] = [];
    for (const failure of await this.#follow(next, neighborsBefore, actor)) {
      logger.error({ err: failure }, 'configuration reloaded, but not all of it took effect');
      warnings.push(`not all of it took effect: ${errorText(failure)}`);
    }
    return { ok: true, summary, warnings };
  }

  /**
   * Makes the components follow the active configuration. A component that fails does not stop the others, because
   * decisions by the new policy must still reach the routers. Returns the failures.
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
    // The announcer before the reconciler: removed sessions take their routes along, and the reconciler finds every
    // neighbor in its list. It ignores the neighbors that are being removed.
    reconciler.keepOnly(next.bgp.control.map(({ name }) => name));
    await attempt(() => announcer.reconfigure(next.bgp.speaker.neighbors));
    await attempt(() => forgetDisabled(engine, neighborsBefore, next.bgp.speaker.neighbors, actor));
    const known = new Set(announcer.peers().map(({ name }) => name));
    await attempt(() => reconciler.setNeighbors(next.bgp.control.filter(({ name }) => known.has(name))));
    for (const adopt of this.#adopted) await attempt(() => adopt(next));
    return failures;
  }
}

/**
 * Explains why a reload must not go on: it would drop another system's customers only because their copy cannot be read.
 * Undefined if it may.
 */
function lostCopy(running: LoadedConfig, next: LoadedConfig): string | undefined {
  const { system, copy, copyProblem = 'it is missing' } = next.inventorySources;
  if (system === undefined || copy !== undefined || running.inventorySources.copy === undefined) {
    return undefined;
  }
  return `the copy of the inventory cannot be used: ${copyProblem}; write it again with prefixd inventory sync`;
}

/** Summarizes a configuration in one line, for the journal. */
function summarize(config: LoadedConfig): string {
  const { policy, bgp } = config;
  const counts = [
    `mode ${policy.mode}`,
    countWords(policy.playbooks.names.length, 'playbook'),
    countWords(policy.safelist.length, 'safelisted prefix', 'safelisted prefixes'),
    countWords(bgp.control.length, 'neighbor'),
  ];
  return counts.join(', ');
}

/**
 * Adopts the policy at a start, as at a reload: the files may have changed while the daemon was down, and mitigations
 * that they now forbid end before anything is announced. If that cannot be recorded, the daemon starts anyway, because
 * the egress check also knows the policy.
 */
export async function recordPolicy(engine: Engine, config: LoadedConfig, logger: Logger): Promise<void> {
  const summary = summarize(config);
  try {
    await engine.adopt(config.policy, { type: 'policy-loaded', actor: SYSTEM, summary });
  } catch (error) {
    logger.error(
      { err: error },
      'the policy cannot be recorded; mitigations that it forbids are not withdrawn',
    );
  }
}

// Neighbors that an operator disabled: kept down at a start, forgotten when the configuration no longer has them.

/** Keeps disabled neighbors down. Call it before the announcer starts, so that none of them is connected. */
export async function keepDisabled(
  engine: EngineView,
  announcer: Announcer,
  neighbors: readonly NeighborSettings[],
  logger: Logger,
): Promise<void> {
  try {
    await forgetDisabled(engine, [], neighbors, SYSTEM);
  } catch (error) {
    logger.error({ err: error }, 'neighbors that are no longer configured remain recorded as disabled');
  }
  const configured = new Set(neighbors.map(({ name }) => name));
  for (const [peer, { actor, reason }] of engine.state.disabledPeers) {
    if (!configured.has(peer)) continue;
    announcer.setEnabled(peer, false);
    logger.warn({ peer, actor: actor.name, reason }, 'neighbor stays disabled until an operator enables it');
  }
}

/**
 * Forgets disabled neighbors that are no longer configured, and those whose `enabled` changed from false to true.
 * Rejects with StoreError if that cannot be recorded.
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
        ? 'the neighbor is no longer configured'
        : now.enabled && then?.enabled === false
          ? 'enabled in the configuration'
          : undefined;
    if (reason !== undefined) await engine.submit({ type: 'peer-enable', peer, actor, reason });
  }
}
