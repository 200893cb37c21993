import assert from 'node:assert/strict';
import { it } from 'node:test';
import { refuse } from '../../../src/bgp/speaker/reject-unknown.ts';
import { MemoryConnection } from './memory-connection.ts';

it('a connection that nobody wants gets Cease, Connection Rejected (RFC 4486 §4), and is closed', async () => {
  const connection = new MemoryConnection();
  let gone = false;
  const refused = refuse(connection).then(() => {
    gone = true;
  });
  // Type 3 (NOTIFICATION), code 6, subcode 5, no data.
  assert.deepEqual(connection.history, ['write 030605', 'close']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(gone, false);
  connection.vanish();
  await refused;
});

it('what such a connection still sends is read and forgotten', () => {
  const connection = new MemoryConnection();
  void refuse(connection);
  connection.user?.onData(Uint8Array.of(1, 2, 3));
  connection.user?.onClose('peer closed the connection');
  assert.deepEqual(connection.history, ['write 030605', 'close']);
  connection.vanish();
});
