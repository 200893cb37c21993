/** What the engine says about writing down, for the log, the health and the metrics. */
import type { Logger } from 'pino';
import type { EngineOptions } from '../../control/engine-options.ts';
import { STALLED_AFTER_MS } from '../../control/refusals.ts';
import type { UnrecordedCommand } from '../../control/unrecorded.ts';
import type { Health } from './assess-health.ts';
import type { Metrics } from './metrics.ts';
import { JOURNAL_HANGS } from './health-lines.ts';

type Told = Pick<
  EngineOptions,
  'onSnapshotFailed' | 'onAppended' | 'onAppendFailed' | 'onStalled' | 'onUnrecorded' | 'onFollowerFailed'
>;

/** The callbacks of the engine. `metrics` answers null until there are any. */
export function followRecording(logger: Logger, health: Health, metrics: () => Metrics | null): Told {
  return {
    onSnapshotFailed: (error) => {
      health.snapshotFails(error);
      logger.error({ err: error }, 'snapshot failed; the journal still holds everything');
    },
    onAppended: (facts, milliseconds) => {
      health.storeWorks();
      if (milliseconds >= STALLED_AFTER_MS) {
        logger.warn({ seconds: Math.round(milliseconds / 1000) }, 'the journal answers again');
      }
      metrics()?.onAppended(facts, milliseconds);
    },
    onAppendFailed: (error) => {
      health.storeFails(error);
      logger.error(
        { err: error },
        'the journal cannot be written; nothing of this group takes effect but what takes rules away',
      );
    },
    onStalled: () => logger.error({}, JOURNAL_HANGS),
    onUnrecorded: (action) =>
      logger.warn(fieldsOf(action), 'an action of an operator is in effect and not recorded yet'),
    onFollowerFailed: (error) =>
      logger.error({ err: error }, 'internal error: a follower of the facts failed; please report it'),
  };
}

/** Says which actions nobody will know of after this process. */
export function narrateForgotten(logger: Logger, actions: readonly UnrecordedCommand[]): void {
  for (const action of actions) {
    logger.error(
      fieldsOf(action),
      'this action of an operator could not be recorded; repeat it after the next start',
    );
  }
}

function fieldsOf({ command }: UnrecordedCommand): Record<string, unknown> {
  const { type, actor, reason } = command;
  return {
    action: type,
    actor: actor.name,
    reason,
    ...(command.type === 'withdraw' ? { mitigation_id: command.id } : {}),
    ...(command.type === 'safelist-add' ? { prefix: command.prefix } : {}),
    ...(command.type === 'peer-disable' ? { peer: command.peer } : {}),
  };
}
