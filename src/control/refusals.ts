/** What the engine bears of its journal, and why it refuses commands on its account, in words that callers may see. */
import type { Command } from '../core/commands.ts';
import { StoreError } from '../store/store.ts';

/** Commands that may wait to be decided; more are refused. */
export const MAX_WAITING = 20_000;
/** Operators' actions that may be in effect and not recorded; more are refused. */
export const MAX_UNRECORDED = 1_000;
/** Wait before what is unrecorded is tried again (ms). */
export const RETRY_MS = 1_000;
/** A write to the journal that takes longer has stalled: what needs no disk goes on without it (ms). */
export const STALLED_AFTER_MS = 2_000;

/** The journal keeps a command from being decided or confirmed. Its message may be shown to the caller, who may try again. */
export class JournalRefusal extends StoreError {}

/** What the refused command is told, which was not decided. */
export function stalledRefusal(): JournalRefusal {
  return new JournalRefusal(
    `The journal does not answer (a write takes longer than ${STALLED_AFTER_MS / 1000} s), so nothing was changed; try again`,
  );
}

/** It is in the write that does not return. */
export function unknownOutcome(): JournalRefusal {
  return new JournalRefusal(
    `The journal does not answer (a write takes longer than ${STALLED_AFTER_MS / 1000} s); whether this takes effect is not known yet, so repeat it`,
  );
}

export function tooManyWaiting(): JournalRefusal {
  return new JournalRefusal(
    `${MAX_WAITING} reports and commands are waiting for the journal already, so nothing was changed; try again`,
  );
}

export function tooManyUnrecorded(): JournalRefusal {
  return new JournalRefusal(
    `The journal cannot be written, and ${MAX_UNRECORDED} actions wait to be recorded already, so nothing was changed; repair the disk and try again`,
  );
}

/**
 * True when a command of the write that does not return may be refused as `unknownOutcome`, because whoever asked asks
 * again, and it does no harm when both take effect: reports, and what the daemon itself asks. People's commands wait.
 */
export function isRepeatable(command: Command): boolean {
  switch (command.type) {
    case 'event':
    case 'expire':
    case 'confirm-ended':
      return true;
    default:
      return command.actor.kind === 'system';
  }
}
