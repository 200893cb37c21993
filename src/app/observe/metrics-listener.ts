/**
 * Serves only /metrics at `observability.metrics_listen`, without authentication, for a scraper on a separate network.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuseForeignPages, refuseTwoHosts } from '../../http/auth.ts';
import { ClientConnections } from '../../http/client-connections.ts';
import type { HttpLogger } from '../../http/dependencies.ts';
import { createListener, LIMITS, type ListenerLimits } from '../../http/http-listener.ts';
import { HttpProblem } from '../../http/http-problem.ts';

/** Lower limits than the API's: few scrapers connect, and rarely. */
const SCRAPE_LIMITS: ListenerLimits = {
  ...LIMITS,
  connections: 64,
  reserve: 16,
  perNetwork: 16,
  perTrustedNetwork: 32,
  request: 10_000,
  stalled: 10_000,
};

/** The running listener for scrapers. */
export interface ScrapeListener {
  /** The bound address; the actual port if port 0 was configured. */
  readonly host: string;
  readonly port: number;
  /** Takes no new connections and closes the open ones. */
  close(): void;
}

export interface ScrapeOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly logger: HttpLogger;
  readonly limits?: ListenerLimits;
}

/** Starts the listener. Rejects with the system's error if it cannot bind. */
export async function listenForScrapes(options: ScrapeOptions): Promise<ScrapeListener> {
  const { address, metrics, logger, limits = SCRAPE_LIMITS } = options;
  const server = createListener((request, response) => answer(request, response, metrics), undefined, limits);
  const connections = new ClientConnections(server, {
    limits,
    logger,
    listener: 'observability.metrics_listen',
  });
  server.on('clientError', (error, socket) => connections.unreadable(error, socket));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new TypeError('the listener is not on a TCP port');
  return {
    host: bound.address,
    port: bound.port,
    close: () => {
      server.close();
      connections.close();
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, metrics: ScrapeOptions['metrics']): void {
  try {
    refuseTwoHosts(request);
    refuseForeignPages(request, 'none');
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    response.writeHead(error.status).end(`${error.message}\n`);
    return;
  }
  if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
    response.writeHead(404).end('only GET /metrics is served here\n');
    return;
  }
  metrics().then(
    ({ contentType, body }) => response.writeHead(200, { 'content-type': contentType }).end(body),
    (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
  );
}
