/** Turning away a connection that nobody here wants. */
import { ceaseNotification } from '../fsm/cease.ts';
import { encodeMessage } from '../wire/message.ts';
import { CeaseSubcode } from '../wire/notification.ts';
import { INITIAL_CONTEXT } from '../wire/types.ts';
import type { Connection } from './transport.ts';

/** RFC 4486 §4: a connection that is disallowed after it was accepted gets Cease, Connection Rejected. */
const REJECTED = encodeMessage(
  ceaseNotification({ subcode: CeaseSubcode.ConnectionRejected }, false),
  INITIAL_CONTEXT,
);

/** Says why and closes. Resolves when the connection is gone. */
export function refuse(connection: Connection): Promise<void> {
  connection.use({ onData: () => undefined, onDrain: () => undefined, onClose: () => undefined });
  connection.write(REJECTED);
  return connection.close();
}
