/**
 * Taking the daemon apart in the time that there is, whatever hangs: the neighbors hear of it although a disk does not
 * answer, and what is left behind is named.
 */
import type { Logger } from 'pino';
import type { Announcer } from '../control/announcer.ts';
import type { Engine } from '../control/engine.ts';
import type { Reconciler } from '../control/reconciler.ts';
import type { HttpServer } from '../http/dependencies.ts';
import type { AuditLog } from '../store/audit/audit.ts';
import type { AlertRelay } from './alerts.ts';
import { realTimers } from './clock.ts';
import type { ScrapeListener } from './observe/metrics-listener.ts';
import { narrateForgotten } from './observe/recording-log.ts';

/** What is taken apart. */
export interface Parts {
  readonly server: Pick<HttpServer, 'close'>;
  readonly scrapes: ScrapeListener | null;
  readonly reconciler: Pick<Reconciler, 'stop'>;
  readonly announcer: Pick<Announcer, 'stop'>;
  readonly engine: Pick<Engine, 'recordAll' | 'unrecorded' | 'close'>;
  readonly audit: Pick<AuditLog, 'close'>;
  readonly alerts: Pick<AlertRelay, 'close'>;
  readonly logger: Logger;
}

export interface Stopped {
  /** Something did not end in its time, and may keep the process alive. */
  readonly hangs: boolean;
  /** How many actions of operators could not be recorded. */
  readonly forgotten: number;
}

/** `drainMs`: what all of it may take. `preserve`: leave the rules to neighbors that keep them for a while. */
export async function stopParts(parts: Parts, drainMs: number, preserve: boolean): Promise<Stopped> {
  const { server, scrapes, reconciler, announcer, engine, audit, alerts, logger } = parts;
  let hangs = false;
  const within = async (share: number, what: string, work: () => Promise<unknown>): Promise<boolean> => {
    const ended = await inTime(drainMs * share, work);
    if (!ended) {
      hangs = true;
      logger.error(
        {},
        `${what}: this did not end in its share of shutdown.drain_timeout_seconds, and is left`,
      );
    }
    return ended;
  };
  // A little longer than what it is given: it cuts connections itself.
  await within(0.55, 'answering requests', () => server.close(drainMs / 2));
  scrapes?.close();
  const answers = await within(1 / 8, 'writing the journal', () => engine.recordAll());
  const { unrecorded } = engine;
  // What a neighbor keeps, the next start announces again: it will not know that an operator took it away.
  const preserved = preserve && unrecorded.length === 0;
  if (preserve && !preserved) {
    logger.error(
      { unrecorded: unrecorded.length },
      'rules are withdrawn and not preserved, because the journal lacks what operators took away',
    );
  }
  await within(1 / 8, 'comparing rules', () => reconciler.stop());
  await within(1 / 4, 'closing sessions', () =>
    announcer.stop({ preserve: preserved, communication: 'prefixd is stopping' }),
  );
  const closed = engine.close();
  if (answers) await within(1 / 8, 'closing the journal', () => closed);
  else closed.catch(() => undefined);
  narrateForgotten(logger, engine.unrecorded);
  await within(1 / 8, 'writing the audit log', () => audit.close());
  await alerts.close(drainMs / 4);
  logger.info(
    { preserved },
    hangs ? 'prefixd has stopped, and leaves behind what hangs' : 'prefixd has stopped',
  );
  return { hangs, forgotten: engine.unrecorded.length };
}

/** False when the work has not ended after so long (ms); it goes on, and nobody hears of its end. Rejects as the work does. */
export async function inTime(milliseconds: number, work: () => Promise<unknown>): Promise<boolean> {
  let cancel = (): void => undefined;
  const late = new Promise<boolean>((resolve) => {
    cancel = realTimers.after(milliseconds, () => resolve(false));
  });
  const working = work().then(() => true);
  try {
    return await Promise.race([working, late]);
  } finally {
    cancel();
    working.catch(() => undefined);
  }
}
