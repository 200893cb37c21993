/** Defines options that several commands share, and reads option values. */
import { Option } from 'commander';
import { UsageError } from './command-context.ts';

/** Creates `--operator`; read it with `operatorOf` (context.ts). */
export function operatorOption(): Option {
  return new Option('--operator <name>', 'operator name for the audit log (default: $SUDO_USER, then $USER)');
}

/** Creates `--reason`, which is required. */
export function reasonOption(): Option {
  return new Option('--reason <text>', 'reason for the audit log').makeOptionMandatory();
}

/** Creates `--watch`; read it with `showOrWatch` (watch.ts). */
export function watchOption(): Option {
  return new Option('-w, --watch [seconds]', 'refresh every N seconds (default 2)');
}

/** Creates `--yes`, for commands that ask for confirmation. */
export function yesOption(description: string): Option {
  return new Option('-y, --yes', description);
}

// Reads option values.

const UNITS: Readonly<Record<string, number>> = { bps: 1, kbps: 1e3, mbps: 1e6, gbps: 1e9, tbps: 1e12 };

/** Reads bits per second: `5mbps`, `1.5gbps`, `5000000`. UsageError if invalid. */
export function readRate(text: string): number {
  const [, digits, unit = 'bps'] = /^(\d+(?:\.\d+)?)\s*([kmgt]?bps)?$/i.exec(text.trim()) ?? [];
  const rate = Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (!Number.isFinite(rate)) {
    throw new UsageError(`invalid rate "${text}": expected 5mbps, 1.5gbps, or bits per second`);
  }
  return Math.round(rate);
}

/** Reads comma-separated ports, each 0 to 65535. UsageError if invalid. */
export function readPorts(text: string): readonly number[] {
  return text.split(',').map((part) => {
    const port = /^\d{1,5}$/.test(part.trim()) ? Number(part) : Number.NaN;
    if (Number.isNaN(port) || port > 65535) {
      throw new UsageError(`invalid port "${part}": expected numbers from 0 to 65535, such as 53,123`);
    }
    return port;
  });
}

/** Reads a protocol's number, or its name, which the API checks. */
export function readProtocol(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text.toLowerCase();
}

/** Reads a number. UsageError if invalid. */
export function readNumber(option: string, value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(number)) throw new UsageError(`${option}: invalid number "${value}"`);
  return number;
}
