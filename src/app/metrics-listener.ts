/** `observability.metrics_listen`: /metrics alone, without authentication, for a scraper on a network of its own. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';

/** Starts it. Rejects with the system's error when it cannot bind. */
export async function listenForScrapes(
  address: { readonly host: string; readonly port: number },
  metrics: () => Promise<{ readonly contentType: string; readonly body: string }>,
): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end('only GET /metrics is here\n');
      return;
    }
    metrics().then(
      ({ contentType, body }) => response.writeHead(200, { 'content-type': contentType }).end(body),
      (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
    );
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}
