import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findProgram, start, until } from '../support/children.ts';
import { missing, missingProgram, startDaemon as startRouter } from '../support/daemons.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { reportToDaemon } from '../support/daemon-report.ts';
import { undo } from '../support/undo.ts';

const skip = missing('bird') || missingProgram('socat', 'socat');

describe('a helper that owns the TCP side (docs/routers.md)', { skip }, () => {
  it('joins the UNIX socket that prefixd dials to the port of the router, and may be replaced', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-helper-'));
    undo(t, () => rm(folder, { recursive: true, force: true }));
    const [helper, router] = [ownAddress(), ownAddress()];
    const port = await freePort(router);
    const bird = await startRouter('bird', {
      asn: 65002,
      routerId: '10.0.0.2',
      address: router,
      port,
      peers: [{ address: helper, asn: 65010, families: ['ipv4-flowspec', 'ipv6-flowspec'] }],
    });
    undo(t, () => bird.stop('SIGKILL'));

    const path = join(folder, 'router.sock');
    const startHelper = async () => {
      const socat = start(findProgram('socat') ?? 'socat', [
        `UNIX-LISTEN:${path},fork,unlink-early,mode=600`,
        `TCP:${router}:${port},bind=${helper}`,
      ]);
      undo(t, () => socat.stop());
      await until('the helper listens', async () => (await stat(path)).isSocket());
      return socat;
    };
    const first = await startHelper();

    const daemon = await reportToDaemon(t, folder, {
      neighbors: [{ name: 'bird', address: `unix:${path}`, peer_asn: 65002 }],
    });
    const ruleStands = async (): Promise<boolean> => {
      const [rule, ...more] = await bird.rules('ipv4-flowspec');
      return more.length === 0 && rule?.verbatim.includes('203.0.113.77/32') === true;
    };
    await until('the rule in BIRD', ruleStands);

    // The helper goes first, so that nobody answers when prefixd dials again; its child for the session ends with it.
    await first.stop();
    daemon.announcer.clear('bird', 'hard');
    await until('the session is gone', () => !daemon.announcer.isEstablished('bird'));
    await rm(path, { force: true });
    await startHelper();
    await until(
      'the rule in BIRD again',
      async () => daemon.announcer.isEstablished('bird') && ruleStands(),
      60_000,
    );
  });
});
