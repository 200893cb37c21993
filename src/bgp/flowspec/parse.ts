/**
 * Reads rules in operator notation (docs/notation.md), the inverse of text.ts. What is read can be encoded; whether it
 * makes sense on the network is for `findImpossible` and the guardrails to say.
 */
import { encodeActions, encodeReceivedActions } from './actions.ts';
import { FlowSpecError } from './errors.ts';
import { failure, type NotationError, NotationFailure, TokenReader } from './lexer.ts';
import { encodeFlowSpec } from './nlri.ts';
import { parseActions } from './parse-actions.ts';
import { parseMatch } from './parse-match.ts';
import type { Action, FlowSpec } from './types.ts';

/** A rule with its actions (none for `accept` and when there is no `then`), or what is wrong and where. */
export type ParsedRule =
  | { readonly ok: true; readonly spec: FlowSpec; readonly actions: readonly Action[] }
  | { readonly ok: false; readonly error: NotationError };

/** Texts longer than the longest rule would be are not read. */
const MAX_TEXT = 100_000;

/**
 * Reads `match ... then ...`; `then` and what follows may be left out. `ours` is a rule to announce. `received` is one
 * that a router may have sent: its actions may contradict each other, and a redirect to the next hop needs no address. Never throws.
 */
export function parseRule(text: string, origin: 'ours' | 'received' = 'ours'): ParsedRule {
  if (text.length > MAX_TEXT) {
    const expected = `at most ${MAX_TEXT} characters`;
    return {
      ok: false,
      error: { message: 'the text is too long for a rule', offset: 0, length: text.length, expected },
    };
  }
  try {
    const reader = new TokenReader(text);
    if (!reader.takeIf('match')) throw failure(reader.peek(), 'match', ['match']);
    const spec = parseMatch(reader);
    const actions = reader.takeIf('then') ? parseActions(reader) : [];
    encodeFlowSpec(spec);
    if (origin === 'ours') encodeActions(actions);
    else encodeReceivedActions(actions);
    return { ok: true, spec, actions };
  } catch (error) {
    if (error instanceof NotationFailure) return { ok: false, error: error.error };
    if (!(error instanceof FlowSpecError)) throw error;
    const expected = 'a rule that can be encoded';
    return { ok: false, error: { message: error.message, offset: 0, length: text.length, expected } };
  }
}

/** The error in two lines under the text, with the word marked, for a terminal. */
export function pointAt(text: string, error: NotationError): string {
  const from = Math.max(0, error.offset - 60);
  const shown = text.slice(from, error.offset + Math.max(error.length, 1) + 20).replaceAll(/\s/g, ' ');
  const marks = '^'.repeat(Math.max(1, Math.min(error.length, 80)));
  return `${shown}\n${' '.repeat(error.offset - from)}${marks} ${error.message}`;
}
