import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/config-problem.ts';
import { output, until } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';
import { undo } from '../support/undo.ts';
import { packaged, textOf } from './files.ts';
import { Detector, Listener, SCRIPT } from './notify-script.ts';

const skip = missingProgram('curl', 'curl');
const BAN = ['203.0.113.10', 'incoming', '118040', 'ban'];
const UNBAN = [...BAN.slice(0, 3), 'unban'];
const TEXT = 'IP: 203.0.113.10\nAttack type: udp_flood\nnot ascii: \u00e9 100% "quoted" \\ $HOME\n';

/** A user id that no machine gives to anybody. */
const NOBODYS_ID = 61_234;

const victim = (n: number, action = 'ban'): readonly string[] => [`203.0.113.${n}`, 'incoming', '1', action];

async function listening(t: TestContext): Promise<{ listener: Listener; detector: Detector }> {
  const listener = new Listener();
  await listener.start();
  undo(t, () => listener.stop());
  return { listener, detector: await Detector.create(t, listener.url) };
}

describe('the notify script passes on', { skip }, () => {
  it("Community's call: arguments as a query, the text as it is", async (t) => {
    const { listener, detector } = await listening(t);
    detector.settings.PREFIXD_API_TOKEN = 'tok';
    const outcome = await detector.call(t, BAN, TEXT);
    assert.equal(outcome.code, 0, outcome.stderr);
    const [message] = listener.arrived;
    assert.equal(message?.path, 'POST /v1/signals/fastnetmon');
    assert.deepEqual(message?.query, {
      ip: '203.0.113.10',
      direction: 'incoming',
      pps: '118040',
      action: 'ban',
    });
    assert.equal(message?.body, TEXT);
    assert.equal(message?.headers.authorization, 'Bearer tok');
    assert.match(String(message?.headers['content-type']), /^text\/plain/);
    assert.match(outcome.stdout, /answer 1/, 'and prints the answer');
    assert.deepEqual(await detector.kept(), []);
  });

  it("Advanced's call: action and IP, or nothing, and a document", async (t) => {
    const { listener, detector } = await listening(t);
    const json = '{"action":"partial_block","ip":"2001:db8::1"}';
    await detector.call(t, ['partial_block', '2001:db8::1'], json);
    await detector.call(t, ['ban', '203.0.113.0/24'], json);
    await detector.call(t, [], json);
    assert.deepEqual(
      listener.arrived.map(({ query }) => query),
      [{ ip: '2001:db8::1', action: 'partial_block' }, { ip: '203.0.113.0/24', action: 'ban' }, {}],
    );
    assert.ok(listener.arrived.every(({ body }) => body === json));
  });

  it('an unban without waiting for a standard input that nobody closes', async (t) => {
    const { listener, detector } = await listening(t);
    assert.equal((await detector.call(t, UNBAN, 'open')).code, 0);
    assert.equal(listener.arrived[0]?.body, '');
  });

  it('nothing of the second call about an attack', async (t) => {
    const { listener, detector } = await listening(t);
    assert.equal((await detector.call(t, [...BAN.slice(0, 3), 'attack_details'], TEXT)).code, 0);
    assert.equal(listener.arrived.length, 0);
  });

  it('details of megabytes, and none where the daemon takes no more', async (t) => {
    const { listener, detector } = await listening(t);
    const details = `{"packet_dump":"${'x'.repeat(2_000_000)}"}`;
    assert.equal((await detector.call(t, ['ban', '203.0.113.10'], details)).code, 0);
    assert.equal(listener.arrived[0]?.body, details);
    listener.answer = ({ body }) => ({ status: body === '' ? 202 : 413 });
    assert.equal((await detector.call(t, ['ban', '203.0.113.11'], details)).code, 0);
    assert.deepEqual(
      listener.arrived.slice(1).map(({ query, body }) => [query.ip, body.length]),
      [
        ['203.0.113.11', details.length],
        ['203.0.113.11', 0],
      ],
    );
  });
});

describe('the settings of the notify script', { skip }, () => {
  it('come from a file, of which nothing is executed, and the environment wins', async (t) => {
    const { listener, detector } = await listening(t);
    const { PREFIXD_API = '', PREFIXD_NOTIFY_CONF = '', ...rest } = detector.settings;
    const folder = join(detector.spool, '..');
    await writeFile(join(folder, 'token'), 'of-the-file\n');
    await writeFile(
      PREFIXD_NOTIFY_CONF,
      [
        '# settings',
        `PREFIXD_API="${PREFIXD_API}"`,
        `PREFIXD_API_TOKEN_FILE=${join(folder, 'token')}`,
        'PREFIXD_NOTIFY_WAIT=99',
        `PREFIXD_UNKNOWN=$(touch ${join(folder, 'executed')})`,
        `PREFIXD_API_TOKEN;touch ${join(folder, 'executed')}=1`,
        `touch ${join(folder, 'executed')}`,
      ].join('\n'),
    );
    for (const key of Object.keys(detector.settings)) delete detector.settings[key];
    Object.assign(detector.settings, rest, { PREFIXD_NOTIFY_CONF });
    assert.equal((await detector.call(t, BAN, TEXT)).code, 0);
    assert.equal(listener.arrived[0]?.headers.authorization, 'Bearer of-the-file');
    assert.ok(!(await readdir(folder)).includes('executed'));
  });

  it('that are wrong, and arguments that FastNetMon does not pass, exit 5', async (t) => {
    const { listener, detector } = await listening(t);
    for (const args of [
      ['203.0.113.10'],
      ['203.0.113.10', 'incoming', '1'],
      ['a&b', 'incoming', '1', 'ban'],
    ]) {
      assert.equal((await detector.call(t, args, TEXT)).code, 5, args.join(' '));
    }
    detector.settings.PREFIXD_NOTIFY_WAIT = 'long';
    const outcome = await detector.call(t, BAN, TEXT);
    assert.equal(outcome.code, 5);
    assert.match(outcome.stderr, /PREFIXD_NOTIFY_WAIT must be a whole number/);
    assert.equal(listener.arrived.length, 0);
  });

  it('keep messages and token from other users', async (t) => {
    const { listener, detector } = await listening(t);
    await listener.stop();
    detector.settings.PREFIXD_API_TOKEN = 'tok';
    await detector.call(t, BAN, TEXT);
    for (const name of await readdir(detector.spool, { recursive: true })) {
      const path = join(detector.spool, name);
      const { mode } = await stat(path);
      assert.equal(mode & 0o077, 0, name);
      if ((await stat(path)).isFile()) assert.doesNotMatch(await readFile(path, 'utf8'), /tok/);
    }
  });
});

describe('while the daemon is away, the notify script', { skip }, () => {
  it('keeps messages, and the next call delivers them in order, an unban after its ban', async (t) => {
    const { listener, detector } = await listening(t);
    await listener.stop();
    for (const args of [victim(1), victim(2), victim(1, 'unban'), victim(1)]) {
      const outcome = await detector.call(t, args, TEXT);
      assert.equal(outcome.code, 0, 'kept is not lost');
      assert.match(outcome.stderr, /cannot be reached at .*; kept in /);
    }
    assert.equal((await detector.kept()).length, 4);
    await listener.start();
    assert.equal((await detector.call(t, victim(3), TEXT)).code, 0);
    assert.deepEqual(listener.calls, [
      '203.0.113.1 ban',
      '203.0.113.2 ban',
      '203.0.113.1 unban',
      '203.0.113.1 ban',
      '203.0.113.3 ban',
    ]);
    assert.deepEqual(
      listener.arrived.map(({ body }) => body),
      [TEXT, TEXT, '', TEXT, TEXT],
    );
    assert.deepEqual(await readdir(detector.spool), ['lock'], 'nothing is left');
  });

  it('delivers with --drain, too, which says when something is left', async (t) => {
    const { listener, detector } = await listening(t);
    await listener.stop();
    await detector.call(t, BAN, TEXT);
    assert.equal((await detector.call(t, ['--drain'])).code, 2);
    await listener.start();
    assert.equal((await detector.call(t, ['--drain'])).code, 0);
    assert.deepEqual(listener.calls, ['203.0.113.10 ban']);
  });

  it('tries again in the background, without another call', async (t) => {
    const { listener, detector } = await listening(t);
    await listener.stop();
    detector.settings.PREFIXD_NOTIFY_RETRY = '60';
    await detector.call(t, BAN, TEXT);
    await detector.call(t, UNBAN);
    await listener.start();
    await until('both arrive', () => listener.arrived.length === 2);
    assert.deepEqual(listener.calls, ['203.0.113.10 ban', '203.0.113.10 unban']);
    await until('the lock of the retries is free', async () =>
      (await readdir(join(detector.spool, 'retry'))).includes('free'),
    );
  });

  it('keeps no more bans than it may, and every unban', async (t) => {
    const { listener, detector } = await listening(t);
    await listener.stop();
    detector.settings.PREFIXD_NOTIFY_SPOOL_MAX = '2';
    await detector.call(t, victim(1), TEXT);
    await detector.call(t, victim(2), TEXT);
    const dropped = await detector.call(t, victim(3), TEXT);
    assert.equal(dropped.code, 2);
    assert.match(dropped.stderr, /dropped ip=203\.0\.113\.3/);
    assert.equal((await detector.call(t, victim(2, 'unban'))).code, 0);
    assert.equal((await detector.kept()).length, 3);
    await listener.start();
    assert.equal((await detector.call(t, victim(4), TEXT)).code, 0, 'a full spool is emptied first');
    assert.deepEqual(listener.calls, [
      '203.0.113.1 ban',
      '203.0.113.2 ban',
      '203.0.113.2 unban',
      '203.0.113.4 ban',
    ]);
  });

  it('sends from memory where no spool can be written', async (t) => {
    const { listener, detector } = await listening(t);
    const file = join(detector.spool, '..', 'file');
    await writeFile(file, '');
    detector.settings.PREFIXD_NOTIFY_SPOOL = join(file, 'spool');
    assert.equal((await detector.call(t, BAN, TEXT)).code, 0);
    assert.deepEqual([listener.calls, listener.arrived[0]?.body], [['203.0.113.10 ban'], TEXT]);
  });
});

describe('a disk that is full', { skip }, () => {
  it('loses nothing of a message: it is sent from memory, with its details', async (t) => {
    const { listener, detector } = await listening(t);
    const outcome = await detector.call(t, BAN, TEXT, 'trap "" XFSZ; ulimit -f 0;');
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.deepEqual([listener.calls, listener.arrived[0]?.body], [['203.0.113.10 ban'], TEXT]);
    assert.match(outcome.stderr, /cannot be written/);
    assert.deepEqual(await detector.kept(), [], 'and is not there to be sent again');
  });
});

describe('what the daemon answers', { skip }, () => {
  it('is said when the message is kept: it was reached', async (t) => {
    const { listener, detector } = await listening(t);
    detector.settings.PREFIXD_NOTIFY_WAIT = '0';
    listener.answer = () => ({ status: 503, retryAfter: '60' });
    assert.match((await detector.call(t, BAN, TEXT)).stderr, /answered 503.*; kept in /);
    const second = await detector.call(t, victim(2), TEXT);
    assert.match(second.stderr, /answered to wait; \d+ s are left; kept in /);
  });

  it('429 is tried again after the time it names, and holds back only its own victim', async (t) => {
    const { listener, detector } = await listening(t);
    await listener.stop();
    for (const args of [victim(1), victim(2), victim(1, 'unban')]) await detector.call(t, args);
    detector.settings.PREFIXD_NOTIFY_WAIT = '20';
    let refused = 0;
    let refusedAt = 0;
    let passedAt = 0;
    listener.answer = ({ query }) => {
      if (query.ip !== '203.0.113.1' || refused === 2) {
        if (query.ip === '203.0.113.1' && passedAt === 0) passedAt = performance.now();
        return { status: 202 };
      }
      refused++;
      refusedAt = performance.now();
      return { status: 429, retryAfter: '2' };
    };
    await listener.start();
    assert.equal((await detector.call(t, victim(3))).code, 0);
    assert.deepEqual(listener.calls, [
      '203.0.113.1 ban',
      '203.0.113.2 ban',
      '203.0.113.1 ban',
      '203.0.113.3 ban',
      '203.0.113.1 ban',
      '203.0.113.1 unban',
    ]);
    assert.ok(passedAt - refusedAt > 1_000, 'it waited');
  });

  it('429 for longer than the call may take is waited for in the background', async (t) => {
    const { listener, detector } = await listening(t);
    listener.answer = () => ({ status: 429, retryAfter: '3600' });
    assert.equal((await detector.call(t, BAN, TEXT)).code, 0);
    assert.equal((await detector.call(t, victim(1), TEXT)).code, 0);
    assert.equal(listener.arrived.length, 1, 'the second call does not ask before the time');
    assert.equal((await detector.kept()).length, 2);
  });

  it('503 and a connection that breaks are tried again', async (t) => {
    const { listener, detector } = await listening(t);
    detector.settings.PREFIXD_NOTIFY_WAIT = '20';
    listener.answer = () => {
      if (listener.arrived.length === 1) return { status: 503 };
      return listener.arrived.length === 2 ? { status: 0, hangUp: true } : { status: 202 };
    };
    assert.equal((await detector.call(t, BAN, TEXT)).code, 0);
    assert.equal(listener.arrived.length, 3);
    assert.deepEqual(await detector.kept(), []);
  });

  it('a refusal is final, said, and exit code 5; a duplicate was delivered before', async (t) => {
    const { listener, detector } = await listening(t);
    for (const [status, code] of [
      [422, 5],
      [400, 5],
      [409, 0],
    ] as const) {
      listener.answer = () => ({ status });
      const outcome = await detector.call(t, BAN, TEXT);
      assert.equal(outcome.code, code, String(status));
      if (code === 5) assert.match(outcome.stderr, new RegExp(`prefixd refused .*\\(${status}\\)`));
      assert.deepEqual(await detector.kept(), []);
    }
    assert.equal(listener.arrived.length, 3);
  });

  it('a wrong token or address keeps the message for when that is mended', async (t) => {
    const { listener, detector } = await listening(t);
    for (const status of [401, 404]) {
      listener.answer = () => ({ status });
      const outcome = await detector.call(t, BAN, TEXT);
      assert.equal(outcome.code, 3);
      assert.match(outcome.stderr, new RegExp(`answered ${status}.*check address and token`));
    }
    listener.answer = () => ({ status: 202 });
    listener.arrived.length = 0;
    await detector.call(t, ['--drain']);
    assert.equal(listener.arrived.length, 2);
  });
});

describe('calls at the same time', { skip }, () => {
  it('are delivered by the one that holds the lock, none lost', async (t) => {
    const { listener, detector } = await listening(t);
    detector.settings.PREFIXD_NOTIFY_WAIT = '20';
    const calls = Array.from({ length: 60 }, (_, i) => detector.call(t, victim(i + 1), TEXT));
    for (const { code, stderr } of await Promise.all(calls)) assert.equal(code, 0, stderr);
    await until('all have arrived', () => listener.arrived.length >= 60);
    const victims = listener.arrived.map(({ query }) => query.ip);
    // A message whose answer a busy machine kept back for longer than curl waits is sent once more.
    assert.equal(new Set(victims).size, 60);
    assert.deepEqual(await detector.kept(), []);
  });

  it('take the lock over from one that was killed while it delivered', async (t) => {
    const { listener, detector } = await listening(t);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    listener.answer = async () => {
      await held;
      return { status: 202 };
    };
    const first = detector.begin(t, victim(1), TEXT);
    await until('the first is delivering', () => listener.arrived.length === 1);
    assert.equal((await detector.call(t, victim(2), TEXT)).code, 0, 'it leaves its message to the first');
    assert.equal(listener.arrived.length, 1);
    process.kill(first.pid, 'SIGKILL');
    release();
    listener.answer = () => ({ status: 202 });
    await detector.call(t, victim(3), TEXT);
    assert.deepEqual([...new Set(listener.calls)], ['203.0.113.1 ban', '203.0.113.2 ban', '203.0.113.3 ban']);
    assert.deepEqual(await detector.kept(), []);
  });
});

describe("prefixd's side of it", () => {
  it('loads, keeps rules through a pause of the attack, and holds them for longer than FastNetMon bans', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-fastnetmon-'));
    undo(t, () => rm(folder, { recursive: true }));
    await copyFile(packaged('fastnetmon/prefixd.yaml'), join(folder, 'prefixd.yaml'));
    await writeFile(join(folder, 'inventory.yaml'), 'customers: []\n');
    await writeFile(join(folder, 'playbooks.yaml'), 'playbooks: []\n');
    const tokens = { PREFIXD_API_TOKEN: 'a'.repeat(32), PREFIXD_FASTNETMON_TOKEN: 'b'.repeat(32) };
    const result = await loadConfig(folder, tokens);
    assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
    const { timers, detectors } = result.config.policy;
    assert.equal(timers.holdDownSeconds, 60);
    assert.ok(timers.maxHoldSeconds > 1900);
    assert.equal(detectors.get('fastnetmon')?.confidence, 0.8);
  });
});

describe('the notify script itself', () => {
  it('is executable, and plain sh', { skip: missingProgram('dash', 'dash') }, async () => {
    assert.ok(((await stat(SCRIPT)).mode & 0o111) === 0o111);
    assert.equal(await output('dash', ['-n', SCRIPT]), '');
    assert.doesNotMatch(
      textOf('fastnetmon/prefixd-notify.sh'),
      /\[\[|\blocal\b|<<<|\bfunction\b|&>|\$RANDOM/,
    );
  });

  it('explains itself, and every setting that it reads', async () => {
    const help = await output('/bin/sh', [SCRIPT, '--help']);
    assert.match(help, /IP DIRECTION PPS ACTION/);
    assert.match(help, /Exit codes/);
    const read = textOf('fastnetmon/prefixd-notify.sh').match(/(?<=\$\{)PREFIXD_[A-Z_]+/g) ?? [];
    assert.ok(read.length > 5);
    for (const name of read) assert.ok(help.includes(name), name);
    for (const [name] of textOf('fastnetmon/notify.conf').matchAll(/PREFIXD_[A-Z_]+(?==)/g)) {
      assert.ok(help.includes(name), name);
    }
  });

  it('is in the package, with the files that go with it', async () => {
    const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    assert.ok(manifest.files.includes('packaging'), JSON.stringify(manifest.files));
  });
});

describe('the notify script works for a user', { skip }, () => {
  it('without a home: no variable, or one that names no folder', async (t) => {
    const { listener, detector } = await listening(t);
    for (const [index, before] of [
      'unset HOME;',
      'HOME=; export HOME;',
      'HOME=/nonexistent; export HOME;',
    ].entries()) {
      const outcome = await detector.call(t, victim(index + 1), TEXT, before);
      assert.deepEqual([outcome.code, outcome.stderr], [0, ''], before);
    }
    assert.equal(listener.arrived.length, 3);
  });

  it('whose home has a .curlrc for other purposes', async (t) => {
    const { listener, detector } = await listening(t);
    const home = await mkdtemp(join(tmpdir(), 'prefixd-home-'));
    undo(t, () => rm(home, { recursive: true, force: true }));
    await writeFile(
      join(home, '.curlrc'),
      'proxy = "http://127.0.0.1:1"\nurl = "http://127.0.0.1:1/"\nfail\n',
    );
    const outcome = await detector.call(t, BAN, TEXT, `HOME='${home}'; export HOME;`);
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.deepEqual(listener.calls, ['203.0.113.10 ban']);
  });

  const isRoot = process.getuid?.() === 0;
  const needsRoot = isRoot ? false : 'another user needs root';
  it('that has no entry in passwd', { skip: needsRoot }, async (t) => {
    const { listener, detector } = await listening(t);
    const place = await mkdtemp(join(tmpdir(), 'prefixd-nobody-'));
    undo(t, () => rm(place, { recursive: true, force: true }));
    await copyFile(SCRIPT, join(place, 'notify.sh'));
    await chmod(place, 0o755);
    await mkdir(join(place, 'spool'));
    await chown(join(place, 'spool'), NOBODYS_ID, NOBODYS_ID);
    const child = spawn('/bin/sh', [join(place, 'notify.sh'), ...UNBAN], {
      cwd: '/',
      env: { PATH: process.env.PATH, ...detector.settings, PREFIXD_NOTIFY_SPOOL: join(place, 'spool') },
      uid: NOBODYS_ID,
      gid: NOBODYS_ID,
      stdio: 'ignore',
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    assert.deepEqual(listener.calls, ['203.0.113.10 unban']);
  });
});
