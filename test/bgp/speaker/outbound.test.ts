import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LabRouter } from '../../../src/lab/router.ts';
import { flowRoute, neighbor, speakerWith, until } from './support.ts';

it('a table that takes several turns goes out in full messages, but for two', async () => {
  const lab = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001, routerId: '192.0.2.1' });
  const at = await lab.start();
  const { speaker, up } = speakerWith({ neighbors: [neighbor(at.host, at.port)] });
  await speaker.start();
  await until('established', () => up.length === 1);
  const routes = Array.from({ length: 12_000 }, (_, n) => flowRoute(n));
  speaker.apply('edge1', routes, []);
  await until('all rules stand', () => lab.rules().length === routes.length);
  // 404 NLRI of 10 octets fit into one message: 29.7 messages' worth.
  assert.ok((speaker.peers()[0]?.counters.messagesOut.update ?? 0) <= 31);
  await speaker.stop({ preserve: false });
  await lab.close();
});
