/** BIRD: static FlowSpec routes in its configuration, taken up by `configure` over its control socket. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, start, until } from '../../test/support/children.ts';
import { freePort, ownAddress } from '../../test/support/loopback.ts';
import { RULE_PORT, victimOf } from '../rules.ts';
import { Sink } from '../sink-client.ts';
import { ASN, type Contender } from './driver.ts';

/** Commands sent to keep it awake: otherwise it sleeps up to three seconds in poll() after a reconnect. */
const AWAKE_MS = 10;

export const bird: Contender = {
  name: 'bird',
  needs: { program: 'bird', package: 'bird2' },
  start: startBird,
};

async function startBird(): ReturnType<Contender['start']> {
  const sink = await Sink.start({ host: ownAddress(), asn: ASN.sink });
  const folder = await mkdtemp(join(tmpdir(), 'bench-bird-'));
  const [file, rules, control] = ['bird.conf', 'rules.conf', 'bird.ctl'].map((name) => join(folder, name));
  if (file === undefined || rules === undefined || control === undefined) throw new Error('no paths');
  const address = ownAddress();
  await writeFile(rules, '');
  await writeFile(
    file,
    [
      'router id 192.0.2.11;',
      'flow4 table flow4tab;',
      'protocol device { }',
      'protocol static own {',
      '  flow4 { table flow4tab; };',
      `include "${rules}";`,
      '}',
      'protocol bgp sink {',
      `  local ${address} port ${await freePort(address)} as ${ASN.driver};`,
      `  neighbor ${sink.host} port ${sink.port} as ${ASN.sink};`,
      '  multihop 2; strict bind yes; hold time 240; graceful restart off;',
      '  connect delay time 1; connect retry time 1; error wait time 1, 2; error forget time 1;',
      '  flow4 { table flow4tab; import none; export where source = RTS_STATIC; };',
      '}',
      '',
    ].join('\n'),
  );
  const established = sink.established();
  const running = start(findProgram('bird') ?? 'bird', [
    ...['-f', '-c', file, '-s', control, '-P', join(folder, 'pid')],
  ]);
  await until('bird answers', async () => {
    if (running.ended) return true;
    await talk(control, 'show status');
    return true;
  });
  if (running.ended) throw new Error(`bird ended: ${running.log()}`);
  await established;
  let standing = '';
  return {
    sink,
    driver: {
      pid: running.pid,
      async ready(from, count) {
        for (let n = from; n < from + count; n++) {
          standing += `route flow4 { dst ${victimOf(n)}/32; proto = 17; dport = ${RULE_PORT}; } { bgp_ext_community.add((generic, 0x80060000, 0x0)); };\n`;
        }
        await writeFile(rules, standing);
        const socket = connect(control);
        await once(socket, 'data');
        return () => {
          socket.on('data', (octets) => {
            // 0003 is "Reconfigured", 0004 "Reconfiguration in progress".
            if (/^000[34] /m.test(octets.toString())) socket.destroy();
          });
          socket.write('configure\n');
        };
      },
      keepAwake() {
        const socket = connect(control);
        socket.on('error', () => undefined);
        socket.resume();
        const timer = setInterval(() => socket.write('show status\n'), AWAKE_MS);
        return () => {
          clearInterval(timer);
          socket.destroy();
        };
      },
      async end() {
        await running.stop('SIGKILL');
        await rm(folder, { recursive: true, force: true });
      },
    },
  };
}

/** One command over the control socket; resolves with the first octets after the greeting. */
async function talk(control: string, command: string): Promise<string> {
  const socket = connect(control);
  try {
    await once(socket, 'data');
    socket.write(`${command}\n`);
    const [answer] = await once(socket, 'data');
    return String(answer);
  } finally {
    socket.destroy();
  }
}
