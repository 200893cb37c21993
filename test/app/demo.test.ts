import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { request } from 'undici';
import { type DemoOptions, runDemo } from '../../src/app/demo.ts';
import { cli } from '../cli/harness.ts';
import { start, until } from '../support/children.ts';
import { PREFIXD } from '../support/program.ts';
import { undo } from '../support/undo.ts';
import { folder } from '../config/folder.ts';

const ANY_PORT = '127.0.0.1:0';

/** Runs the demo to the end of its output; calls `atEnd` before it is stopped. */
async function story(
  options: Partial<DemoOptions> = {},
  atEnd: (lines: readonly string[]) => Promise<void> = async () => undefined,
): Promise<readonly string[]> {
  const lines: string[] = [];
  const stop = new AbortController();
  const told = new Promise<void>((resolve) => {
    void runDemo({
      print: (line) => {
        lines.push(line);
        if (line.includes('Ctrl-C ends the demo')) {
          void atEnd(lines).finally(() => stop.abort());
        }
      },
      listen: ANY_PORT,
      router: ANY_PORT,
      pauseMs: 1,
      signal: stop.signal,
      ...options,
    }).then((code) => {
      lines.push(`exit ${code}`);
      resolve();
    });
  });
  await told;
  return lines;
}

const apiOf = (lines: readonly string[]): string =>
  /http:\/\/127\.0\.0\.1:\d+/.exec(lines.join('\n'))?.[0] ?? '';

/** Returns the demo's output without ids and ports, which differ in each run. */
const plain = (lines: readonly string[]): readonly string[] =>
  lines.map((line) =>
    line.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID').replace(/127\.0\.0\.1:\d+/g, 'HOST:PORT'),
  );

async function takenPort(t: TestContext): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  t.after(() => taken.close());
  const address = taken.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

/** Lists the demo's folders in a folder for temporary files. */
async function demoFolders(place: string): Promise<readonly string[]> {
  return (await readdir(place)).filter((name) => name.startsWith('prefixd-demo-'));
}

describe('the demo', () => {
  it('replays attacks until rules stand in its router, and ends cleanly', async () => {
    const lines = await story();
    const text = lines.join('\n');
    for (const expected of [
      /dashboard {2}http:\/\/127\.0\.0\.1:\d+\//,
      /lab router received: match dst 203\.0\.113\.10\/32 proto udp dst-port <53,>53 then rate-limit 5mbps/,
      /lab router received: match dst 203\.0\.113\.77\/32 proto udp src-port 123 .*then discard/,
      /lab router received: match dst 2001:db8:acd::20\/128 proto tcp dst-port <80,>80&<443,>443/,
      /422 .*\(not_in_inventory\)/,
    ]) {
      assert.match(text, expected);
    }
    assert.equal(lines.at(-1), 'exit 0');
  });

  it('says what to try next in commands that work as they are printed', async () => {
    const tried: string[] = [];
    await story({ program: 'prefixd' }, async (lines) => {
      for (const line of lines.filter((one) => one.startsWith('  prefixd --api '))) {
        const words = [...line.trim().matchAll(/"([^"]*)"|(\S+)/g)].map(
          ([, quoted, word]) => quoted ?? word ?? '',
        );
        const { code, stderr } = await cli(words.slice(1));
        assert.equal(code, 0, `${line}: ${stderr}`);
        tried.push(words.slice(3, 5).join(' '));
      }
    });
    assert.match(tried.join(), /^status,mitigations get,withdraw [0-9a-f-]{36}$/);
  });

  it('names no npx', async () => {
    assert.doesNotMatch((await story()).join('\n'), /npx/);
  });

  it('leaves nothing behind, whichever signal ends it', async (t) => {
    const endBy = async (signal: NodeJS.Signals): Promise<void> => {
      const place = await folder(t, {});
      const [program, ...words] = PREFIXD;
      const running = start(program, [...words, 'demo', '--listen', ANY_PORT, '--router', ANY_PORT], {
        env: { TMPDIR: place },
      });
      undo(t, () => running.stop('SIGKILL'));
      await until('the session is established', () =>
        running.log().includes('session with lab is established'),
      );
      assert.equal((await demoFolders(place)).length, 1, running.log());
      await running.stop(signal);
      assert.deepEqual(await demoFolders(place), [], signal);
      assert.match(running.log(), /Stopping: every session is closed and the journal is flushed\./);
    };
    await Promise.all([endBy('SIGINT'), endBy('SIGTERM'), endBy('SIGHUP')]);
  });

  it('tells the same story twice, whatever an earlier run has left in its folder', async (t) => {
    const data = join(await folder(t, {}), 'data');
    const post = async (api: string, path: string, body: object): Promise<void> => {
      const { statusCode } = await request(`${api}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ operator_id: 'ana', reason: 'test', ...body }),
      });
      assert.ok(statusCode < 300, path);
    };
    const first = await story({ data }, async (lines) => {
      await post(apiOf(lines), '/v1/safelist', { prefix: '203.0.113.77/32' });
      await post(apiOf(lines), '/v1/control/pause', {});
      await post(apiOf(lines), '/v1/peers/lab/disable', {});
    });
    const second = await story({ data });
    const untilEnd = (lines: readonly string[]): readonly string[] => {
      const all = plain(lines);
      return all.slice(0, all.findIndex((line) => line.includes('Ctrl-C ends the demo')) + 1);
    };
    assert.ok(untilEnd(first).length > 20);
    assert.deepEqual(untilEnd(second), untilEnd(first));
    const files = await readdir(data);
    assert.ok(
      files.some((name) => name.startsWith('journal-')),
      'and its journal is kept',
    );
  });

  it('does not touch a folder with data that are not its own', async (t) => {
    const data = await folder(t, { 'journal-000000000001.jsonl': 'mine' });
    const lines = await story({ data });
    assert.match(
      lines.join('\n'),
      /^error: .* contains files that are not the demo's: choose a new or empty folder\nexit 1$/,
    );
    assert.equal(await readFile(join(data, 'journal-000000000001.jsonl'), 'utf8'), 'mine');
  });

  it('says in one line that a port is in use, and how to take another', async (t) => {
    const port = await takenPort(t);
    const at = `127.0.0.1:${port}`;
    const data = await folder(t, {});
    assert.deepEqual(await story({ listen: at, data }), [
      `error: ${at} is in use: stop the program that listens there, or add --listen 127.0.0.1:8081`,
      'exit 1',
    ]);
    assert.deepEqual(await story({ router: at, data }), [
      `error: ${at} is in use: stop the program that listens there, or add --router 127.0.0.1:1791`,
      'exit 1',
    ]);
  });

  it('listens on loopback only, because it has no authentication', async () => {
    assert.match(
      (await story({ listen: '0.0.0.0:8080' })).join(),
      /^error: --listen 0\.0\.0\.0:8080 is not on loopback/,
    );
    assert.match(
      (await story({ listen: '8080' })).join(),
      /^error: --listen "8080" is not an address and a port/,
    );
  });

  it('says in one line that its folder cannot be made', async (t) => {
    const place = await folder(t, {});
    await writeFile(join(place, 'file'), '');
    const [line, code] = await story({ data: join(place, 'file', 'data') });
    assert.match(line ?? '', /^error: cannot create \S+: /);
    assert.equal(code, 'exit 1');
  });
});
