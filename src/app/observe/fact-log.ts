/** Writes a log line for each fact, session change and problem of the journal, with what an operator needs to act. */
import type { Logger } from 'pino';
import type { SpeakerListener } from '../../bgp/speaker/types.ts';
import type { EngineOptions } from '../../control/engine-options.ts';
import { STALLED_AFTER_MS } from '../../control/refusals.ts';
import type { Unenforced } from '../../control/types.ts';
import type { UnrecordedCommand } from '../../control/unrecorded.ts';
import { scrubberOf } from '../../core/action.ts';
import type { RecordedFact } from '../../core/facts.ts';
import { actionWords } from '../../core/rule-text.ts';
import type { StateView } from '../../core/state/state.ts';
import type { EventRecord, Mitigation } from '../../core/types.ts';
import { timeText } from '../../net/time.ts';
import type { Health } from './assess-health.ts';
import { JOURNAL_HANGS } from './health-lines.ts';
import type { Metrics } from './metrics.ts';

/**
 * Returns a follower that writes a line for each decision. `ruleText` returns a mitigation's rule in operator notation.
 */
export function logFacts(
  log: Logger,
  state: StateView,
  ruleText: (mitigationId: string) => string,
): (facts: readonly RecordedFact[]) => void {
  return (facts) => {
    for (const { fact } of facts) {
      switch (fact.type) {
        case 'event.received':
          logEvent(log, fact.event);
          break;
        case 'mitigation.created':
          log.info(fieldsOf(fact.mitigation, ruleText), 'mitigation created');
          break;
        case 'mitigation.imported':
          log.info(
            { ...fieldsOf(fact.mitigation, ruleText), origin: fact.mitigation.origin?.pop },
            'mitigation of another POP taken over',
          );
          break;
        case 'import.refused': {
          const { origin, mitigationId, victim, vector, reason, detail } = fact;
          const fields = { mitigation_id: mitigationId, origin: origin.pop, victim_ip: victim, vector };
          log.warn({ ...fields, reason, why: detail }, 'mitigation of another POP refused');
          break;
        }
        case 'import.ended':
          log.debug(
            { mitigation_id: fact.mitigationId, origin: fact.origin.pop, reason: fact.reason },
            'another POP ended a mitigation that is not active here',
          );
          break;
        case 'mitigation.rejected':
          log.warn(
            {
              ...fieldsOf(fact.mitigation, ruleText),
              reason: fact.mitigation.reason,
              why: fact.mitigation.why,
            },
            'mitigation refused by a guardrail',
          );
          break;
        case 'mitigation.extended':
        case 'mitigation.widened':
        case 'mitigation.escalated':
        case 'mitigation.withdrawn':
        case 'mitigation.expired': {
          const level = fact.type === 'mitigation.extended' ? 'debug' : 'info';
          // Extensions arrive every second, and making a rule's text costs time even if the line is not written.
          if (!log.isLevelEnabled(level)) break;
          const mitigation = state.mitigations.get(fact.id);
          const fields =
            mitigation === undefined ? { mitigation_id: fact.id } : fieldsOf(mitigation, ruleText);
          log[level](fields, fact.type.replace('.', ' '));
          break;
        }
        case 'mitigation.released': {
          const { actor, reason } = fact.release;
          log.info({ mitigation_id: fact.id, actor: actor.name, reason }, 'a detector released its hold');
          break;
        }
        case 'mitigation.moved': {
          const { id, customerId, serviceId } = fact;
          const fields = { mitigation_id: id, customer_id: customerId, service_id: serviceId };
          log.info(fields, 'mitigation moved to another customer or service');
          break;
        }
        case 'mitigation.ending': {
          const { to, actor, reason } = fact.ending;
          log.info(
            { mitigation_id: fact.id, to, actor: actor.name, reason },
            'mitigation is ending; its rules are being withdrawn',
          );
          break;
        }
        case 'safelist.added':
          log.warn(
            { prefix: fact.entry.prefix, actor: fact.entry.addedBy.name, reason: fact.entry.reason },
            'safelist entry added',
          );
          break;
        case 'safelist.removed':
          log.warn({ prefix: fact.prefix, actor: fact.actor.name }, 'safelist entry removed');
          break;
        case 'control.paused':
        case 'control.resumed':
          log.warn({ actor: fact.actor.name, reason: fact.reason }, fact.type.replace('.', ' '));
          break;
        case 'peer.disabled':
        case 'peer.enabled':
          log.warn(
            { peer: fact.peer, actor: fact.actor.name, reason: fact.reason },
            fact.type === 'peer.disabled' ? 'neighbor disabled' : 'neighbor enabled',
          );
          break;
        case 'scrubber.down':
          log.error(
            { scrubber: fact.scrubber, reason: fact.reason },
            'scrubber does not answer its health probe; its mitigations leave it',
          );
          break;
        case 'scrubber.up':
          log.warn({ scrubber: fact.scrubber }, 'scrubber answers its health probe again');
          break;
        case 'policy.loaded':
          log.info({ actor: fact.actor.name, summary: fact.summary }, 'policy loaded');
          break;
      }
    }
  };
}

/**
 * Writes a line for an event. Routine answers are debug lines: an attack sends events every second, and decisions have
 * their own lines.
 */
function logEvent(log: Logger, event: EventRecord): void {
  const quiet = event.status === 'extended' || event.status === 'duplicate';
  const level = event.refusal === 'invalid_report' ? 'warn' : quiet ? 'debug' : 'info';
  if (!log.isLevelEnabled(level)) return;
  log[level](
    {
      event_id: event.id,
      source: event.detection.source,
      victim_ip: event.detection.victim,
      vector: event.detection.vector,
      status: event.status,
      mitigation_id: event.mitigationId,
      why: event.why,
    },
    `event ${event.status}`,
  );
}

function fieldsOf(mitigation: Mitigation, ruleText: (id: string) => string): Record<string, unknown> {
  const scrubber = scrubberOf(mitigation.action);
  return {
    mitigation_id: mitigation.id,
    customer_id: mitigation.customerId,
    victim_ip: mitigation.victim,
    vector: mitigation.vector,
    action: actionWords(mitigation.action),
    ...(scrubber === undefined ? {} : { scrubber }),
    rule: ruleText(mitigation.id),
    status: mitigation.status,
    expires_at: timeText(mitigation.expiresAt),
    ...(mitigation.dryRun ? { dry_run: true } : {}),
  };
}

/** Writes a line for each mitigation that is not enforced on some neighbor. */
export function logUnenforced(log: Logger, mitigations: readonly Unenforced[]): void {
  for (const { mitigationId, neighbors } of mitigations) {
    log.warn({ mitigation_id: mitigationId, neighbors }, 'mitigation is not enforced on every neighbor');
  }
}

/** Writes the announcer's log lines, including session changes. */
export function logSessions(log: Logger): SpeakerListener {
  return {
    onSent: (peer, announced, withdrawn) => {
      log.debug({ peer, announced: announced.length, withdrawn: withdrawn.length }, 'rules sent');
    },
    onLog: (level, peer, text, fields) =>
      log[level]({ ...fields, ...(peer === undefined ? {} : { peer }) }, text),
  };
}

// Writing the journal: the engine reports it to the log, the health and the metrics.

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
      logger.warn(commandFields(action), 'an operator action is in effect but not recorded yet'),
    onFollowerFailed: (error) =>
      logger.error({ err: error }, 'internal error: a follower of the facts failed; please report it'),
  };
}

/** Logs the operator actions that will be lost when this process stops. */
export function logForgotten(logger: Logger, actions: readonly UnrecordedCommand[]): void {
  for (const action of actions) {
    logger.error(
      commandFields(action),
      'this operator action could not be recorded; repeat it after the next start',
    );
  }
}

function commandFields({ command }: UnrecordedCommand): Record<string, unknown> {
  if (command.type === 'import') {
    const { intent, origin } = command;
    return { action: command.type, actor: origin.pop, reason: intent.reason, mitigation_id: intent.id };
  }
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
