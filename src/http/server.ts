/** The HTTP server: its life from binding to the last answer. */
import { buildApi } from './api.ts';
import type { BoundAddress, HttpDependencies, HttpServer, TlsSettings } from './dependencies.ts';
import { loadTls, replaceTls } from './listener.ts';
import { type Overload, watchOverload } from './overload.ts';

/** How long answers under way may take once the server closes (ms). */
const DRAIN_MS = 10_000;

/** Makes the server; it does not listen yet. Rejects when certificates cannot be read or used. */
export async function createServer(deps: HttpDependencies): Promise<HttpServer> {
  const tls = deps.tls === null ? null : await loadTls(deps.tls);
  // From the moment it listens: what it costs to put the routes together is no overload.
  let overload: Overload | null = null;
  const { app, feed, connections } = await buildApi(deps, tls, {
    shedsReads: () => overload?.shedsReads() ?? false,
    stop: () => overload?.stop(),
  });
  let bound: BoundAddress | null = null;

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
      overload ??= (deps.watchOverload ?? watchOverload)();
      const address = app.server.address();
      if (address === null || typeof address === 'string')
        throw new TypeError('the server is not on a TCP port');
      bound = { host: address.address, port: address.port };
      return bound;
    },
    async reloadTls(settings: TlsSettings) {
      replaceTls(app.server, await loadTls(settings));
    },
    async close(drainMs = DRAIN_MS) {
      overload?.stop();
      feed.close();
      const closed = app.close();
      connections.endUnused();
      const cut = setTimeout(() => connections.close(), drainMs);
      try {
        await closed;
      } finally {
        clearTimeout(cut);
        connections.close();
        bound = null;
      }
    },
  };
}
