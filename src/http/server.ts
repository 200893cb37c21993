/** Runs the HTTP server from binding to the last answer. */
import type { Server } from 'node:http';
import { buildApi } from './api.ts';
import type {
  BoundAddress,
  HttpDependencies,
  HttpServer,
  StartingServer,
  TlsSettings,
} from './dependencies.ts';
import { loadTls, replaceTls } from './http-listener.ts';
import { type Overload, watchOverload } from './overload.ts';

/** Bounds the time for answers in progress once the server closes (ms). */
const DRAIN_MS = 10_000;

function closedServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Creates the server; it does not listen yet. Rejects if the certificates cannot be read or used. */
export async function createServer(deps: HttpDependencies): Promise<HttpServer> {
  const tls = deps.tls === undefined ? undefined : await loadTls(deps.tls);
  // Measured only once it listens: building the routes takes time, but is not overload.
  let overload: Overload | undefined;
  const { app, feed, connections } = await buildApi(deps, tls, {
    shedsReads: () => overload?.shedsReads() ?? false,
    shedsEvents: () => overload?.shedsEvents() ?? false,
    stop: () => overload?.stop(),
  });
  let bound: BoundAddress | undefined;
  let tookOver: StartingServer | undefined;
  const begin = (): BoundAddress => {
    overload ??= (deps.watchOverload ?? watchOverload)();
    const address = app.server.address();
    if (address === null || typeof address === 'string')
      throw new TypeError('the server is not on a TCP port');
    bound = { host: address.address, port: address.port };
    return bound;
  };

  return {
    get address() {
      return bound;
    },
    get feedReaders() {
      return feed.readers;
    },
    get connections() {
      return connections.figures;
    },
    async listen({ host, port }) {
      await app.listen({ host, port });
      return begin();
    },
    takeOver(starting) {
      starting.handOver(app.server);
      tookOver = starting;
      return begin();
    },
    async reloadTls(settings: TlsSettings) {
      replaceTls(app.server, await loadTls(settings));
    },
    async close(drainMs = DRAIN_MS) {
      overload?.stop();
      feed.close();
      // The framework closes only a server that it started itself.
      const closed = Promise.all([
        app.close(),
        ...(tookOver === undefined ? [] : [tookOver.close(), closedServer(app.server)]),
      ]);
      connections.endUnused();
      const cut = setTimeout(() => connections.close(), drainMs);
      try {
        await closed;
      } finally {
        clearTimeout(cut);
        connections.close();
        bound = undefined;
      }
    },
  };
}
