/** The core process as its parent sees it, with its sink. */
import { join } from 'node:path';
import { ownAddress } from '../../test/support/loopback.ts';
import { type Child, startChild } from '../children.ts';
import { ASN } from '../drivers/driver.ts';
import { Sink } from '../sink-client.ts';
import { makeConfigFolder } from './config-folder.ts';
import type { CoreOptions, CoreReport, CoreRequest } from './core-process.ts';

export interface Core {
  readonly sink: Sink;
  readonly child: Child<CoreReport, CoreRequest>;
  /** Tells it something and waits for the answer of that type. */
  ask<T extends CoreReport['type']>(
    request: CoreRequest,
    answer: T,
  ): Promise<Extract<CoreReport, { readonly type: T }>>;
  end(): Promise<void>;
}

/** Starts it with so many sessions to one sink; resolves when all are established. */
export async function startCore(sessions: number): Promise<Core> {
  const also = Array.from({ length: sessions - 1 }, ownAddress);
  const sink = await Sink.start({ host: ownAddress(), also, asn: ASN.sink });
  const folder = await makeConfigFolder(sink);
  const established = sink.allEstablished(sessions);
  const child = startChild<CoreReport, CoreRequest>(join(import.meta.dirname, 'core-process.ts'), {
    folder: folder.path,
  } satisfies CoreOptions);
  await established;
  return {
    sink,
    child,
    ask(request, answer) {
      const answered = child.next(answer);
      child.tell(request);
      return answered;
    },
    async end() {
      await child.end();
      await sink.end();
      await folder.remove();
    },
  };
}
