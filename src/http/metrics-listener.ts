/** A listener of its own for `/metrics` alone, without credentials (`observability.metrics_listen`). */
import { createServer } from 'node:http';
import type { BoundAddress, HttpLogger } from './dependencies.ts';
import { answerUnreadable } from './listener.ts';
import { PROBLEM_TYPE, problemBody } from './problem.ts';

export interface MetricsListener {
  /** Rejects with the system's error when it cannot bind. Port 0 takes any free port. */
  listen(address: BoundAddress): Promise<BoundAddress>;
  close(): Promise<void>;
}

/** Makes the listener; it does not listen yet. */
export function createMetricsListener(
  metrics: () => Promise<{ readonly contentType: string; readonly body: string }>,
  logger: HttpLogger,
): MetricsListener {
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000 },
    async (request, response) => {
      const answer = (status: number, contentType: string, body: string) => {
        response.writeHead(status, {
          'content-type': contentType,
          'content-length': Buffer.byteLength(body),
        });
        response.end(request.method === 'HEAD' ? undefined : body);
      };
      const problem = (status: number, detail: string) =>
        answer(status, PROBLEM_TYPE, JSON.stringify(problemBody(status, detail)));
      if (request.url?.split('?', 1)[0] !== '/metrics') return problem(404, 'There is only /metrics here');
      if (request.method !== 'GET' && request.method !== 'HEAD') return problem(405, 'This path answers GET');
      try {
        const { contentType, body } = await metrics();
        answer(200, contentType, body);
      } catch (error) {
        logger.error({ err: error }, 'metrics could not be read');
        problem(500, 'The metrics could not be read; the log says why');
      }
    },
  );
  server.on('clientError', answerUnreadable);
  server.maxConnections = 64;

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port }, () => {
          server.off('error', reject);
          const address = server.address();
          if (address === null || typeof address === 'string') reject(new TypeError('not on a TCP port'));
          else resolve({ host: address.address, port: address.port });
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
