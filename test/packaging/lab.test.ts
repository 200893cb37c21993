import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/config-problem.ts';
import { startDaemon } from '../../src/app/daemon.ts';
import { findProgram, output, start, until } from '../support/children.ts';
import { missing } from '../support/daemons.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { neverOverloaded } from '../support/overload.ts';
import { undo } from '../support/undo.ts';
import { at, dataOf, packaged, textOf } from './files.ts';

const TOKEN = 'of-the-laboratory';

/** A copy of the laboratory's files on loopback: every address of the compose network gets one of this test's own. */
async function onLoopback(t: TestContext): Promise<{ readonly folder: string; readonly prefixd: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-lab-'));
  undo(t, () => rm(folder, { recursive: true, force: true }));
  const addresses: readonly (readonly [string, string])[] = [
    ['172.30.179.10', ownAddress()],
    ['172.30.179.2', ownAddress()],
    ['172.30.179.1', ownAddress()],
  ];
  const port = await freePort(addresses[2]?.[1] ?? '127.0.0.1');
  for (const name of ['prefixd', 'routers'])
    await cp(packaged(`docker/${name}`), join(folder, name), { recursive: true });
  await cp('playbooks', join(folder, 'prefixd/playbooks'), { recursive: true });
  for (const name of ['prefixd/prefixd.yaml', 'routers/bird.conf', 'routers/gobgpd.toml']) {
    let text = await readFile(join(folder, name), 'utf8');
    for (const [there, here] of addresses)
      text = text.replaceAll(new RegExp(`${there.replaceAll('.', '\\.')}\\b`, 'g'), here);
    text = text
      .replaceAll('1790', String(port))
      .replace('0.0.0.0:8080', '127.0.0.1:0')
      .replace('/var/lib/prefixd', './data');
    // Inside the compose network the daemon has one address; on loopback it must say from which it dials.
    text = text.replaceAll(/peer_asn: (\d+)/g, `peer_asn: $1, local_address: "${addresses[0]?.[1]}"`);
    await writeFile(join(folder, name), text);
  }
  return { folder, prefixd: join(folder, 'prefixd') };
}

describe('the laboratory of the compose file', () => {
  it('mounts and builds what is there, at the addresses that its files name', async () => {
    const compose = dataOf('docker/compose.yaml');
    const present = async (relative: string): Promise<boolean> => {
      const path = packaged(`docker/${relative}`);
      return (await readdir(join(path, '..'))).includes(path.split('/').at(-1) ?? '');
    };
    for (const service of ['prefixd', 'bird', 'gobgp']) {
      for (const volume of (at(compose, 'services', service, 'volumes') as string[] | undefined) ?? []) {
        const source = volume.split(':')[0] ?? '';
        if (source.startsWith('.')) assert.ok(await present(source), volume);
      }
    }
    assert.ok((await present('Dockerfile')) && (await present('Dockerfile.routers')));
    const address = (service: string) =>
      String(at(compose, 'services', service, 'networks', 'lab', 'ipv4_address'));
    assert.ok(textOf('docker/prefixd/prefixd.yaml').includes(`address: "${address('bird')}"`));
    assert.ok(textOf('docker/prefixd/prefixd.yaml').includes(`address: "${address('gobgp')}"`));
    assert.ok(textOf('docker/routers/bird.conf').includes(`neighbor ${address('prefixd')} as 65010`));
    assert.ok(textOf('docker/routers/gobgpd.toml').includes(`neighbor-address = "${address('prefixd')}"`));
  });

  const skip = missing('bird') || missing('gobgp');
  it('works with the same files on loopback: a report becomes a rule in BIRD and in GoBGP', {
    skip,
  }, async (t) => {
    const { folder, prefixd } = await onLoopback(t);
    const control = join(folder, 'bird.ctl');
    const apiAddress = ownAddress();
    const apiPort = await freePort(apiAddress);
    const bird = start(findProgram('bird') ?? 'bird', [
      ...['-f', '-c', join(folder, 'routers/bird.conf'), '-s', control, '-P', join(folder, 'bird.pid')],
    ]);
    undo(t, () => bird.stop('SIGKILL'));
    const gobgpd = start(findProgram('gobgpd') ?? 'gobgpd', [
      ...[
        '-f',
        join(folder, 'routers/gobgpd.toml'),
        '--pprof-disable',
        '--api-hosts',
        `${apiAddress}:${apiPort}`,
      ],
    ]);
    undo(t, () => gobgpd.stop('SIGKILL'));

    const result = await loadConfig(prefixd, { PREFIXD_API_TOKEN: TOKEN });
    assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
    const daemon = await startDaemon({
      config: result.config,
      logger: pino({ level: 'silent' }),
      watchOverload: neverOverloaded,
    });
    undo(t, () => daemon.stop());
    const { statusCode, body } = await request(`http://127.0.0.1:${daemon.http.port}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        source: 'lab',
        victim_ip: '203.0.113.10',
        vector: 'udp_flood',
        confidence: 0.9,
      }),
    });
    assert.equal(statusCode, 202, await body.text());
    await until('the rule in BIRD', async () => {
      const table = await output(findProgram('birdc') ?? 'birdc', [
        ...['-s', control, 'show', 'route', 'table', 'flow4tab'],
      ]);
      return table.includes('dst 203.0.113.10/32');
    });
    await until('the rule in GoBGP', async () => {
      const table = await output(findProgram('gobgp') ?? 'gobgp', [
        ...['-u', apiAddress, '-p', String(apiPort), 'global', 'rib', '-a', 'ipv4-flowspec'],
      ]);
      return table.includes('203.0.113.10/32');
    });
  });
});
