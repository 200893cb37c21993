/**
 * Decides safelist requests that concern several POPs. Each addition has a tag, and a removal names the tags it has
 * seen: whatever order they arrive in, an addition that nobody has seen and removed stays.
 */
import { formatPrefix } from '../../net/prefix.ts';
import type { Command, DecideContext, Decision } from '../commands.ts';
import { compareVersions } from '../intent.ts';
import { entryWithout } from '../state/safelist-entries.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { IntentVersion, SafelistEntry } from '../types.ts';

/** Returns the decision about an addition that has already taken effect, or was removed again; else undefined. */
export function knownAddition(state: DecisionView, prefix: string, tag: IntentVersion): Decision | undefined {
  if (state.isTagRemoved(prefix, tag)) {
    const detail = `${prefix} was removed from the safelist again before the request to add it arrived`;
    return { facts: [], answer: { type: 'conflict', detail } };
  }
  const entry = state.safelist.get(prefix);
  const isKnown = entry?.tags?.some((one) => one.pop === tag.pop && compareVersions(one, tag) === 0) === true;
  if (entry === undefined || !isKnown) return undefined;
  return { facts: [], answer: { type: 'safelist', entry, withdrawn: [] } };
}

/** Removes the additions that another POP names. What was added here, or elsewhere meanwhile, stays. */
export function decideTagRemoval(
  state: DecisionView,
  { prefix, actor }: Extract<Command, { type: 'safelist-remove' }>,
  tags: readonly IntentVersion[],
  { policy }: Pick<DecideContext, 'policy'>,
): Decision {
  const entry = state.safelist.get(prefix);
  const fresh = tags.filter((tag) => !state.isTagRemoved(prefix, tag));
  const left = entry === undefined ? undefined : entryWithout(entry, tags);
  const isConfigured = policy.safelist.some((one) => formatPrefix(one) === prefix);
  return {
    facts: fresh.length === 0 ? [] : [{ type: 'safelist.removed', prefix, actor, tags: fresh }],
    answer:
      left === undefined && !isConfigured
        ? { type: 'done', affected: entry === undefined ? [] : [prefix] }
        : { type: 'conflict', detail: stayingWords(prefix, left) },
  };
}

function stayingWords(prefix: string, left: SafelistEntry | undefined): string {
  const why =
    left === undefined ? 'it is in the configuration file' : `${left.addedBy.name} added it: ${left.reason}`;
  return `${prefix} stays on the safelist here: ${why}`;
}
