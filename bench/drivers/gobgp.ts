/** GoBGP over its gRPC API. It is called by the sink, because on its own it takes some nine seconds to dial. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, start } from '../../test/support/children.ts';
import { freePort, ownAddress } from '../../test/support/loopback.ts';
import { Sink } from '../sink-client.ts';
import { ASN, type Contender } from './driver.ts';
import { GoBgpApi } from './gobgp-api.ts';

export const gobgp: Contender = {
  name: 'gobgp',
  needs: { program: 'gobgpd', package: 'gobgpd' },
  start: startGoBgp,
};

async function startGoBgp(): ReturnType<Contender['start']> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-gobgp-'));
  const [address, apiHost, sinkHost] = [ownAddress(), ownAddress(), ownAddress()];
  const [port, api] = [await freePort(address), await freePort(apiHost)];
  const file = join(folder, 'gobgpd.toml');
  await writeFile(
    file,
    [
      '[global.config]',
      `  as = ${ASN.driver}`,
      '  router-id = "192.0.2.13"',
      `  local-address-list = ["${address}"]`,
      `  port = ${port}`,
      '[[neighbors]]',
      '  [neighbors.config]',
      `    neighbor-address = "${sinkHost}"`,
      `    peer-as = ${ASN.sink}`,
      '  [neighbors.transport.config]',
      '    passive-mode = true',
      `    local-address = "${address}"`,
      '  [neighbors.timers.config]',
      '    idle-hold-time-after-reset = 1',
      '    hold-time = 240',
      '  [[neighbors.afi-safis]]',
      '    [neighbors.afi-safis.config]',
      '      afi-safi-name = "ipv4-flowspec"',
      '',
    ].join('\n'),
  );
  const running = start(findProgram('gobgpd') ?? 'gobgpd', [
    ...['-f', file, '--api-hosts', `${apiHost}:${api}`, '--pprof-disable', '-l', 'warn'],
  ]);
  const sink = await Sink.start({ host: sinkHost, asn: ASN.sink, dial: { host: address, port } });
  await sink.established();
  const client = new GoBgpApi(apiHost, api);
  return {
    sink,
    driver: {
      pid: running.pid,
      async ready(from, count) {
        return count === 1 ? client.addOne(from) : client.addMany(from, count);
      },
      async end() {
        client.close();
        await running.stop('SIGKILL');
        await rm(folder, { recursive: true, force: true });
      },
    },
  };
}
