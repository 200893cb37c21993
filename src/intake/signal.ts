/** The results of reading a detector's message. */
import type { Detection } from '../core/types.ts';

/** An invalid value and its path: `top_dst_ports[3]`, `alerts[0].labels.victim_ip`; empty for the whole. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

export type Signal =
  | { readonly kind: 'detection'; readonly detection: Detection }
  /** Valid, but nothing to act on. */
  | { readonly kind: 'ignored'; readonly why: string }
  | {
      readonly kind: 'invalid';
      readonly problems: readonly FieldProblem[];
      /** The readable values, for the record (see kept.ts); absent: not recorded. */
      readonly remains?: Detection;
    };

/** Returns the signal with `prefix` in front of its problems' paths. */
export function within(prefix: string, signal: Signal): Signal {
  if (signal.kind !== 'invalid') return signal;
  const problems = signal.problems.map(({ path, message }) => ({
    path: path === '' ? prefix : `${prefix}.${path}`,
    message,
  }));
  return { ...signal, problems };
}

export function invalid(path: string, message: string, remains?: Detection): Signal {
  return { kind: 'invalid', problems: [{ path, message }], ...(remains === undefined ? {} : { remains }) };
}
