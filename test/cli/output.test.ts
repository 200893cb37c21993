/** Output that cannot be written is no stack trace: a full disk is one line, a reader that went away is silence. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { PREFIXD_COMMAND } from '../support/program.ts';
import { fakeApi } from './harness.ts';

const skip = existsSync('/dev/full') ? false : 'there is no /dev/full';

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Runs a line of bash in which `prefixd` is this program; `started` is given the process. */
async function shell(t: TestContext, line: string, started?: (pid: number) => void): Promise<Ended> {
  const prefixd = `prefixd() { ${PREFIXD_COMMAND} "$@"; }`;
  const child = spawn('bash', ['-c', `set -o pipefail; ${prefixd}\n${line}`], {
    cwd: new URL('../..', import.meta.url),
    env: { PATH: process.env.PATH, USER: 'ana' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  assert.ok(pid !== undefined);
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGKILL');
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  started?.(pid);
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, stderr })));
}

/** Enough for any pipe to be full, and for one that has been read from to be closed. */
const MANY = Array.from({ length: 5_000 }, (_, i) => ({
  name: `peer${i}`,
  state: 'idle',
  event_id: `${i}`,
  victim_ip: '203.0.113.10',
  mitigation_id: `${i}`,
  action: 'safelist.added',
  target: {},
}));

const ANSWERS = (api: string) => ({
  peers: `peers --api ${api}`,
  status: `status --watch 0.1 --api ${api}`,
  events: `events --follow --api ${api}`,
  help: '--help',
});

for (const name of Object.keys(ANSWERS(''))) {
  const command = async (t: TestContext): Promise<string> => {
    const api = await fakeApi(t, ({ path }) => {
      if (path.startsWith('/v1/peers')) return { status: 200, body: MANY };
      return {
        status: 200,
        body: {
          events: MANY,
          entries: MANY,
          mitigations: path.includes('health') ? {} : MANY,
          next_cursor: null,
        },
      };
    });
    return `prefixd ${Object.entries(ANSWERS(api.url)).find(([one]) => one === name)?.[1]}`;
  };

  test(`prefixd ${name} on a full disk says so in one line and ends with 1`, { skip }, async (t) => {
    const { code, stderr } = await shell(t, `${await command(t)} > /dev/full`);
    assert.equal(
      stderr,
      'prefixd: cannot write to standard output: ENOSPC: no space left on device, write\n',
    );
    assert.equal(code, 1);
  });

  test(`prefixd ${name} is silent when its reader has seen enough`, async (t) => {
    const ended = await shell(t, `${await command(t)} | head -c 1`);
    assert.deepEqual(ended, { code: 0, signal: null, stderr: '' });
  });
}

test('an error that cannot be told is still an exit code', { skip }, async (t) => {
  assert.equal((await shell(t, 'prefixd statsu 2> /dev/full')).code, 5);
});

test('Ctrl-C ends what is followed without a word', async (t) => {
  let polled = (): void => undefined;
  const seen = new Promise<void>((resolve) => (polled = resolve));
  const api = await fakeApi(t, () => {
    polled();
    return { status: 200, body: { events: [], next_cursor: null } };
  });
  const ended = await shell(t, `prefixd events --follow --api ${api.url}`, (pid) => {
    // The terminal tells the whole group.
    void seen.then(() => process.kill(-pid, 'SIGINT'));
  });
  assert.equal(ended.stderr, '');
  assert.ok(ended.signal === 'SIGINT' || ended.code === 130, JSON.stringify(ended));
});
