import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import { neighborSettings, POLICE_1M, route } from './support.ts';

function recorded(): { announcer: MockAnnouncer; lines: string[] } {
  const lines: string[] = [];
  const announcer = new MockAnnouncer([neighborSettings('edge1'), neighborSettings('edge2')], () => 1000);
  announcer.subscribe({
    onEstablished: (peer) => lines.push(`up ${peer}`),
    onDown: (peer, why) => lines.push(`down ${peer}: ${why}`),
    onSent: (peer, announced, withdrawn) =>
      lines.push(`${peer} +${announced.map((r) => r.owner)} -${withdrawn.map((r) => r.owner)}`),
  });
  return { announcer, lines };
}

describe('MockAnnouncer', () => {
  it('establishes every neighbor at start and writes at once', async () => {
    const { announcer, lines } = recorded();
    announcer.apply('edge1', [route(1)], []);
    assert.equal(announcer.ribOut('edge1').sentCount, 0, 'nothing is written before the session is up');
    await announcer.start();
    announcer.apply('edge1', [route(1)], []);
    announcer.apply('edge1', [route(1, 'm1', POLICE_1M)], []);
    announcer.apply('edge1', [], [route(1).key]);
    assert.deepEqual(lines, ['up edge1', 'up edge2', 'edge1 +m1 -', 'edge1 +m1 -', 'edge1 + -m1']);
    assert.equal(announcer.ribOut('edge1').sentCount, 0);
  });

  it('withdraws everything when it parts without preserving, and nothing when it preserves', async () => {
    for (const preserve of [false, true]) {
      const { announcer, lines } = recorded();
      await announcer.start();
      announcer.apply('edge1', [route(1)], []);
      await announcer.stop({ preserve });
      assert.equal(lines.includes('edge1 + -m1'), !preserve);
      assert.ok(lines.includes('down edge1: stopped'));
    }
  });

  it('takes a disabled neighbor down with its table and brings it back empty', async () => {
    const { announcer, lines } = recorded();
    await announcer.start();
    announcer.apply('edge1', [route(1)], []);
    announcer.setEnabled('edge1', false);
    assert.equal(announcer.isEstablished('edge1'), false);
    assert.equal(announcer.ribOut('edge1').sentCount, 0);
    announcer.setEnabled('edge1', true);
    assert.equal(lines.at(-1), 'up edge1');
  });

  it('sends everything again on a soft clear', async () => {
    const { announcer, lines } = recorded();
    await announcer.start();
    announcer.apply('edge1', [route(1), route(2)], []);
    announcer.clear('edge1', 'soft');
    assert.equal(lines.at(-1), 'edge1 +m1,m2 -');
  });

  it('resets only the neighbors whose settings changed', async () => {
    const { announcer, lines } = recorded();
    await announcer.start();
    lines.length = 0;
    await announcer.reconfigure([
      neighborSettings('edge1'),
      neighborSettings('edge2', { peerAsn: 65099 }),
      neighborSettings('edge3'),
    ]);
    assert.deepEqual(lines, ['down edge2: its configuration changed', 'up edge2', 'up edge3']);
    await announcer.reconfigure([neighborSettings('edge3')]);
    assert.deepEqual(
      announcer.peers().map((peer) => peer.name),
      ['edge3'],
    );
  });

  it('refuses a neighbor it does not have', () => {
    assert.throws(() => recorded().announcer.ribOut('nobody'), /there is no neighbor nobody/);
  });
});
