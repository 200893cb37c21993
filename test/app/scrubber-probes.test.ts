import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { type AskProbe, askByHttp, ScrubberProbes } from '../../src/app/scrubber-probes.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { type HealthProbe, NO_TARGETS } from '../../src/core/policy/scrubbers.ts';
import { Disk } from '../control/disk.ts';
import { FakeTime, idle } from '../control/fake-time.ts';
import { OPERATOR, POLICY } from '../control/support.ts';

const PROBE: HealthProbe = {
  url: 'http://192.0.2.9/health',
  intervalSeconds: 10,
  timeoutSeconds: 1,
  failures: 3,
  successes: 2,
};

function policyWith(probe: HealthProbe | undefined): Policy {
  const fra = { name: 'fra', redirect: {}, maxDiverted: 9, ...(probe === undefined ? {} : { probe }) };
  return { ...POLICY, targets: { ...NO_TARGETS, scrubbers: new Map([['fra', fra]]) } };
}

/** An engine whose scrubber fra answers as `answer` says; `step` lets the next probe happen. */
async function house(probe: HealthProbe | undefined = PROBE) {
  const time = new FakeTime();
  const store = new Disk();
  const { engine } = await openEngine({
    store,
    policy: policyWith(probe),
    clock: () => time.now,
    newId: () => '00000000-0000-4000-8000-000000000001',
    snapshotEvery: 0,
  });
  const at = { answer: undefined as string | undefined, asked: [] as string[] };
  const ask: AskProbe = ({ url }) => {
    at.asked.push(url);
    return Promise.resolve(at.answer);
  };
  const probes = new ScrubberProbes({ engine, timers: time, ask });
  await idle();
  const step = async (times = 1): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await time.advance(10_000);
      await idle();
    }
  };
  const isDown = (): boolean => engine.state.downScrubbers.has('fra');
  return { engine, store, at, probes, step, isDown };
}

describe('health probes', () => {
  test('report a failure after so many in a row, and the recovery after so many answers', async () => {
    const { at, step, isDown, engine } = await house();
    at.answer = 'no answer within 1 s';
    await step(2);
    at.answer = undefined;
    await step();
    at.answer = 'no answer within 1 s';
    await step(2);
    assert.equal(isDown(), false, 'one answer between them begins the count again');
    await step();
    assert.equal(engine.state.downScrubbers.get('fra')?.reason, 'no answer within 1 s');
    at.answer = undefined;
    await step();
    assert.equal(isDown(), true);
    await step();
    assert.equal(isDown(), false);
  });

  test('report again what could not be recorded', async () => {
    const { at, step, isDown, store } = await house();
    at.answer = 'connection refused';
    store.how = 'full';
    await step(4);
    assert.equal(isDown(), false);
    store.how = 'works';
    await step();
    assert.equal(isDown(), true);
  });

  test('follow a new configuration, and end when they are stopped', async () => {
    const { at, step, engine, probes } = await house();
    const adopt = async (probe: HealthProbe | undefined): Promise<void> => {
      await engine.adopt(policyWith(probe), { type: 'policy-loaded', actor: OPERATOR, summary: 'reload' });
      await idle();
    };
    await adopt({ ...PROBE, url: 'http://192.0.2.9/other' });
    await step();
    assert.deepEqual(at.asked, [PROBE.url, 'http://192.0.2.9/other', 'http://192.0.2.9/other']);
    await adopt(undefined);
    await step(3);
    assert.equal(at.asked.length, 3);
    await adopt(PROBE);
    probes.stop();
    await step(3);
    assert.equal(at.asked.length, 4);
  });
});

describe('an HTTP probe', () => {
  const serve = async (answer: Parameters<typeof createServer>[1]): Promise<[Server, HealthProbe]> => {
    const server = createServer(answer ?? (() => undefined));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return [server, { ...PROBE, url: `http://127.0.0.1:${port}/` }];
  };
  const signal = new AbortController().signal;

  test('takes any status of 200 to 299 for healthy, and follows no redirect', async () => {
    let status = 204;
    const [server, probe] = await serve((_, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    assert.equal(await askByHttp(probe, signal), undefined);
    status = 302;
    assert.equal(await askByHttp(probe, signal), 'it answers with status 302');
    status = 503;
    assert.equal(await askByHttp(probe, signal), 'it answers with status 503');
    server.close();
    await once(server, 'close');
    assert.match((await askByHttp(probe, signal)) ?? '', /ECONNREFUSED/);
  });

  test('waits no longer than its timeout', async () => {
    const [server, probe] = await serve(() => undefined);
    assert.equal(await askByHttp(probe, signal), 'no answer within 1 s');
    server.closeAllConnections();
    server.close();
  });
});
