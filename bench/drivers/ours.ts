/** The contenders that are ours: the floor and prefixd's speaker, each in a process of its own. */
import { join } from 'node:path';
import { ownAddress } from '../../test/support/loopback.ts';
import { startChild } from '../children.ts';
import { Sink } from '../sink-client.ts';
import type { ChildOptions, ChildReport, ChildRequest } from './child-protocol.ts';
import { ASN, type Contender, type Driver } from './driver.ts';

export const floor: Contender = { name: 'floor', needs: null, start: () => startOurs('floor-process.ts') };

export const speaker: Contender = {
  name: 'prefixd',
  needs: null,
  start: () => startOurs('speaker-process.ts'),
};

async function startOurs(file: string): Promise<{ driver: Driver; sink: Sink }> {
  const sink = await Sink.start({ host: ownAddress(), asn: ASN.sink });
  const established = sink.established();
  const options: ChildOptions = {
    host: ownAddress(),
    sink: { host: sink.host, port: sink.port },
  };
  const child = startChild<ChildReport, ChildRequest>(join(import.meta.dirname, file), options);
  await established;
  const driver: Driver = {
    pid: child.pid,
    async ready(from, count) {
      const ready = child.next('is-ready');
      child.tell({ type: 'ready', from, count });
      await ready;
      return () => child.tell({ type: 'go' });
    },
    end: () => child.end(),
  };
  return { driver, sink };
}
