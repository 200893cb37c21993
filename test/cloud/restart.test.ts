import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PostAnswer } from '../../src/alert/post.ts';
import { idle } from '../control/fake-time.ts';
import { CloudBench, idOf, LEDGER_FILE, settings } from './support.ts';

const ONE = '203.0.113.1/32';

const NEVER = (): Promise<Partial<PostAnswer>> => new Promise(() => undefined);

async function started(changes: ConstructorParameters<typeof CloudBench>[0] = {}): Promise<CloudBench> {
  const bench = new CloudBench(changes);
  await bench.start();
  return bench;
}

describe('after a restart', () => {
  it('what was confirmed is not requested again', async () => {
    const bench = await started();
    await bench.begin(1);
    await bench.requests.close(0);
    bench.crash();
    await bench.start();
    assert.deepEqual(bench.lines, [`POST ${ONE}`]);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
    await bench.end(1);
    await bench.time.advance(30_000);
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
  });

  it('a start whose answer is not known is repeated, with the same values', async () => {
    const bench = await started({ answer: NEVER });
    await bench.begin(1);
    bench.crash();
    bench.answer = () => Promise.resolve({});
    await bench.start();
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `POST ${ONE}`]);
    assert.equal(bench.sent[0]?.request.body, bench.sent[1]?.request.body);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
  });

  it('a mitigation of which nothing was requested is requested', async () => {
    const bench = new CloudBench();
    await bench.begin(1);
    assert.deepEqual(bench.lines, [], 'the daemon has not started yet');
    await bench.start();
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
  });

  it('protection whose mitigation has ended meanwhile is stopped', async () => {
    const bench = await started();
    await bench.begin(1);
    bench.crash();
    await bench.end(1);
    await bench.start();
    await bench.time.advance(30_000);
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
    assert.match(bench.sent[1]?.request.url ?? '', new RegExp(idOf(1)));
  });

  it('a start that may have arrived is stopped if its mitigation has ended', async () => {
    const bench = await started({ answer: NEVER });
    await bench.begin(1);
    bench.crash();
    bench.answer = () => Promise.resolve({});
    await bench.end(1);
    await bench.start();
    await bench.time.advance(30_000);
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
  });

  it('a stop is repeated, unless its prefix is under attack again: then the start is', async () => {
    for (const again of [false, true]) {
      const bench = await started();
      await bench.begin(1);
      bench.answer = NEVER;
      await bench.end(1);
      await bench.time.advance(30_000);
      bench.crash();
      bench.answer = () => Promise.resolve({});
      const match = { dstPrefix: ONE, protocol: null, dstPorts: [], srcPorts: [] };
      if (again) await bench.begin(2, { match });
      await bench.start();
      assert.deepEqual(bench.lines.slice(1), [`DELETE ${ONE}`, again ? `POST ${ONE}` : `DELETE ${ONE}`]);
      assert.deepEqual(bench.states, again ? [`${ONE} confirmed`] : []);
    }
  });

  it('nothing is left to ask once all is stopped', async () => {
    const bench = await started();
    await bench.begin(1);
    await bench.end(1);
    await bench.time.advance(30_000);
    bench.crash();
    await bench.start();
    await bench.time.advance(60_000);
    assert.equal(bench.sent.length, 2);
  });

  it('a stop without a template says so, and is sent when the template is back', async () => {
    const bench = await started();
    await bench.begin(1);
    bench.crash();
    await bench.end(1);
    bench.settings = new Map();
    bench.crash();
    await bench.start();
    await bench.time.advance(30_000);
    assert.deepEqual(bench.states, [`${ONE} failed`]);
    const [status] = bench.requests.statuses();
    assert.equal(status?.lastError, 'the configuration has no requests for scrubber cloud');
    bench.requests.adopt(new Map([['cloud', settings()]]));
    await idle();
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
  });
});

describe('the file that remembers requests', () => {
  it('is written before the first request of a prefix, and contains no secret', async () => {
    const bench = new CloudBench();
    let before: Uint8Array | undefined;
    bench.answer = async () => {
      before ??= bench.files.content.get(LEDGER_FILE);
      return {};
    };
    await bench.start();
    await bench.begin(1);
    const { version, protections } = JSON.parse(new TextDecoder().decode(before));
    assert.equal(version, 1);
    assert.deepEqual(protections, [
      {
        scrubber: 'cloud',
        prefix: ONE,
        values: {
          victim_ip: '203.0.113.1',
          prefix: ONE,
          customer_id: 'acme',
          mitigation_id: idOf(1),
          scrubber: 'cloud',
          pop: 'iad1',
          vector: 'udp_flood',
        },
        confirmed: false,
      },
    ]);
  });

  it('that is damaged is set aside: what is active is requested again, and the damage is reported', async () => {
    for (const damage of [
      '{',
      '{"version":2,"protections":[]}',
      '{"version":1,"protections":[{"scrubber":"cloud"}]}',
    ]) {
      const bench = await started();
      await bench.begin(1);
      bench.crash();
      bench.files.content.set(LEDGER_FILE, new TextEncoder().encode(damage));
      await bench.start();
      assert.deepEqual(bench.lines, [`POST ${ONE}`, `POST ${ONE}`]);
      assert.ok(bench.requests.ledgerTrouble.reading !== undefined, damage);
      const kept = bench.files.content.get(`${LEDGER_FILE}.damaged`);
      assert.equal(new TextDecoder().decode(kept), damage);
    }
  });

  it('that cannot be written delays no request, is reported, and is written later', async () => {
    const bench = await started();
    bench.files.disk = 'full';
    await bench.begin(1);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
    assert.match(bench.requests.ledgerTrouble.writing ?? '', /ENOSPC/);
    bench.files.disk = 'works';
    await bench.time.advance(5_000);
    assert.deepEqual(bench.requests.ledgerTrouble, {});
    bench.crash();
    await bench.start();
    assert.deepEqual(bench.lines, [`POST ${ONE}`], 'it was remembered');
  });

  it('whose disk hangs delays a request by two seconds', async () => {
    const bench = await started();
    bench.files.disk = 'hangs';
    await bench.begin(1);
    await bench.time.advance(1_999);
    assert.deepEqual(bench.lines, []);
    await bench.time.advance(1);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
  });

  it('holds no start that was over before it was sent', async () => {
    const bench = await started();
    bench.files.disk = 'hangs';
    await bench.begin(1);
    await bench.end(1);
    await bench.time.advance(60_000);
    assert.deepEqual([bench.lines, bench.states], [[], []]);
    assert.equal(bench.reports.at(-1)?.result, 'cancelled');
  });
});
