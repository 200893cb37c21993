/**
 * Stops the daemon within a time limit, even if something hangs: sessions are closed although a disk does not answer,
 * and the log names what did not finish.
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

/** The components to stop. */
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
  /** Some component did not finish in time, and may keep the process alive. */
  readonly hangs: boolean;
  /** Number of operator actions that could not be recorded. */
  readonly forgotten: number;
}

/** Stops everything within `drainMs` (ms). `preserve`: leave the rules on neighbors that keep them during a restart. */
export async function stopParts(parts: Parts, drainMs: number, preserve: boolean): Promise<Stopped> {
  const { server, scrapes, reconciler, announcer, engine, audit, alerts, logger } = parts;
  let hangs = false;
  const within = async (share: number, what: string, work: () => Promise<unknown>): Promise<boolean> => {
    const ended = await inTime(drainMs * share, work);
    if (!ended) {
      hangs = true;
      logger.error(
        {},
        `${what} did not finish within its share of shutdown.drain_timeout_seconds; continuing without it`,
      );
    }
    return ended;
  };
  // Slightly more than the server's own limit, at which it cuts connections itself.
  await within(0.55, 'answering requests', () => server.close(drainMs / 2));
  scrapes?.close();
  const answers = await within(1 / 8, 'writing the journal', () => engine.recordAll());
  const { unrecorded } = engine;
  // The next start would announce preserved rules again, without knowing that an operator withdrew them.
  const preserved = preserve && unrecorded.length === 0;
  if (preserve && !preserved) {
    logger.error(
      { unrecorded: unrecorded.length },
      "rules are withdrawn instead of preserved, because operators' withdrawals are not in the journal",
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
    hangs ? 'prefixd has stopped without waiting for what hangs' : 'prefixd has stopped',
  );
  return { hangs, forgotten: engine.unrecorded.length };
}

/**
 * Returns false if the work has not finished in time (ms); it then continues, and its result is ignored. Rejects as the
 * work does.
 */
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
