/** Addresses and ports on loopback that no other test uses. */
import { createServer } from 'node:net';

let used = 0;

/**
 * An IPv4 loopback address of this process alone (all of 127/8 is local on Linux), so that daemons in tests that run
 * side by side can be told apart by their address, as BGP neighbors are. After 254 of them they come again.
 */
export function ownAddress(): string {
  const last = (used++ % 254) + 1;
  return `127.${20 + (process.pid % 200)}.${Math.floor(process.pid / 200) % 256}.${last}`;
}

/** Returns a TCP port that is currently free at this address. */
export async function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, address, () => {
      const bound = server.address();
      server.close(() => {
        if (bound !== null && typeof bound === 'object') resolve(bound.port);
        else reject(new Error(`no port at ${address}`));
      });
    });
  });
}
