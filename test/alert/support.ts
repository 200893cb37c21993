/** Provides alerts, timers and servers for tests of alerting. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Alert } from '../../src/alert/alert.ts';
import type { AlertTimers } from '../../src/alert/attempt.ts';
import type { Mitigation } from '../../src/core/types.ts';

export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

export const MITIGATION: Mitigation = {
  id: '7b0f4f3e-0000-4000-8000-000000000001',
  status: 'active',
  ending: null,
  customerId: 'acme',
  serviceId: 'dns',
  pop: 'iad1',
  victim: '203.0.113.10',
  vector: 'udp_flood',
  match: { dstPrefix: '203.0.113.10/32', protocol: 17, dstPorts: [[53, 53]], srcPorts: [] },
  ports: [53],
  excludedPorts: [],
  action: { type: 'police', rateBps: 10_500_000 },
  playbook: 'udp',
  step: 0,
  stepSince: NOW,
  createdAt: NOW,
  updatedAt: NOW,
  expiresAt: NOW + 120_000,
  endedAt: null,
  triggeringEventId: 'e1',
  lastEventId: 'e1',
  createdBy: { kind: 'detector', name: 'fnm', address: '192.0.2.7' },
  dryRun: false,
  reason: 'playbook udp',
  why: ['customer <acme> & service dns', 'playbook udp, step 0'],
};

export function alert(seq = 1, over: Partial<Alert> = {}): Alert {
  return {
    event: 'mitigation.created',
    seq,
    at: NOW,
    pop: 'iad1',
    mitigation: MITIGATION,
    subject: MITIGATION.id,
    actor: MITIGATION.createdBy,
    summary: `alert ${seq}`,
    ...over,
  };
}

/** Timers that the test fires; records the delays. */
export class FakeTimers {
  readonly due: { milliseconds: number; callback: () => void }[] = [];
  readonly delays: number[] = [];
  after = (milliseconds: number, callback: () => void): (() => void) => {
    const entry = { milliseconds, callback };
    this.delays.push(milliseconds);
    this.due.push(entry);
    return () => {
      const at = this.due.indexOf(entry);
      if (at >= 0) this.due.splice(at, 1);
    };
  };
  fire(): void {
    for (const { callback } of this.due.splice(0)) callback();
  }
}

/** Real timers, which stop with the test. */
export const realTimers: AlertTimers = {
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Starts an HTTP server on loopback that records its requests; `answer` gets the number of the request, from 1. */
export async function server(
  t: TestContext,
  answer: (response: ServerResponse, count: number) => void,
): Promise<{ readonly url: string; readonly port: number; readonly received: Received[] }> {
  const received: Received[] = [];
  const http = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => {
      body += part;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      received.push({ method, path: url, headers, body });
      answer(response, received.length);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  const { port } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, received };
}
