/** Many connections that each ask again as soon as they are answered. */
import { HttpConnection } from './http-connection.ts';

export interface Hammered {
  readonly requests: number;
  readonly seconds: number;
}

/** Asks for `ms` milliseconds; throws at an answer that is not `expected`. */
export async function hammer(
  target: { readonly host: string; readonly port: number },
  connections: number,
  ms: number,
  expected: number,
  next: () => Buffer,
): Promise<Hammered> {
  const open = await Promise.all(
    Array.from({ length: connections }, () => HttpConnection.open(target.host, target.port)),
  );
  let requests = 0;
  const from = performance.now();
  const until = from + ms;
  await Promise.all(
    open.map(async (connection) => {
      while (performance.now() < until) {
        const status = await connection.send(next());
        if (status !== expected) throw new Error(`answered with ${status} instead of ${expected}`);
        requests++;
      }
    }),
  );
  const seconds = (performance.now() - from) / 1000;
  for (const connection of open) connection.close();
  return { requests, seconds };
}
