/** `prefixd run`: the daemon as a process, from reading its configuration to its last log line. */
import type { Logger } from 'pino';
import { loadConfig } from './config/load.ts';
import { formatProblem } from './config/problem.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { createLogger } from './logger.ts';
import { explainStart, untilSignalled } from './process.ts';

/** Exit codes of `run`. */
const EXIT = { ok: 0, failed: 1, invalidConfiguration: 5 } as const;

export interface RunOptions {
  /** Folder of the configuration. */
  readonly directory: string;
  /** Where secrets are looked up. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Runs until SIGINT or SIGTERM; SIGHUP reloads. Returns the exit code, having told the user on standard error why it is not 0. */
export async function runDaemon({ directory, environment }: RunOptions): Promise<number> {
  // Secrets of configurations before a reload stay secret.
  const secrets = new Set<string>();
  const load = async () => {
    const loaded = await loadConfig(directory, environment);
    if (loaded.ok) for (const secret of loaded.config.secrets) secrets.add(secret);
    return loaded;
  };
  const result = await load();
  if (!result.ok) {
    for (const problem of result.problems) process.stderr.write(`error: ${formatProblem(problem)}\n`);
    return EXIT.invalidConfiguration;
  }
  // Node opens its inspector at this signal, and with it the process to every local user who can reach the port.
  process.on('SIGUSR1', () => undefined);
  const { config } = result;
  const { logFormat, logLevel } = config.observability;
  const sink = createLogger({ format: logFormat, level: logLevel, secrets: () => [...secrets] });
  for (const warning of result.warnings) sink.logger.warn({}, formatProblem(warning));
  try {
    const daemon = await startDaemon({ config, logger: sink.logger, load });
    await serveUntilSignalled(daemon, config.shutdown.drainTimeoutSeconds, sink.logger);
    return EXIT.ok;
  } catch (error) {
    sink.logger.fatal({}, `prefixd cannot go on: ${explainStart(error)}`);
    process.stderr.write(`error: ${explainStart(error)}\n`);
    return EXIT.failed;
  } finally {
    sink.flush();
  }
}

async function serveUntilSignalled(
  daemon: Daemon,
  drainTimeoutSeconds: number,
  logger: Logger,
): Promise<void> {
  const reload = (): void => {
    // Nobody waits for an answer: a full disk must not end the daemon.
    daemon
      .reload({ kind: 'operator', name: 'SIGHUP' })
      .catch((error: unknown) => logger.error({ err: error }, 'reload failed; nothing was changed'));
  };
  process.on('SIGHUP', reload);
  await untilSignalled().promise;
  process.off('SIGHUP', reload);
  // What cannot be drained in time is left: the journal is the truth, and the next start brings everything back.
  const overdue = setTimeout(() => process.exit(EXIT.failed), drainTimeoutSeconds * 1000);
  await daemon.stop();
  clearTimeout(overdue);
}
