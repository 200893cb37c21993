/** The events that detectors report in the bench, and ways to hand many of them in. */
import { RULE_PORT, victimOf } from '../rules.ts';
import { HttpConnection, post } from './http-connection.ts';

/** Events in one batch; some 150 KB of JSON. */
const BATCH = 1000;

/** An event about victim `n`, as its JSON. What it leads to is rule `n` of rules.ts. */
export function eventJson(n: number): string {
  return JSON.stringify({
    source: 'bench',
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
