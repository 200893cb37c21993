/** Options that several commands take, so that each reads the same everywhere. */
import { Option } from 'commander';

/** `--operator`; read with `operatorOf` (context.ts). */
export function operatorOption(): Option {
  return new Option('--operator <name>', 'operator name for the audit log (default: $SUDO_USER, then $USER)');
}

/** `--reason`, which the audit log keeps. */
export function reasonOption(): Option {
  return new Option('--reason <text>', 'reason for the audit log').makeOptionMandatory();
}

/** `--watch`; read with `showOrWatch` (watch.ts). */
export function watchOption(): Option {
  return new Option('-w, --watch [seconds]', 'refresh every N seconds (default 2)');
}

/** `--yes`, where a command asks before it takes much down. */
export function yesOption(description: string): Option {
  return new Option('-y, --yes', description);
}
