/** What comes of reading a detector's message. */
import type { Detection } from '../core/types.ts';

/** A value that is wrong, and where: `top_dst_ports[3]`, `alerts[0].labels.victim_ip`; empty for the whole. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

export type Signal =
  | { readonly kind: 'detection'; readonly detection: Detection }
  /** Understood, and nothing to act on. */
  | { readonly kind: 'ignored'; readonly why: string }
  | {
      readonly kind: 'invalid';
      readonly problems: readonly FieldProblem[];
      /** What could be read of it, for the record (see kept.ts); absent: it is not recorded. */
      readonly remains?: Detection;
    };

/** The same signal with the places of its problems named from further out. */
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
