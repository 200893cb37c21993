/** 100,000 prefixes and 200,000 addresses within a minute, while the event loop is never held for long. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { startDaemon } from '../../src/app/daemon.ts';
import { loadConfigApart } from '../../src/config/load-apart.ts';
import { PLAYBOOKS, SHORTEST, sound, temporaryFolder } from '../config/folder.ts';
import { until } from '../support/children.ts';
import { neverOverloaded } from '../support/overload.ts';
import { skipTurns, watchTurns } from '../support/processor-time.ts';

/**
 * Longest processor time of one turn of the event loop (ms). It is 15 to 20 ms, most of it V8's collector, which takes
 * longer on the main thread when other programs keep its helpers waiting.
 */
const MOST_MS = 30;

describe('a large NetBox', { skip: skipTurns }, () => {
  it('is read, adopted, read again and adopted with one difference', async (t) => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'large-netbox.mjs'), '2000', '100000', '200000'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const ends: (() => unknown)[] = [() => child.kill()];
    t.after(async () => {
      for (const end of ends.reverse()) await end();
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { path, remove } = await temporaryFolder({
      'prefixd.yaml': `${SHORTEST}http: { listen: "127.0.0.1:0" }
storage: { path: data }
inventory:
  source: netbox
  url: ${line.toString().trim()}
  token_env: T
  ports_field: prefixd_ports
  refresh_seconds: 86400
`.replace('bgp:', 'bgp:\n  mode: mock'),
      'playbooks.yaml': PLAYBOOKS,
    });
    ends.push(remove);
    const config = sound(await loadConfigApart(path, { T: '0123456789abcdef' }));
    const daemon = await startDaemon({
      config,
      logger: pino({ level: 'silent' }),
      watchOverload: neverOverloaded,
    });
    ends.push(() => daemon.stop());
    const turns = watchTurns();
    ends.push(() => turns.stop());
    const sizeIs = (size: number) => async () => daemon.engine.policy.inventory.size === size;
    const began = performance.now();
    await until('the inventory', sizeIs(300_000));
    const first = { seconds: (performance.now() - began) / 1000, longestMs: turns.longest() };
    t.diagnostic(`first read: ${first.seconds.toFixed(1)} s, longest turn ${first.longestMs.toFixed(1)} ms`);

    child.kill('SIGUSR2');
    const { host, port } = daemon.http;
    const answer = await fetch(`http://${host}:${port}/v1/inventory/sync`, { method: 'POST' });
    assert.equal(answer.status, 200);
    await until('the difference', sizeIs(300_001));
    const second = turns.longest();
    t.diagnostic(`second read: longest turn ${second.toFixed(1)} ms`);

    assert.ok(first.seconds < 60, `the first read took ${first.seconds} s`);
    assert.ok(first.longestMs < MOST_MS, `the event loop was held for ${first.longestMs} ms`);
    assert.ok(second < MOST_MS, `the event loop was held for ${second} ms`);
  });
});
