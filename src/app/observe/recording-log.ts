/** Passes the engine's reports about writing the journal to the log, the health and the metrics. */
import type { Logger } from 'pino';
import type { EngineOptions } from '../../control/engine-options.ts';
import { STALLED_AFTER_MS } from '../../control/refusals.ts';
import type { UnrecordedCommand } from '../../control/unrecorded.ts';
import type { Health } from './assess-health.ts';
import type { Metrics } from './metrics.ts';
import { JOURNAL_HANGS } from './health-lines.ts';

type EngineReports = Pick<
  EngineOptions,
  'onSnapshotFailed' | 'onAppended' | 'onAppendFailed' | 'onStalled' | 'onUnrecorded' | 'onFollowerFailed'
>;

/** Returns the engine's callbacks. `metrics` is called only once something was appended. */
export function followRecording(logger: Logger, health: Health, metrics: () => Metrics): EngineReports {
  return {
    onSnapshotFailed: (error) => {
      health.snapshotFails(error);
      logger.error({ err: error }, 'snapshot failed; the journal is complete');
    },
    onAppended: (facts, milliseconds) => {
      health.storeWorks();
      if (milliseconds >= STALLED_AFTER_MS) {
        logger.warn({ seconds: Math.round(milliseconds / 1000) }, 'the journal works again');
      }
      metrics().onAppended(facts, milliseconds);
    },
    onAppendFailed: (error) => {
      health.storeFails(error);
      logger.error(
        { err: error },
        'the journal cannot be written; batch discarded, except commands that withdraw rules',
      );
    },
    onStalled: () => logger.error({}, JOURNAL_HANGS),
    onUnrecorded: (action) =>
      logger.warn(fieldsOf(action), 'an operator action is in effect but not recorded yet'),
    onFollowerFailed: (error) =>
      logger.error({ err: error }, 'internal error: a follower of the facts failed; please report it'),
  };
}

/** Logs the operator actions that will be lost when this process stops. */
export function logForgotten(logger: Logger, actions: readonly UnrecordedCommand[]): void {
  for (const action of actions) {
    logger.error(
      fieldsOf(action),
      'this operator action could not be recorded; repeat it after the next start',
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
