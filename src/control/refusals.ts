/**
 * The engine's limits for a slow journal, and the errors with which it refuses commands because of it. Callers may see
 * the texts.
 */
import type { Command } from '../core/commands.ts';
import { StoreError } from '../store/store.ts';

/** Limit of waiting commands; more are refused. */
export const MAX_WAITING = 20_000;
/** Limit of operators' actions that are in effect but not recorded; more are refused. */
export const MAX_UNRECORDED = 1_000;
/** Wait before recording is tried again (ms). */
export const RETRY_MS = 1_000;
/** A journal write that takes longer than this has stalled; work that needs no disk then continues without it (ms). */
export const STALLED_AFTER_MS = 2_000;

/**
 * Thrown if the journal prevents a command from being decided or confirmed. Its message may be shown to the caller, who
 * may try again.
 */
export class JournalRefusal extends StoreError {}

/** The error for a refused command that was not decided. */
export function stalledRefusal(): JournalRefusal {
  return new JournalRefusal(
    `The journal is stalled (a write takes longer than ${STALLED_AFTER_MS / 1000} s), so nothing was changed; try again`,
  );
}

/** The error for a command that is in the stalled write. */
export function unknownOutcome(): JournalRefusal {
  return new JournalRefusal(
    `The journal is stalled (a write takes longer than ${STALLED_AFTER_MS / 1000} s); whether this takes effect is not known yet, so repeat it`,
  );
}

export function tooManyWaiting(): JournalRefusal {
  return new JournalRefusal(
    `${MAX_WAITING} reports and commands are already waiting for the journal, so nothing was changed; try again`,
  );
}

export function tooManyUnrecorded(): JournalRefusal {
  return new JournalRefusal(
    `The journal cannot be written, and ${MAX_UNRECORDED} actions are already waiting to be recorded, so nothing was changed; repair the disk and try again`,
  );
}

/**
 * Returns true if a command in the stalled write may be refused as `unknownOutcome`: its sender repeats it, and a
 * second one does no harm. That holds for reports and for the daemon's own commands. People's commands wait.
 */
export function isRepeatable(command: Command): boolean {
  switch (command.type) {
    case 'event':
    case 'import':
    case 'expire':
    case 'confirm-ended':
      return true;
    default:
      return command.actor.kind === 'system';
  }
}
