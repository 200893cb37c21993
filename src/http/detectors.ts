/** Detectors' messages, read by ingest/: what is wrong with one becomes a 400 that names the fields. */
import type { Detection } from '../core/types.ts';
import type { LabelMap } from '../ingest/alertmanager.ts';
import { alertReaders } from '../ingest/alertmanager.ts';
import { parseFastNetMonJson, parseFastNetMonNotify } from '../ingest/fastnetmon.ts';
import { isRecord, parseGenericEvent } from '../ingest/generic.ts';
import { remainsOf } from '../ingest/remains.ts';
import { type FieldProblem, invalid, type Signal } from '../ingest/signal.ts';
import type { VectorMaps } from '../ingest/vector-names.ts';
import { copyText, cutText } from '../net/text.ts';
import { Line } from './body.ts';
import { HttpProblem, invalidFields } from './problem.ts';
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

export function readEvent(body: unknown, vectorMaps: VectorMaps | undefined): Signal {
  return parseGenericEvent(body, { vectorMaps });
}

/** An event of a batch. A line that is no JSON is an event that cannot be read, as others are. */
export function readBatched(item: unknown, vectorMaps: VectorMaps | undefined): Signal {
  if (!(item instanceof Line)) return readEvent(item, vectorMaps);
  try {
    return readEvent(item.value(), vectorMaps);
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    return invalid('', error.message, remainsOf(item.text));
  }
}

/** So many problems of one report are recorded, each so long. */
const MAX_RECORDED = 5;
const MAX_RECORDED_LENGTH = 300;

/** Problems as they are recorded with a report that was refused: short, and in memory of their own. */
export function recordedProblems(problems: readonly FieldProblem[]): readonly string[] {
  return problems
    .slice(0, MAX_RECORDED)
    .map(({ path, message }) =>
      copyText(cutText(path === '' ? message : `${path}: ${message}`, MAX_RECORDED_LENGTH)),
    );
}

/** Both editions: `{args, stdin}` is a call of Community's notify script, anything else a document of Advanced. */
export function readFastNetMon(body: unknown): Signal {
  if (!isRecord(body) || !Array.isArray(body.args)) return parseFastNetMonJson(body);
  const { args, stdin } = body;
  return parseFastNetMonNotify(args.map(String), typeof stdin === 'string' ? stdin : '');
}

/** `labels` say which label of an alert means what; undefined takes the usual names. */
export function readAlertmanager(
  body: unknown,
  labels: LabelMap | undefined,
  vectorMaps: VectorMaps | undefined,
): Promise<readonly Signal[]> {
  return mapInSlices(alertReaders(body, labels, vectorMaps), (read) => read());
}
