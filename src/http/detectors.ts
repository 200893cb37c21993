/** Reads detectors' messages with the parsers of src/intake; an invalid one becomes a 400 that names the fields. */
import type { Detection } from '../core/types.ts';
import { alertReaders, type LabelMap } from '../intake/alertmanager.ts';
import {
  advancedCall,
  type NotifyFields,
  parseFastNetMonCall,
  parseFastNetMonJson,
  parseFastNetMonNotify,
} from '../intake/fastnetmon.ts';
import { parseGenericEvent } from '../intake/generic.ts';
import { isRecord, remainsOf } from '../intake/kept.ts';
import { type FieldProblem, invalid, type Signal } from '../intake/signal.ts';
import type { VectorMaps } from '../intake/vector-names.ts';
import { keptText } from '../net/text.ts';
import { countUpTo, BodyLine, parseJsonBody } from './body.ts';
import { HttpProblem, invalidFields } from './http-problem.ts';
import { mapInSlices } from './slices.ts';
import { EVENTS } from './turns.ts';

/** A message that asks for a decision, or for nothing. */
export type DetectorReport = { readonly detection: Detection } | { readonly ignored: string };

/** Returns a signal's report; throws HttpProblem 400 for an invalid one. */
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

/** Reads an event of a batch. A line that is not valid JSON is an invalid event. */
export function readBatched(item: unknown, vectorMaps: VectorMaps | undefined): Signal {
  if (!(item instanceof BodyLine)) return readEvent(item, vectorMaps);
  try {
    return readEvent(item.value(), vectorMaps);
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    return invalid('', error.message, remainsOf(item.text));
  }
}

/** Maximum number of problems recorded for one report, and bytes of each. */
const MAX_RECORDED = 5;
const MAX_RECORDED_BYTES = 600;

/** Returns the problems to record with an invalid report: short, and copied out of the message's memory. */
export function recordedProblems(problems: readonly FieldProblem[]): readonly string[] {
  return problems
    .slice(0, MAX_RECORDED)
    .map(({ path, message }) => keptText(path === '' ? message : `${path}: ${message}`, MAX_RECORDED_BYTES));
}

/**
 * Reads a message of either edition: `{args, stdin}` is a call of the notify script, other JSON a document or a named
 * call.
 */
export function readFastNetMon(body: unknown, maps: VectorMaps | undefined): readonly Signal[] {
  if (!isRecord(body) || !Array.isArray(body.args)) return parseFastNetMonJson(body, maps);
  const args = body.args.map(String);
  const stdin = typeof body.stdin === 'string' ? body.stdin : '';
  const fields = namedArguments(args);
  return fields === undefined
    ? parseFastNetMonNotify(args, stdin, maps)
    : parseFastNetMonCall(fields, stdin, parseJsonBody, maps);
}

/** Reads arguments from a query or a form. Standard input is the query's body, or the form's field `details`. */
export function readFastNetMonText(
  query: unknown,
  body: string,
  isForm: boolean,
  maps: VectorMaps | undefined,
): readonly Signal[] {
  const fields = fieldsOf(isRecord(query) ? query : {});
  // curl labels every POST body as a form by default.
  const form = isForm && !/^\s*[{[]/.test(body) ? readForm(body) : undefined;
  if (fields.ip !== undefined || form === undefined || !form.has('ip')) {
    return parseFastNetMonCall(fields, body, parseJsonBody, maps);
  }
  const { details = '', ...named } = Object.fromEntries(form);
  return parseFastNetMonCall({ ...fields, ...fieldsOf(named) }, details, parseJsonBody, maps);
}

/** Maximum number of form fields, well above what the script sends: each costs far more memory than its bytes. */
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

/** Names the script's arguments: four from Community, two from Advanced, none from Advanced's host group script. */
function namedArguments(args: readonly string[]): NotifyFields | undefined {
  if (args.length === 0) return {};
  if (args.length === 2) return advancedCall(args);
  if (args.length < 4) return undefined;
  const [ip, direction, pps, action] = args;
  return { ip, direction, pps, action };
}

/** Reads a message of Alertmanager or Grafana. `labels` maps alert labels to fields; undefined: the usual names. */
export function readAlertmanager(
  body: unknown,
  labels: LabelMap | undefined,
  vectorMaps: VectorMaps | undefined,
): Promise<readonly Signal[]> {
  return mapInSlices(alertReaders(body, labels, vectorMaps), (read) => read(), EVENTS);
}
