/** The contexts in which a session's messages are written and read: what both sides agreed on. */
import type { Agreement } from '../fsm/types.ts';
import { type CodecContext, INITIAL_CONTEXT } from '../wire/types.ts';

export class CodecContexts {
  /** The reading context with the agreement that it was made for: every message asks for it. */
  #reading: { readonly agreement: Agreement; readonly context: CodecContext } | undefined;

  /** Returns the context for writing messages; without an agreement, the one before the OPENs are exchanged. */
  write(agreement: Agreement | undefined): CodecContext {
    return agreement ?? INITIAL_CONTEXT;
  }

  /**
   * Returns the context for reading messages. RFC 8654 §4: a speaker that advertises extended messages, as `localOpen`
   * always does, "MUST be capable of receiving" them, whatever the peer advertised; sending depends on the peer's
   * capability. Before the OPENs are exchanged, no message is that long.
   */
  read(agreement: Agreement | undefined): CodecContext {
    if (agreement === undefined) return INITIAL_CONTEXT;
    if (this.#reading?.agreement !== agreement) {
      this.#reading = { agreement, context: { ...agreement, extendedMessages: true } };
    }
    return this.#reading.context;
  }
}
