/** What an operator has to confirm because it could take down all protection at once. */
import { formatPrefix, type Prefix } from '../net/prefix.ts';
import type { Answer } from './commands.ts';
import type { Mitigation } from './types.ts';

type NeedsConfirmation = Extract<Answer, { type: 'needs-confirmation' }>;

/** Prefixes shorter than these cover whole regions of the Internet. */
const SHORTEST_LENGTH = { 4: 8, 6: 16 } as const;

/**
 * The question to ask before these of `active` mitigations end: when they are more than a tenth of all and protect more than one
 * victim. Null when nobody needs to be asked. `what` says what would end them, such as "adding 203.0.113.0/24 to the safelist".
 */
export function askBeforeEnding(
  what: string,
  ended: readonly Pick<Mitigation, 'victim'>[],
  active: number,
): NeedsConfirmation | null {
  const victims = new Set(ended.map(({ victim }) => victim)).size;
  if (victims <= 1 || ended.length * 10 <= active) return null;
  return question(
    `${what} would withdraw ${ended.length} of ${active} active mitigations`,
    ended.length,
    active,
  );
}

/** The same for a safelist entry; one that covers a large part of all addresses is always asked about. */
export function askBeforeSafelisting(
  prefix: Prefix,
  ended: readonly Pick<Mitigation, 'victim'>[],
  active: number,
): NeedsConfirmation | null {
  const shortest = SHORTEST_LENGTH[prefix.family];
  const what = `adding ${formatPrefix(prefix)} to the safelist`;
  if (prefix.length >= shortest) return askBeforeEnding(what, ended, active);
  const text = `${what} would rule out mitigations for more than a /${shortest} and withdraw ${ended.length} of ${active} active mitigations`;
  return question(text, ended.length, active);
}

function question(detail: string, ends: number, active: number): NeedsConfirmation {
  return { type: 'needs-confirmation', detail, ends, active };
}
