/** Defines the contenders that announce rules: prefixd's speaker, the floor, and the other daemons. */
import { findProgram } from '../../test/support/children.ts';
import type { Sink } from '../sink-client.ts';

/** Something with one established session to a sink. */
export interface Driver {
  readonly pid: number;
  /**
   * Makes everything ready to announce rules `from` .. `from + count - 1` on top of what stands, and returns the command:
   * calling it is the moment from which time is taken.
   */
  ready(from: number, count: number): Promise<() => void>;
  /** Keeps a daemon from idling until the returned function is called; only bird needs it. */
  keepAwake?(): () => void;
  end(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  /** The program and the Debian package it is in; null for what is ours. */
  readonly needs: { readonly program: string; readonly package: string } | null;
  /** Starts it with a sink of its own; resolves when the session is established. */
  start(): Promise<{ readonly driver: Driver; readonly sink: Sink }>;
}

/** Autonomous systems of the two ends. */
export const ASN = { driver: 65010, sink: 65001 } as const;

/** Those that are installed, and the others by name. */
export function installed(contenders: readonly Contender[]): {
  readonly present: readonly Contender[];
  readonly missing: readonly string[];
} {
  const absent = ({ needs }: Contender): boolean =>
    needs !== null && findProgram(needs.program) === undefined;
  return {
    present: contenders.filter((one) => !absent(one)),
    missing: contenders
      .filter(absent)
      .map(({ name, needs }) => `${name} (not installed; Debian package: ${needs?.package})`),
  };
}
