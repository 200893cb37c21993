/** Runs the daemon's process (`prefixd run`), from reading its configuration to its last log line. */
import type { Logger } from 'pino';
import { type ApartOptions, loadConfigApart } from '../config/load-apart.ts';
import { formatProblem } from '../config/config-problem.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { createLogger } from './observe/logger.ts';
import { endAtOnce, explainStart, untilSignalled } from './process.ts';

/** Time to write the last lines to standard output (ms). */
const FLUSH_MS = 2_000;

/** Exit codes of `run`. */
const EXIT = { ok: 0, failed: 1, invalidConfiguration: 5 } as const;

export interface RunOptions {
  /** Folder of the configuration. */
  readonly directory: string;
  /** Environment variables, in which secrets are looked up. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs until SIGINT or SIGTERM; SIGHUP reloads. Returns the exit code; if it is not 0, prints why on standard error.
 */
export async function runDaemon({ directory, environment }: RunOptions): Promise<number> {
  // Also redacts the secrets of configurations before a reload.
  const secrets = new Set<string>();
  const load = async (options: ApartOptions) => {
    const loaded = await loadConfigApart(directory, environment, options);
    if (loaded.ok) for (const secret of loaded.config.secrets) secrets.add(secret);
    return loaded;
  };
  const result = await load({ holdsProcess: true });
  if (!result.ok) {
    for (const problem of result.problems) process.stderr.write(`error: ${formatProblem(problem)}\n`);
    return EXIT.invalidConfiguration;
  }
  // Ignores SIGUSR1, at which Node would open its inspector to every local user.
  process.on('SIGUSR1', () => undefined);
  const { config } = result;
  const { logFormat, logLevel } = config.observability;
  const sink = createLogger({ format: logFormat, level: logLevel, secrets: () => [...secrets] });
  for (const warning of result.warnings) sink.logger.warn({}, formatProblem(warning));
  let hangs = false;
  let overdue: NodeJS.Timeout | undefined;
  try {
    // The storage folder cannot change while the daemon runs.
    const again = { holdsProcess: false, copyFolder: config.storage.path };
    const daemon = await startDaemon({ config, logger: sink.logger, load: () => load(again) });
    await serveUntilSignalled(daemon, sink.logger);
    // Kills the process if stopping hangs: the journal is complete, and the next start restores everything.
    overdue = setTimeout(endAtOnce, config.shutdown.drainTimeoutSeconds * 1000);
    const stopped = await daemon.stop();
    hangs = stopped.hangs;
    return stopped.forgotten > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    sink.logger.fatal({}, `fatal: ${explainStart(error)}`);
    process.stderr.write(`error: ${explainStart(error)}\n`);
    return EXIT.failed;
  } finally {
    const isWritten = await sink.flush(FLUSH_MS);
    if (hangs || !isWritten) endAtOnce();
    clearTimeout(overdue);
  }
}

async function serveUntilSignalled(daemon: Daemon, logger: Logger): Promise<void> {
  const reload = (): void => {
    // Caught here, because nobody waits for the result: a full disk must not end the daemon.
    daemon
      .reload({ kind: 'operator', name: 'SIGHUP' })
      .catch((error: unknown) => logger.error({ err: error }, 'reload failed; nothing was changed'));
  };
  process.on('SIGHUP', reload);
  await untilSignalled(undefined, endAtOnce).promise;
  process.off('SIGHUP', reload);
}
