/**
 * Compiles a webhook's mapping once, when the configuration is loaded, and reports everything that is wrong with it. What is
 * compiled contains no expressions and no code of the configuration (decision 43).
 */
import { canonicalVector, VECTOR_PATTERN, VECTOR_SYNTAX } from '../../core/policy/vectors.ts';
import type { Result } from '../../net/result.ts';
import { type FigureKind, readFigure } from '../report-fields.ts';
import {
  type AdapterProblem,
  type AdapterSettings,
  type FieldSettings,
  MAPPED_FIELDS,
  type MappedField,
  type MappedValue,
} from './adapter-settings.ts';
import { compilePath, type PathQuery } from './json-path.ts';
import { compilePattern } from './safe-pattern.ts';
import { compileTimeFormat, TIME_TOKENS, type TimeReader } from './time-format.ts';

/** Most paths of one field. */
const MAX_PATHS = 16;

/** A field, compiled. */
export interface CompiledField {
  readonly field: MappedField;
  readonly paths: readonly PathQuery[];
  readonly constant?: MappedValue;
  readonly split?: string;
  readonly map?: ReadonlyMap<string, MappedValue>;
  readonly match?: readonly { readonly pattern: RegExp; readonly value: MappedValue }[];
  /** Factor on numbers, from `scale` or `unit`. */
  readonly factor?: number;
  readonly time?: TimeReader;
  readonly otherwise?: MappedValue;
}

/** A webhook's mapping, compiled. */
export interface Adapter {
  readonly name: string;
  readonly each: PathQuery;
  readonly fields: readonly CompiledField[];
  /** True if the sender reports the end of attacks. */
  readonly reportsEnd: boolean;
}

export interface CompiledAdapter {
  /** Undefined if there are problems. */
  readonly adapter: Adapter | undefined;
  readonly problems: readonly AdapterProblem[];
}

/** Reports a problem at a path below the webhook. */
type ProblemSink = (path: readonly (string | number)[], message: string, fix: string) => void;

/** Compiles the mapping of the webhook `name`. */
export function compileAdapter(name: string, settings: AdapterSettings): CompiledAdapter {
  const problems: AdapterProblem[] = [];
  const report: ProblemSink = (path, message, fix) => problems.push({ path, message, fix });
  const each = compiled(compilePath(settings.each), ['each'], report);
  const fields = MAPPED_FIELDS.flatMap((field): readonly CompiledField[] => {
    const said = settings[field] ?? (field === 'source' ? { constant: name } : undefined);
    if (said === undefined) return [];
    return [typeof said === 'string' ? shortField(field, said, report) : compileField(field, said, report)];
  });
  if (settings.victim_ip === undefined && settings.victim_prefix === undefined) {
    report([], 'nothing names the victim', 'add victim_ip: a JSONPath such as "$.target"');
  }
  if (problems.length > 0 || each === undefined) return { adapter: undefined, problems };
  return { adapter: { name, each, fields, reportsEnd: reportsEnd(fields) }, problems };
}

const COMPILED = new WeakMap<AdapterSettings, Adapter>();

/** Compiles the mapping of a checked configuration once. Throws RangeError if the checks should have refused it. */
export function adapterOf(name: string, settings: AdapterSettings): Adapter {
  const known = COMPILED.get(settings);
  if (known !== undefined) return known;
  const { adapter, problems } = compileAdapter(name, settings);
  if (adapter === undefined) throw new RangeError(`webhook ${name}: ${problems[0]?.message ?? 'invalid'}`);
  COMPILED.set(settings, adapter);
  return adapter;
}

function compiled<Value>(
  result: Result<Value>,
  path: readonly (string | number)[],
  report: ProblemSink,
): Value | undefined {
  if (result.ok) return result.value;
  const [message = '', ...fixes] = result.error.split('; ');
  report(path, message, fixes.join('; '));
  return undefined;
}

/** Reads `"$.path"` and `"constant"`. */
function shortField(field: MappedField, text: string, report: ProblemSink): CompiledField {
  if (text.startsWith('$')) {
    const path = compiled(compilePath(text), [field], report);
    return { field, paths: path === undefined ? [] : [path] };
  }
  checkResult(field, text, [field], report);
  return { field, paths: [], constant: text };
}

function compileField(field: MappedField, said: FieldSettings, report: ProblemSink): CompiledField {
  const { constant, split, otherwise } = said;
  const paths = compilePaths(field, said, report);
  if (constant === undefined && said.path === undefined) {
    report([field], 'neither path nor constant is set', 'add path: a JSONPath such as "$.name"');
  }
  const further = Object.keys(said).filter(
    (key) => key !== 'constant' && said[key as keyof FieldSettings] !== undefined,
  );
  if (constant !== undefined && further.length > 0) {
    report([field, 'constant'], `constant excludes ${further.join(', ')}`, 'remove one of the two');
  }
  if (split === '')
    report([field, 'split'], 'the separator is empty', 'write the text between two values, such as ","');
  for (const [key, value] of [
    ['constant', constant],
    ['otherwise', otherwise],
  ] as const) {
    if (value !== undefined) checkResult(field, value, [field, key], report);
  }
  const map = said.map === undefined ? undefined : compileMap(field, said.map, report);
  const match = said.match?.flatMap(([text, value], i) => {
    const pattern = compiled(compilePattern(text), [field, 'match', i, 0], report);
    checkResult(field, value, [field, 'match', i, 1], report);
    return pattern === undefined ? [] : [{ pattern, value }];
  });
  const factor = compileFactor(field, said, report);
  const time = compileTime(field, said, report);
  return {
    field,
    paths,
    ...(constant === undefined ? {} : { constant }),
    ...(split === undefined ? {} : { split }),
    ...(map === undefined ? {} : { map }),
    ...(match === undefined ? {} : { match }),
    ...(factor === undefined ? {} : { factor }),
    ...(time === undefined ? {} : { time }),
    ...(otherwise === undefined ? {} : { otherwise }),
  };
}

function compilePaths(
  field: MappedField,
  { path }: FieldSettings,
  report: ProblemSink,
): readonly PathQuery[] {
  if (path === undefined) return [];
  const texts = typeof path === 'string' ? [path] : path;
  if (texts.length === 0 || texts.length > MAX_PATHS) {
    report([field, 'path'], `the list has ${texts.length} paths`, `write 1 to ${MAX_PATHS}`);
    return [];
  }
  return texts.flatMap((text, i) => {
    const at = typeof path === 'string' ? [field, 'path'] : [field, 'path', i];
    const query = compiled(compilePath(text), at, report);
    return query === undefined ? [] : [query];
  });
}

function compileMap(
  field: MappedField,
  map: Readonly<Record<string, MappedValue>>,
  report: ProblemSink,
): ReadonlyMap<string, MappedValue> {
  const values = new Map<string, MappedValue>();
  for (const [word, value] of Object.entries(map)) {
    checkResult(field, value, [field, 'map', word], report);
    values.set(wordKey(word), value);
  }
  return values;
}

/** Returns the form in which a sender's words are compared: case and blanks around them do not matter. */
export function wordKey(word: string): string {
  return word.trim().toLowerCase();
}

const NUMERIC: ReadonlySet<MappedField> = new Set(['bps', 'pps', 'confidence']);

function compileFactor(
  field: MappedField,
  { scale, unit }: FieldSettings,
  report: ProblemSink,
): number | undefined {
  if (scale === undefined && unit === undefined) return undefined;
  if (!NUMERIC.has(field)) {
    report(
      [field, scale === undefined ? 'unit' : 'scale'],
      `${field} is not a number`,
      'remove it; it is for bps, pps and confidence',
    );
    return undefined;
  }
  if (scale !== undefined && unit !== undefined) {
    report([field, 'unit'], 'scale and unit are both set', 'remove one of the two');
  }
  if (scale !== undefined && !(scale > 0 && Number.isFinite(scale))) {
    report(
      [field, 'scale'],
      `${scale} is not a factor above 0`,
      'write the number by which a value is multiplied',
    );
  }
  if (unit === undefined) return scale;
  const kind: FigureKind | undefined = field === 'bps' || field === 'pps' ? field : undefined;
  const one = kind === undefined ? undefined : readFigure(`1 ${unit}`, kind);
  if (one?.ok === true) return one.value;
  const fix =
    kind === undefined
      ? 'write scale: 0.01 for a percentage'
      : kind === 'bps'
        ? 'write bit/s, kbit/s, Mbit/s, Gbit/s, bytes/s, kbytes/s, Mbytes/s or Gbytes/s'
        : 'write packets/s, kpps or Mpps';
  report([field, 'unit'], `"${unit}" is not a unit of ${field}`, fix);
  return undefined;
}

function compileTime(
  field: MappedField,
  { format }: FieldSettings,
  report: ProblemSink,
): TimeReader | undefined {
  if (format === undefined) return undefined;
  if (field !== 'timestamp') {
    report([field, 'format'], 'only timestamp has a format', 'remove it');
    return undefined;
  }
  const reader = compileTimeFormat(format);
  if (reader.ok) return reader.value;
  report([field, 'format'], reader.error, `write tokens: ${TIME_TOKENS}`);
  return undefined;
}

const ACTIONS: readonly MappedValue[] = ['ban', 'unban', 'ignore'];

/** Checks a value that the mapping itself names. */
function checkResult(
  field: MappedField,
  value: MappedValue,
  path: readonly (string | number)[],
  report: ProblemSink,
): void {
  if (field === 'action' && !ACTIONS.includes(value)) {
    report(path, `"${String(value)}" is not an action`, 'write ban, unban or ignore');
  }
  if (field === 'vector' && !VECTOR_PATTERN.test(canonicalVector(String(value)))) {
    report(path, `"${String(value)}" is not a vector`, `write ${VECTOR_SYNTAX}, such as udp_flood`);
  }
}

function reportsEnd(fields: readonly CompiledField[]): boolean {
  const action = fields.find(({ field }) => field === 'action');
  if (action === undefined || action.constant !== undefined) return action?.constant === 'unban';
  const { map, match, otherwise } = action;
  if (map === undefined && match === undefined) return true;
  const values = [...(map?.values() ?? []), ...(match ?? []).map(({ value }) => value), otherwise];
  return values.includes('unban');
}
