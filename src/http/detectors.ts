/** Detectors' messages, read by ingest/: what is wrong with one becomes a 400 that names the fields. */
import type { Detection } from '../core/types.ts';
import type { LabelMap } from '../intake/alertmanager.ts';
import { alertReaders } from '../intake/alertmanager.ts';
import { advancedCall, parseFastNetMonJson, parseFastNetMonNotify } from '../intake/fastnetmon.ts';
import { type NotifyFields, parseFastNetMonCall } from '../intake/fastnetmon.ts';
import { isRecord, parseGenericEvent } from '../intake/generic.ts';
import { remainsOf } from '../intake/kept.ts';
import { type FieldProblem, invalid, type Signal } from '../intake/signal.ts';
import type { VectorMaps } from '../intake/vector-names.ts';
import { keptText } from '../net/text.ts';
import { countUpTo, BodyLine, parseJsonBody } from './body.ts';
import { HttpProblem, invalidFields } from './http-problem.ts';
import { mapInSlices } from './slices.ts';
import { EVENTS } from './turns.ts';

/** What a message asks for: a decision, or nothing. */
export type DetectorReport = { readonly detection: Detection } | { readonly ignored: string };

/** The report in a signal; throws HttpProblem 400 for an invalid one. */
export function reportOf(signal: Signal): DetectorReport {
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
  if (!(item instanceof BodyLine)) return readEvent(item, vectorMaps);
  try {
    return readEvent(item.value(), vectorMaps);
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    return invalid('', error.message, remainsOf(item.text));
  }
}

/** So many problems of one report are recorded, each with so many bytes. */
const MAX_RECORDED = 5;
const MAX_RECORDED_BYTES = 600;

/** Problems as they are recorded with a report that was refused: short, and in memory of their own. */
export function recordedProblems(problems: readonly FieldProblem[]): readonly string[] {
  return problems
    .slice(0, MAX_RECORDED)
    .map(({ path, message }) => keptText(path === '' ? message : `${path}: ${message}`, MAX_RECORDED_BYTES));
}

/** Both editions: `{args, stdin}` is a call of the notify script, anything else a document or a call by name. */
export function readFastNetMon(body: unknown, maps: VectorMaps | undefined): readonly Signal[] {
  if (!isRecord(body) || !Array.isArray(body.args)) return parseFastNetMonJson(body, maps);
  const args = body.args.map(String);
  const stdin = typeof body.stdin === 'string' ? body.stdin : '';
  const fields = namedArguments(args);
  return fields === undefined
    ? parseFastNetMonNotify(args, stdin, maps)
    : parseFastNetMonCall(fields, stdin, parseJsonBody, maps);
}

/** The arguments as a query or a form, and standard input as the body of the one or the field `details` of the other. */
export function readFastNetMonText(
  query: unknown,
  body: string,
  isForm: boolean,
  maps: VectorMaps | undefined,
): readonly Signal[] {
  const fields = fieldsOf(isRecord(query) ? query : {});
  // curl calls whatever it posts a form unless told otherwise.
  const form = isForm && !/^\s*[{[]/.test(body) ? readForm(body) : undefined;
  if (fields.ip !== undefined || form === undefined || !form.has('ip')) {
    return parseFastNetMonCall(fields, body, parseJsonBody, maps);
  }
  const { details = '', ...named } = Object.fromEntries(form);
  return parseFastNetMonCall({ ...fields, ...fieldsOf(named) }, details, parseJsonBody, maps);
}

/** Fields that a form of the script has, with some to spare: each costs far more than its octets. */
const MAX_FORM_FIELDS = 64;

function readForm(body: string): URLSearchParams {
  if (countUpTo(MAX_FORM_FIELDS, '&', body) > MAX_FORM_FIELDS) {
    throw new HttpProblem(400, `The form has more than ${MAX_FORM_FIELDS} fields`);
  }
  return new URLSearchParams(body);
}

function fieldsOf(values: Readonly<Record<string, unknown>>): NotifyFields {
  const field = (key: string): string | undefined => {
    const value: unknown = Array.isArray(values[key]) ? values[key][0] : values[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return { ip: field('ip'), direction: field('direction'), pps: field('pps'), action: field('action') };
}

/** Four arguments are Community's, two Advanced's, and none those of its script for host groups. */
function namedArguments(args: readonly string[]): NotifyFields | undefined {
  if (args.length === 0) return {};
  if (args.length === 2) return advancedCall(args);
  if (args.length < 4) return undefined;
  const [ip, direction, pps, action] = args;
  return { ip, direction, pps, action };
}

/** `labels` say which label of an alert means what; undefined takes the usual names. */
export function readAlertmanager(
  body: unknown,
  labels: LabelMap | undefined,
  vectorMaps: VectorMaps | undefined,
): Promise<readonly Signal[]> {
  return mapInSlices(alertReaders(body, labels, vectorMaps), (read) => read(), EVENTS);
}
