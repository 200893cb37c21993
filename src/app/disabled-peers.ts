/** Neighbors that an operator disabled: kept down at a start, forgotten when the configuration no longer has them. */
import type { Logger } from 'pino';
import type { NeighborSettings } from '../bgp/speaker/types.ts';
import type { Announcer } from '../control/announcer.ts';
import type { EngineView } from '../control/types.ts';
import { SYSTEM } from '../core/lifecycle.ts';
import type { Actor } from '../core/types.ts';

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
