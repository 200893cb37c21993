/** ExaBGP: `announce flow route` lines over the pipe of a process that it starts itself. */
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, start } from '../../test/support/children.ts';
import { ownAddress } from '../../test/support/loopback.ts';
import { RULE_PORT, victimOf } from '../rules.ts';
import { Sink } from '../sink-client.ts';
import { ASN, type Contender } from './driver.ts';

export const exabgp: Contender = {
  name: 'exabgp',
  needs: { program: 'exabgp', package: 'exabgp' },
  start: startExaBgp,
};

async function startExaBgp(): ReturnType<Contender['start']> {
  const sink = await Sink.start({ host: ownAddress(), asn: ASN.sink });
  const folder = await mkdtemp(join(tmpdir(), 'bench-exabgp-'));
  const pipe = join(folder, 'orders');
  await promisify(execFile)('mkfifo', [pipe]);
  const file = join(folder, 'exabgp.conf');
  await writeFile(
    file,
    [
      `process orders { run /bin/cat ${pipe}; encoder text; }`,
      `neighbor ${sink.host} {`,
      `  router-id 192.0.2.12; local-address ${ownAddress()}; connect ${sink.port};`,
      `  local-as ${ASN.driver}; peer-as ${ASN.sink}; hold-time 240;`,
      '  family { ipv4 flow; }',
      '  api { processes [ orders ]; }',
      '}',
      '',
    ].join('\n'),
  );
  const established = sink.established();
  const running = start(findProgram('exabgp') ?? 'exabgp', [file], {
    cwd: folder,
    env: {
      'exabgp.daemon.user': process.getuid?.() === 0 ? 'root' : (process.env.USER ?? 'root'),
      'exabgp.daemon.drop': 'false',
      'exabgp.api.cli': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.log.level': 'ERR',
    },
  });
  // Open for both, so that this end neither waits for the reader nor ends the pipe between two commands.
  const orders = await open(pipe, 'r+');
  await established;
  return {
    sink,
    driver: {
      pid: running.pid,
      async ready(from, count) {
        let lines = '';
        for (let n = from; n < from + count; n++) {
          lines += `announce flow route { match { destination ${victimOf(n)}/32; protocol udp; destination-port =${RULE_PORT}; } then { discard; } }\n`;
        }
        const octets = Buffer.from(lines);
        return () => void orders.writeFile(octets).catch(() => undefined);
      },
      async end() {
        await running.stop('SIGKILL');
        await orders.close();
        await rm(folder, { recursive: true, force: true });
      },
    },
  };
}
