/** The events that detectors report in the bench, and ways to hand many of them in. */
import { RULE_PORT, victimOf } from '../rules.ts';
import { HttpConnection, post } from './http-connection.ts';

/** Events in one batch; some 150 KB of JSON. */
const BATCH = 1000;

/** An event about victim `n`, as its JSON. What it leads to is rule `n` of rules.ts. */
export function eventJson(n: number, action: 'ban' | 'unban' = 'ban'): string {
  return JSON.stringify({
    source: 'bench',
    action,
    victim_ip: victimOf(n),
    vector: 'udp_flood',
    bps: 4_200_000_000,
    pps: 900_000,
    confidence: 0.9,
    top_dst_ports: [RULE_PORT],
  });
}

export function eventRequest(n: number): Buffer {
  return post('/v1/events', eventJson(n));
}

export function unbanRequest(n: number): Buffer {
  return post('/v1/events', eventJson(n, 'unban'));
}

export function batchRequest(from: number, count: number): Buffer {
  const events = Array.from({ length: count }, (_, i) => eventJson(from + i));
  return post('/v1/events/batch', `[${events.join(',')}]`);
}

/** Makes victims `from` .. `from + count - 1` have a mitigation each. */
export async function load(
  http: { readonly host: string; readonly port: number },
  from: number,
  count: number,
): Promise<void> {
  const connection = await HttpConnection.open(http.host, http.port);
  for (let at = from; at < from + count; at += BATCH) {
    const status = await connection.send(batchRequest(at, Math.min(BATCH, from + count - at)));
    if (status !== 207) throw new Error(`a batch of events was answered with ${status}`);
  }
  connection.close();
}

/** Connections that warm a daemon up. */
const WARMERS = 10;

/**
 * Reports `pairs` victims from `from` on and takes each back, so that a daemon that was started a moment ago runs as one
 * does that was started yesterday: what runs often has been compiled. Nothing is left standing.
 */
export async function warmUp(
  http: { readonly host: string; readonly port: number },
  from: number,
  pairs: number,
): Promise<void> {
  const each = Math.ceil(pairs / WARMERS);
  await Promise.all(
    Array.from({ length: WARMERS }, async (_, warmer) => {
      const connection = await HttpConnection.open(http.host, http.port);
      for (let n = from + warmer * each; n < from + (warmer + 1) * each; n++) {
        await connection.send(eventRequest(n));
        await connection.send(unbanRequest(n));
      }
      connection.close();
    }),
  );
}
