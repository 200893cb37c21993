/** Decides what becomes of another POP's mitigation here. */
import type { Command, DecideContext, Decision } from '../commands.ts';
import type { DecisionView } from '../state/state-view.ts';

type ImportCommand = Extract<Command, { type: 'import' }>;

export function decideImport(
  _state: DecisionView,
  { intent }: ImportCommand,
  _context: DecideContext,
): Decision {
  const answer = { type: 'import', outcome: 'ignored', refusal: undefined, detail: intent.id } as const;
  return { facts: [], answer };
}
