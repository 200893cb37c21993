/**
 * The whole daemon with a small heap, while a detector sends megabytes with each report, accepted or refused, in every
 * detector's own form. It must survive, answer, and keep its heap bounded.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../support/children.ts';
import { Prefixd } from '../support/prefixd.ts';

/** MiB. The daemon from its sources, including the compiler that loads them, takes about 60 of it. */
const HEAP = 160;

const SETTINGS = `bgp:
  mode: mock
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors: [{ name: edge1, address: "192.0.2.1", peer_asn: 65001 }]
observability: { log_level: error }
`;
const INVENTORY = `customers:
  - customer_id: acme
    prefixes: ["203.0.113.0/24"]
`;
const PLAYBOOKS = `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 5000000, ttl_seconds: 120 }]
`;
const RATE = ['  rate_limit: { events_per_second: 100000, burst: 100000 }'];

const MEBIBYTE = 1024 * 1024;
const PADDING = 'x'.repeat(MEBIBYTE - 2048);
const WIDE = '中'.repeat((MEBIBYTE - 2048) / 3);
const OBJECTS = `[${Array(40_000).fill('{}').join(',')}]`;

describe(`the daemon with a heap of ${HEAP} MiB`, () => {
  let prefixd: Prefixd;
  before(async () => {
    const files = { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS };
    prefixd = await Prefixd.start(SETTINGS, files, RATE, `--max-old-space-size=${HEAP}`);
  });
  after(() => prefixd.end());

  /**
   * Sends requests, a few at once, and returns counts of the answers by status. Repeats those that a busy daemon
   * refuses (503), as detectors do.
   */
  async function send(
    path: string,
    count: number,
    body: (i: number) => string,
    type = 'application/json',
  ): Promise<ReadonlyMap<number, number>> {
    const statuses = new Map<number, number>();
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) {
        const text = body(next++);
        const status = await until('an answer other than 503', async () => {
          const response = await fetch(prefixd.base + path, {
            method: 'POST',
            headers: {
              authorization: `Bearer ${prefixd.clientEnvironment.PREFIXD_API_TOKEN}`,
              'content-type': type,
            },
            body: text,
          });
          await response.arrayBuffer();
          return response.status === 503 ? undefined : response.status;
        });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    return statuses;
  }

  const event = (i: number, victim: string, details: string): string =>
    `{"source":"d","event_id":"e${i}-${victim}-${details.length}","victim_ip":"${victim}","vector":"udp_flood","confidence":0.9,"raw_details":${details}}`;

  it('takes megabytes beside reports that are accepted, and beside such that are refused', async () => {
    const accepted = await send('/v1/events', 30, (i) =>
      event(i, '203.0.113.1', `{"dump":"${i}${PADDING}"}`),
    );
    assert.equal(accepted.get(202), 30);
    const refused = await send('/v1/events', 30, (i) => event(i, '198.51.100.1', `{"dump":"${i}${WIDE}"}`));
    assert.equal(refused.get(422), 30);
    const unreadable = await send(
      '/v1/events/batch',
      15,
      (i) => `[{"vector":"udp_flood","victim_ip":"${i}${PADDING}"}]`,
    );
    assert.equal(unreadable.get(207), 15);
  });

  it('takes details of tens of thousands of small objects, and of twice the memory that their JSON has', async () => {
    const objects = await send('/v1/events', 30, (i) => event(i, '203.0.113.2', OBJECTS));
    assert.equal(objects.get(202), 30);
    const small = `[${Array(700).fill('{}').join(',')}]`;
    const many = await send('/v1/events', 600, (i) => event(i, '203.0.113.2', small));
    assert.equal(many.get(202), 600);
  });

  it('takes megabytes of FastNetMon, in its three forms', async () => {
    const text = (i: number): string =>
      `IP: 203.0.113.3\nAttack type: memcached_amplification ${i}\n${PADDING}`;
    const asText = await send(
      '/v1/signals/fastnetmon?ip=203.0.113.3&direction=incoming&pps=1000&action=ban',
      20,
      text,
      'text/plain',
    );
    const form = (i: number): string =>
      `ip=203.0.113.3&direction=incoming_by_some_name&pps=1000&action=ban&details=${i}${PADDING}`;
    const asForm = await send('/v1/signals/fastnetmon', 20, form, 'application/x-www-form-urlencoded');
    const json = (i: number): string =>
      JSON.stringify({
        ip: '203.0.113.3',
        action: 'ban',
        attack_details: {
          attack_uuid: `uuid-of-the-attack-${i}`,
          attack_type: 'udp_flood',
          host_group: PADDING,
        },
        packet_dump: [PADDING, PADDING],
      });
    const asJson = await send('/v1/signals/fastnetmon', 12, json);
    for (const statuses of [asText, asForm, asJson])
      assert.equal(
        statuses.get(202),
        [...statuses.values()].reduce((a, b) => a + b),
      );
  });

  it('takes megabytes of labels and annotations of Alertmanager and Grafana', async () => {
    const message = (more: object) => (i: number) =>
      JSON.stringify({
        ...more,
        status: 'firing',
        alerts: [
          {
            status: 'firing',
            labels: { victim_ip: '203.0.113.4', vector: 'udp_flood', [`label_${i}`]: PADDING },
            annotations: { summary: PADDING },
            valueString: PADDING,
          },
        ],
      });
    const alertmanager = await send('/v1/signals/alertmanager', 15, message({ version: '4' }));
    const grafana = await send('/v1/signals/alertmanager', 15, message({ orgId: 1, title: PADDING }));
    for (const statuses of [alertmanager, grafana]) assert.equal(statuses.get(207), 15);
  });

  it('is alive, remembers every event, and has its heap bounded', async () => {
    assert.equal(prefixd.hasEnded, false, prefixd.log());
    // Reads are refused while the event loop is late.
    const list = await until('the events are listed', async () => {
      const { status, body } = await prefixd.call('GET', '/v1/events?limit=1000');
      return status === 200 && body.events;
    });
    assert.ok(Array.isArray(list) && list.length >= 600);
    const scraped = await fetch(`${prefixd.base}/metrics`, {
      headers: { authorization: `Bearer ${prefixd.clientEnvironment.PREFIXD_API_TOKEN}` },
    });
    const used = /^nodejs_heap_size_used_bytes (\S+)/m.exec(await scraped.text())?.[1];
    assert.ok(Number(used) < HEAP * MEBIBYTE, `${used} bytes of heap are used`);
  });
});
