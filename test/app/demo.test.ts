import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runDemo } from '../../src/app/demo.ts';

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-demo-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function settings(folder: string, port = 0): Readonly<Record<string, unknown>> {
  return {
    http: { listen: `127.0.0.1:${port}` },
    storage: { path: join(folder, 'data') },
    observability: { audit_log_path: join(folder, 'audit.jsonl') },
  };
}

describe('the demo', () => {
  it('replays attacks until rules stand in its router, says what to do next, and ends cleanly', async () => {
    await inFolder(async (folder) => {
      const lines: string[] = [];
      const stop = new AbortController();
      const code = await runDemo({
        print: (line) => {
          lines.push(line);
          if (line.includes('Ctrl-C ends the demo')) setImmediate(() => stop.abort());
        },
        settings: settings(folder),
        router: { host: '127.0.0.1', port: 0 },
        pauseMs: 150,
        signal: stop.signal,
      });
      assert.equal(code, 0);
      const text = lines.join('\n');
      for (const expected of [
        /dashboard {2}http:\/\/127\.0\.0\.1:\d+\//,
        /router announced: match dst 203\.0\.113\.10\/32 proto udp dst-port <53,>53 then rate-limit 5mbps/,
        /router announced: match dst 203\.0\.113\.77\/32 proto udp src-port 123 .*then discard/,
        /router announced: match dst 2001:db8:acd::20\/128 proto tcp dst-port <80,>80&<443,>443/,
        /422 .*\(not_in_inventory\)/,
        /npx prefixd status/,
      ]) {
        assert.match(text, expected);
      }
    });
  });

  it('says in one line that its port is in use, and advises nothing that it cannot be told', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    assert.ok(address !== null && typeof address === 'object');
    await inFolder(async (folder) => {
      const lines: string[] = [];
      const code = await runDemo({
        print: (line) => lines.push(line),
        settings: settings(folder, address.port),
        router: { host: '127.0.0.1', port: 0 },
      });
      assert.equal(code, 1);
      assert.deepEqual(lines, [
        `error: 127.0.0.1:${address.port} is in use: stop what listens there, or run a configuration of your own: prefixd run --config DIR`,
      ]);
    });
    taken.close();
  });
});
