/** Sessions that get stuck, in simulated time: what the operator is told of a peer that does not say why. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { localOpen } from '../../../src/bgp/fsm/negotiate.ts';
import type { FsmConfig } from '../../../src/bgp/fsm/types.ts';
import { Speaker } from '../../../src/bgp/speaker/speaker.ts';
import { encodeMessage } from '../../../src/bgp/wire/message.ts';
import { INITIAL_CONTEXT } from '../../../src/bgp/wire/types.ts';
import { SCRIPT_CONFIG } from './scripted-peer.ts';
import { type SimulatedConnection, SimulatedNet, SimulatedProcess } from './simulated-net.ts';
import { neighbor } from './support.ts';

const [SPEAKER, PEER] = ['192.0.2.10', '192.0.2.1'];

/** A speaker that dials a peer which does this, and nothing else, with each connection that it accepts. */
async function against(does: ((connection: SimulatedConnection) => void) | undefined) {
  const net = new SimulatedNet(1);
  const here = new SimulatedProcess(net, SPEAKER);
  const there = new SimulatedProcess(net, PEER);
  if (does !== undefined) {
    net.listen(PEER, (connection) => {
      connection.process = there;
      does(connection);
    });
  }
  const speaker = new Speaker(
    { localAsn: 65010, routerId: SPEAKER, neighbors: [neighbor(PEER, 179)] },
    here.runtime(),
  );
  const log: string[] = [];
  speaker.subscribe({ onLog: (level, _peer, text) => log.push(`${level} ${text}`) });
  await speaker.start();
  const status = () => {
    const [peer] = speaker.peers();
    assert.ok(peer !== undefined);
    return peer;
  };
  return { net, log, status };
}

function open(connection: SimulatedConnection, config: Partial<FsmConfig> = {}): void {
  const config4 = { ...SCRIPT_CONFIG, ...config };
  connection.write(encodeMessage(localOpen(config4), INITIAL_CONTEXT));
}

describe('a session that is stuck', () => {
  it('in OpenConfirm has a hint after a while, and since when', async () => {
    const { net, status } = await against((connection) => open(connection));
    net.until(() => status().state === 'openconfirm', 5_000);
    const since = net.now;
    assert.equal(status().hint, undefined);
    net.pass(15_000);
    assert.equal(status().state, 'openconfirm');
    assert.ok(status().stateSince <= since);
    assert.match(status().hint ?? '', /^peer sent its OPEN but no KEEPALIVE yet/);
    net.pass(90_000);
    assert.match(status().lastCause?.text ?? '', /no KEEPALIVE for 90 s/);
    assert.equal(status().hint, undefined, 'the cause says it, with the NOTIFICATION that was sent');
    assert.equal(status().lastNotificationSent?.text, 'Hold Timer Expired (4/0)');
  });

  it('without an OPEN has a hint after a while', async () => {
    const { net, status } = await against(() => undefined);
    net.until(() => status().state === 'opensent', 5_000);
    net.pass(30_000);
    assert.match(
      status().hint ?? '',
      /no OPEN received yet: is this side's address configured as a neighbor there, with AS 65010\?/,
    );
  });

  it('with a peer that closes before its OPEN is asked whether it is configured there, and the log has it once', async () => {
    const { net, status, log } = await against((connection) => void connection.close());
    net.pass(60_000);
    assert.match(
      status().lastError ?? '',
      /^peer closed the connection; it had sent no OPEN: .* with AS 65010, and enabled\?$/,
    );
    assert.equal(log.filter((line) => line.startsWith('warn')).length, 1);
  });

  it('with another AS keeps what a NOTIFICATION said, whatever the retries look like', async () => {
    const { net, status } = await against((connection) => open(connection, { localAsn: 65002 }));
    net.pass(30_000);
    assert.match(status().lastCause?.text ?? '', /^peer is AS 65002 but peer_asn says 65001/);
    assert.equal(status().hint, undefined);
  });
});

describe('a peer with our own router id', () => {
  it('is in the log although the session comes up, for many routers refuse it', async () => {
    const { net, status, log } = await against((connection) => {
      open(connection, { localIdentifier: 0xc000020a });
      connection.write(encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT));
    });
    net.until(() => status().state === 'established', 5_000);
    assert.ok(
      log.some((line) =>
        /^warn peer has our own router id 192\.0\.2\.10: .*; change router_id here$/.test(line),
      ),
    );
  });
});
