import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import koffi from 'koffi';
import type { LoadOptions } from '../../../src/bgp/speaker/tcp/native.ts';
import { createNetTransport } from '../../../src/bgp/speaker/tcp/net-transport.ts';
import { type Runtime, systemRuntime } from '../../../src/bgp/speaker/runtime.ts';
import { descriptorOf } from '../../../src/bgp/speaker/tcp/socket-connection.ts';
import { Speaker } from '../../../src/bgp/speaker/speaker.ts';
import type { NeighborAddress } from '../../../src/bgp/speaker/types.ts';
import { ScriptedConnection } from './scripted-peer.ts';
import { flowRoute, neighbor, until } from './support.ts';

const skip = process.platform === 'linux' ? false : 'only Linux tells what a socket has acknowledged';

let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prefixd-ack-'));
});

after(() => rm(folder, { recursive: true }));

/** The kernel then has room for some 2 kB that the process does not read (SO_RCVBUF; accepted sockets inherit it). */
function shrinkReceiveBuffer(server: net.Server): void {
  const setsockopt = koffi.load(null).func('int setsockopt(int, int, int, const uint8_t *, uint32_t)');
  const fd: unknown = Reflect.get(Reflect.get(server, '_handle') ?? {}, 'fd');
  assert.ok(typeof fd === 'number');
  assert.equal(setsockopt(fd, 1, 8, new Uint8Array(Int32Array.of(2048).buffer), 4), 0);
}

/** Ends or begins reading from the kernel: `pause` of a Node socket reads on into its own buffer. */
function reads({ socket }: ScriptedConnection, wanted: boolean): void {
  const handle: unknown = Reflect.get(socket, '_handle');
  assert.ok(typeof handle === 'object' && handle !== null);
  const act: unknown = Reflect.get(handle, wanted ? 'readStart' : 'readStop');
  assert.ok(typeof act === 'function');
  Reflect.set(handle, 'reading', wanted);
  Reflect.apply(act, handle, []);
}

/** A speaker whose neighbor is `peer`, established; hold time 0, so that only what is taken counts. */
async function established(kind: 'tcp' | 'unix', runtime: Runtime) {
  let accepted: ScriptedConnection | undefined;
  const server = net.createServer((socket) => {
    accepted = new ScriptedConnection(socket);
  });
  const path = join(folder, `${Math.random()}.sock`);
  await new Promise<void>((resolve) => {
    if (kind === 'unix') server.listen(path, resolve);
    else server.listen(0, '127.0.0.1', resolve);
  });
  if (kind === 'tcp') shrinkReceiveBuffer(server);
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  const address: NeighborAddress = kind === 'unix' ? { kind, path } : { kind, host: '127.0.0.1', port };
  const settings = neighbor('127.0.0.1', port, { address, holdTimeSeconds: 0 });
  const speaker = new Speaker({ localAsn: 65010, routerId: '192.0.2.10', neighbors: [settings] }, runtime);
  const log: string[] = [];
  const sent: string[] = [];
  const acknowledged: string[] = [];
  const down: string[] = [];
  speaker.subscribe({
    onLog: (_level, _peer, text) => log.push(text),
    onSent: (_peer, _announced, withdrawn) => sent.push(...withdrawn.map(({ text }) => text)),
    onAcknowledged: (_peer, _announced, withdrawn) => acknowledged.push(...withdrawn.map(({ text }) => text)),
    onDown: (_peer, why) => down.push(why),
  });
  await speaker.start();
  await until('a connection', () => accepted !== undefined);
  const peer = accepted;
  assert.ok(peer !== undefined);
  await peer.establish({ holdTimeSeconds: 0 });
  await until('established', () => speaker.isEstablished('edge1'));
  const counts = (): readonly [sent: number, pending: number] => {
    const [status] = speaker.peers();
    return [status?.rulesSent ?? 0, status?.rulesPending ?? 0];
  };
  const stop = async (): Promise<void> => {
    peer.end();
    server.close();
    await speaker.stop({ preserve: false });
  };
  return { speaker, peer, counts, log, sent, acknowledged, down, stop };
}

const real = (load?: LoadOptions): Runtime => systemRuntime(createNetTransport(load));

/** Time that passes so many times as fast. */
function fast(times: number): Runtime {
  const runtime = real();
  const start = runtime.now();
  return {
    ...runtime,
    now: () => start + (runtime.now() - start) * times,
    after: (milliseconds, callback) => runtime.after(milliseconds / times, callback),
  };
}

describe('a router that stops reading', { skip }, () => {
  for (const kind of ['tcp', 'unix'] as const) {
    it(`has rules pending that the kernel took for it, until it reads on (${kind})`, async () => {
      const { speaker, peer, counts, sent, acknowledged, stop } = await established(kind, real());
      speaker.apply('edge1', [flowRoute(0)], []);
      await until('sent', () => counts()[0] === 1);
      assert.deepEqual(counts(), [1, 0]);
      reads(peer, false);
      speaker.apply(
        'edge1',
        Array.from({ length: 2000 }, (_, n) => flowRoute(n + 1)),
        [],
      );
      await until('written', () => speaker.ribOut('edge1').sentCount === 2001);
      speaker.apply('edge1', [], [flowRoute(0).key]);
      await until('the withdrawal is written', () => sent.length === 1);
      assert.equal(speaker.ribOut('edge1').pendingCount, 0, 'nothing waits in this process');
      assert.ok(counts()[1] >= 1001, `${counts()[1]} are pending`);
      assert.equal(counts()[0] + counts()[1], 2001, 'the withdrawal is one of them');
      assert.deepEqual(acknowledged, []);
      assert.deepEqual(
        speaker
          .ribOut('edge1')
          .unacknowledgedWithdrawals()
          .map(({ text }) => text),
        ['rule 0'],
      );
      reads(peer, true);
      await until('all is acknowledged', () => counts()[1] === 0);
      assert.deepEqual(acknowledged, ['rule 0']);
      assert.deepEqual(counts(), [2000, 0]);
      await stop();
    });

    it(`loses its session after the SendHoldTime of RFC 9687 although the kernel took everything (${kind})`, async () => {
      const { speaker, peer, down, sent, acknowledged, stop } = await established(kind, fast(400));
      reads(peer, false);
      speaker.apply(
        'edge1',
        Array.from({ length: 2000 }, (_, n) => flowRoute(n)),
        [],
      );
      speaker.apply('edge1', [], [flowRoute(0).key]);
      await until('down', () => down.length === 1);
      assert.match(down[0] ?? '', /acknowledged nothing for 480 s \(send hold time\)/);
      assert.deepEqual(acknowledged, []);
      assert.ok(sent.length <= 1);
      await stop();
    });
  }

  it('is not sent what it has not taken once its session has ended', async () => {
    const { speaker, peer, down, stop } = await established('tcp', fast(400));
    reads(peer, false);
    const many = Array.from({ length: 2000 }, (_, n) => flowRoute(n));
    speaker.apply('edge1', many, []);
    await until('down', () => down.length === 1);
    // Resolves once the close was forced.
    await speaker.stop({ preserve: true });
    reads(peer, true);
    await until('closed', () => peer.closed);
    assert.ok(peer.socket.bytesRead < many.length * 10, `${peer.socket.bytesRead} octets arrived`);
    await stop();
  });
});

describe('without the library that tells what is acknowledged', () => {
  it('a rule counts as sent once the kernel has it, and the log says so', async () => {
    const missing: LoadOptions = () => Promise.reject(new Error('Cannot find the native Koffi module'));
    const { speaker, peer, counts, log, acknowledged, stop } = await established('unix', real(missing));
    assert.match(log.join('\n'), /counts as sent.*Cannot find the native Koffi module/);
    reads(peer, false);
    speaker.apply('edge1', [flowRoute(1)], []);
    await until('sent', () => counts()[0] === 1);
    speaker.apply('edge1', [], [flowRoute(1).key]);
    await until('withdrawn', () => acknowledged.length === 1);
    await stop();
  });
});

it('the descriptor of a socket that is closed is not known', async () => {
  const socket = new net.Socket();
  socket.destroy();
  assert.equal(descriptorOf(socket), undefined);
});
