/** Detectors' messages, read by ingest/: what is wrong with one becomes a 400 that names the fields. */
import type { Detection } from '../core/types.ts';
import type { LabelMap } from '../ingest/alertmanager.ts';
import { alertReaders } from '../ingest/alertmanager.ts';
import { parseFastNetMonJson, parseFastNetMonNotify } from '../ingest/fastnetmon.ts';
import { isRecord, parseGenericEvent } from '../ingest/generic.ts';
import type { Signal } from '../ingest/signal.ts';
import { invalidFields } from './problem.ts';
import { mapInSlices } from './slices.ts';

/** What a message asks for: a decision, or nothing. */
export type Report = { readonly detection: Detection } | { readonly ignored: string };

/** The report in a signal; throws HttpProblem 400 for an invalid one. */
export function reportOf(signal: Signal): Report {
  switch (signal.kind) {
    case 'detection':
      return { detection: signal.detection };
    case 'ignored':
      return { ignored: signal.why };
    case 'invalid':
      throw invalidFields(signal.problems.map(({ path, message }) => ({ field: path, message })));
  }
}

export function readEvent(body: unknown): Signal {
  return parseGenericEvent(body);
}

/** Both editions: `{args, stdin}` is a call of Community's notify script, anything else a document of Advanced. */
export function readFastNetMon(body: unknown): Signal {
  if (!isRecord(body) || !Array.isArray(body.args)) return parseFastNetMonJson(body);
  const { args, stdin } = body;
  return parseFastNetMonNotify(args.map(String), typeof stdin === 'string' ? stdin : '');
}

/** `labels` say which label of an alert means what; undefined takes the usual names. */
export function readAlertmanager(body: unknown, labels: LabelMap | undefined): Promise<readonly Signal[]> {
  return mapInSlices(alertReaders(body, labels), (read) => read());
}
