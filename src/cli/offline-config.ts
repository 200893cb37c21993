/** Reads the configuration for commands that need no daemon and no secrets. */
import type { LoadedConfig } from '../config/types.ts';
import { CliError, type CommandContext, Exit } from './command-context.ts';
import { printable } from './tables.ts';

/** Returns the folder of `--config`, else of $PREFIXD_CONFIG; undefined for neither. */
export function folderOf(context: CommandContext, said: string | undefined): string | undefined {
  return said ?? context.io.env.PREFIXD_CONFIG;
}

/** Loads a folder, or the built-in configuration. Secrets are empty. CliError 5 names every problem. */
export async function offlineConfig(
  context: CommandContext,
  said: string | undefined,
): Promise<LoadedConfig> {
  const { formatProblem } = await import('../config/config-problem.ts');
  const folder = folderOf(context, said);
  const result =
    folder === undefined
      ? await (await import('../config/default.ts')).defaultConfig()
      : await (await import('../config/load-apart.ts')).loadConfigApart(folder, null);
  if (result.ok) return result.config;
  throw new CliError(Exit.InvalidInput, result.problems.map(formatProblem).map(printable).join('\n'));
}
