/** Runs the daemon in this process with one configuration, and sends one report to it. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { defaultConfig } from '../../src/config/default.ts';
import { type Daemon, startDaemon } from '../../src/app/daemon.ts';
import { neverOverloaded } from './overload.ts';
import { undo } from './undo.ts';

/** The report: a UDP flood against 203.0.113.77, which the default configuration polices at 5 Mbit/s. */
const REPORT = { source: 'test', victim_ip: '203.0.113.77', vector: 'udp_flood', confidence: 0.9 };

/** Starts it with its data in `folder` until the test ends, and sends the report, which must be taken. */
export async function reportToDaemon(t: TestContext, folder: string, bgp: object): Promise<Daemon> {
  const daemon = await startForTest(t, folder, { bgp });
  assert.equal(await post(daemon, '/v1/events', REPORT), 202);
  return daemon;
}

/**
 * Starts it with its data in `folder` until the test ends. `settings` are sections of prefixd.yaml; their `bgp` goes beside
 * AS 65010 and its router id.
 */
export async function startForTest(
  t: TestContext,
  folder: string,
  { bgp, ...settings }: { readonly bgp: object },
): Promise<Daemon> {
  const result = await defaultConfig({
    folder,
    settings: {
      ...settings,
      http: { listen: '127.0.0.1:0' },
      bgp: { local_asn: 65010, router_id: '192.0.2.10', ...bgp },
      storage: { path: 'data' },
    },
  });
  assert.ok(result.ok, JSON.stringify(result));
  const daemon = await startDaemon({
    config: result.config,
    logger: pino({ level: 'silent' }),
    watchOverload: neverOverloaded,
  });
  undo(t, () => daemon.stop());
  return daemon;
}

/** Sends a request with a JSON body; returns the status of the answer. */
export async function post(daemon: Daemon, path: string, body: object): Promise<number> {
  const { statusCode, body: answer } = await request(`http://127.0.0.1:${daemon.http.port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await answer.dump();
  return statusCode;
}
