/**
 * Compiles JSONPath queries (RFC 9535) whose work is bounded by the size of the document: refuses those that could visit a
 * value many times, or whose regular expressions backtrack (decision 43).
 */
import { jsonpath, type JSONValue } from 'json-p3';
import { failed, ok, type Result } from '../../net/result.ts';
import { errorText } from '../../net/text.ts';
import { MAX_MATCHED, patternFlaw } from './safe-pattern.ts';

/** Longest query (characters). */
const MAX_QUERY = 512;
/** Most combinations of the selectors of all brackets: `$['a','b']['c','d']` has 4. */
const MAX_COMBINATIONS = 64;
/** Most values, and levels, of a document that queries are applied to. */
export const MAX_VALUES = 30_000;
const MAX_LEVELS = 32;

const { selectors, expressions, functions } = jsonpath;
type Segments = jsonpath.JSONPathQuery['segments'];
type FilterExpression = jsonpath.expressions.FilterExpression;

/** A compiled query. */
export interface PathQuery {
  readonly text: string;
  /** Returns at most `most` values, in order. Throws RangeError if the document has too many values to evaluate it. */
  select(value: unknown, most: number): readonly unknown[];
}

/** Compiles a query; the error says what is wrong and what to do. */
export function compilePath(text: string): Result<PathQuery> {
  if (text.length > MAX_QUERY) return failed(`the path is longer than ${MAX_QUERY} characters`);
  let query: jsonpath.JSONPathQuery;
  try {
    query = ENVIRONMENT.compile(text);
  } catch (error) {
    return failed(`this is not a JSONPath query (RFC 9535): ${errorText(error)}`);
  }
  const flaw = queryFlaw(query.segments);
  if (flaw !== undefined) return failed(flaw);
  return ok({ text, select: (value, most) => firstValues(query, value, most) });
}

function firstValues(query: jsonpath.JSONPathQuery, value: unknown, most: number): readonly unknown[] {
  const values: unknown[] = [];
  for (const node of query.lazyQuery(value as JSONValue)) {
    values.push(node.value);
    if (values.length >= most) break;
  }
  return values;
}

/** Says why a document is too large for queries; undefined if it is not. */
export function documentFlaw(document: unknown): string | undefined {
  let count = 0;
  let level: readonly unknown[] = [document];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_LEVELS) return `the document is nested deeper than ${MAX_LEVELS} levels`;
    count += level.length;
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      const inner = Array.isArray(value) ? value : Object.values(value);
      if (count + next.length + inner.length > MAX_VALUES) {
        return `the document has more than ${MAX_VALUES} values; send it in parts`;
      }
      for (const one of inner) next.push(one);
    }
    level = next;
  }
  return undefined;
}

// The functions match and search see short texts only.

/** Limits the text that a function compares with a pattern. */
function bounded(
  inner: jsonpath.FilterFunction,
  ofLong: (text: string) => string | undefined,
): jsonpath.FilterFunction {
  return {
    argTypes: inner.argTypes,
    returnType: inner.returnType,
    call: (text: unknown, pattern: unknown) => {
      if (typeof text !== 'string') return false;
      const short = text.length > MAX_MATCHED ? ofLong(text) : text;
      return short !== undefined && inner.call(short, pattern);
    },
  };
}

function environment(): jsonpath.JSONPathEnvironment {
  const made = new jsonpath.JSONPathEnvironment({ maxRecursionDepth: MAX_LEVELS + 2 });
  // A pattern that must match the whole text cannot match a long one within the first characters.
  made.functionRegister.set(
    'match',
    bounded(new functions.Match(), () => undefined),
  );
  made.functionRegister.set(
    'search',
    bounded(new functions.Search(), (text) => text.slice(0, MAX_MATCHED)),
  );
  return made;
}

const ENVIRONMENT = environment();

// Bounds the work: every value is visited a few times at most.

function queryFlaw(segments: Segments): string | undefined {
  if (segments.filter(isDescendant).length > 1) {
    return 'the path has more than one "..", which can visit values again and again; name the members in between';
  }
  const combinations = segments.reduce((product, segment) => product * segment.selectors.length, 1);
  if (combinations > MAX_COMBINATIONS) {
    return `the path combines ${combinations} selectors; write at most ${MAX_COMBINATIONS}, or several paths`;
  }
  for (const { selectors: all } of segments) {
    for (const selector of all) {
      const flaw = selector instanceof selectors.FilterSelector ? filterFlaw(selector.expression) : undefined;
      if (flaw !== undefined) return flaw;
    }
  }
  return undefined;
}

function isDescendant(segment: Segments[number]): boolean {
  return segment.toString().startsWith('..');
}

function filterFlaw(expression: FilterExpression): string | undefined {
  if (expression instanceof expressions.LogicalExpression) return filterFlaw(expression.expression);
  if (expression instanceof expressions.PrefixExpression) return filterFlaw(expression.right);
  if (expression instanceof expressions.InfixExpression) {
    return filterFlaw(expression.left) ?? filterFlaw(expression.right);
  }
  if (expression instanceof expressions.FunctionExtension) return functionFlaw(expression);
  if (expression instanceof expressions.FilterQuery) return innerFlaw(expression);
  return undefined;
}

/** Checks a query within a filter, which is evaluated for every value that is filtered. */
function innerFlaw(query: jsonpath.expressions.FilterQuery): string | undefined {
  const { segments } = query.path;
  if (query instanceof expressions.RootQuery && !query.path.singularQuery()) {
    return 'a filter may use $ only with names and indices, because it is evaluated for every value';
  }
  if (segments.some(isDescendant)) {
    return 'a filter may not use "..", because it is evaluated for every value; name the members in between';
  }
  const inner = segments.flatMap((segment) => segment.selectors);
  if (inner.some((selector) => selector instanceof selectors.FilterSelector)) {
    return 'a filter may not contain another filter, because it is evaluated for every value; put it into a segment of its own';
  }
  return inner.length > MAX_COMBINATIONS ? 'a filter has too many selectors; write fewer' : undefined;
}

function functionFlaw({ name, args }: jsonpath.expressions.FunctionExtension): string | undefined {
  for (const argument of args) {
    const flaw = filterFlaw(argument);
    if (flaw !== undefined) return flaw;
  }
  if (name !== 'match' && name !== 'search') return undefined;
  const [, pattern] = args;
  if (!(pattern instanceof expressions.StringLiteral)) {
    return `${name}() needs its pattern as text, because a pattern from the document could take any time`;
  }
  try {
    new functions.Match({ throwErrors: true }).call('', pattern.value);
  } catch {
    return `the pattern of ${name}() is not an I-Regexp (RFC 9485)`;
  }
  return patternFlaw(pattern.value);
}
