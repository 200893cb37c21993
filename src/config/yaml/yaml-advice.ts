/** Explains YAML syntax errors and their fixes; most often a line is indented wrongly. */
import type { ErrorCode } from 'yaml';
import { countWords } from '../../net/text.ts';

/** A YAML parser error. */
interface ParserError {
  readonly code: ErrorCode;
  readonly message: string;
  /** Offsets of its start and end. */
  readonly pos: readonly [number, number];
}

interface AdvicePlace {
  readonly line: number;
  readonly column: number;
}

/** A syntax error at a place. */
export interface SyntaxFault {
  readonly place: AdvicePlace;
  readonly message: string;
  readonly fix: string;
}

/** A line that is not empty. `number` counts from 1, `column` from 0. */
interface YamlLine {
  readonly number: number;
  /** Column of its first character, which may be a list's dash. */
  readonly indent: number;
  /** Column of its key, after any dashes. */
  readonly column: number;
  /** Undefined if the line does not begin with a plain key. */
  readonly key: string | undefined;
  /** The text after the key, without a comment. */
  readonly rest: string;
}

/** Returns the syntax errors, at most one per line. Omits repetitions and errors that follow from the first one. */
export function syntaxFaults(
  errors: readonly ParserError[],
  text: string,
  placeAt: (offset: number) => AdvicePlace,
): readonly SyntaxFault[] {
  const lines = linesOf(text);
  const faults: SyntaxFault[] = [];
  const seen = new Set<number>();
  for (const error of errors) {
    const place = placeAt(error.pos[0]);
    if (seen.has(place.line) || (error.code === 'UNEXPECTED_TOKEN' && faults.length > 0)) continue;
    seen.add(place.line);
    // A wrongly indented line must not serve as an example for the next one.
    const sound = lines.filter(({ number }) => !faults.some((fault) => fault.place.line === number));
    const fault = faultOf(error, sound, place);
    seen.add(fault.place.line);
    faults.push(fault);
  }
  return faults;
}

/** Formats the parser's message as part of a sentence. */
export function sentence(text: string): string {
  const line = text.split('\n', 1)[0] ?? text;
  return line.charAt(0).toLowerCase() + line.slice(1);
}

function faultOf(error: ParserError, lines: readonly YamlLine[], place: AdvicePlace): SyntaxFault {
  const said = { place, message: sentence(error.message) };
  const index = lines.findIndex(({ number }) => number === place.line);
  const line = lines[index];
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return { ...said, fix: 'indent with spaces' };
    case 'BAD_INDENT':
      if (/^flow/i.test(error.message)) return { ...said, fix: 'close the bracket that was opened above' };
      return badIndent(said, lines, index);
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return (
        tooDeep(line, lines[index + 1]) ?? {
          ...said,
          fix: colonAdvice(line) ?? 'check quotes and colons in this line',
        }
      );
    case 'MISSING_CHAR':
      return { ...said, fix: 'close the quote or bracket that was opened above' };
    case 'TAG_RESOLVE_FAILED':
      return { ...said, fix: 'remove the tag' };
    default: {
      const first = lines[0];
      const isOutside = first !== undefined && line !== undefined && line.indent < first.indent;
      if (isOutside) return badIndent(said, lines, index);
      return { ...said, fix: 'check indentation, quotes and colons in this line and the line above' };
    }
  }
}

/** Detects a line that is indented below a key that already has a value. */
function tooDeep(line: YamlLine | undefined, next: YamlLine | undefined): SyntaxFault | undefined {
  if (line?.key === undefined || next === undefined || next.indent <= line.column || line.rest === '')
    return undefined;
  if (/^[|>&!]/.test(line.rest)) return undefined;
  return {
    place: { line: next.number, column: next.indent + 1 },
    message: `this line is indented by ${countWords(next.indent, 'space')}, deeper than "${line.key}" in line ${line.number}, which already has a value`,
    fix: `indent it by ${countWords(line.column, 'space')} like "${line.key}"`,
  };
}

/** Detects `key:value` without a space, and an unquoted value that contains a colon. */
function colonAdvice(line: YamlLine | undefined): string | undefined {
  if (line === undefined) return undefined;
  const squeezed = line.key === undefined ? /^([A-Za-z_][\w-]*):\S/.exec(line.rest) : null;
  if (squeezed !== null) return `write a space after the colon: "${squeezed[1]}: ..."`;
  return /:(\s|$)/.test(line.rest) ? 'put quotes around a value that contains a colon' : undefined;
}

/** Explains a line whose indentation matches no line above it; suggests the nearest deeper and shallower level. */
function badIndent(
  said: { readonly place: AdvicePlace; readonly message: string },
  lines: readonly YamlLine[],
  index: number,
): SyntaxFault {
  const line = lines[index];
  const levels = line === undefined ? [] : levelsAbove(lines, index);
  const deeper = levels.findLast(({ column }) => column > (line?.indent ?? 0));
  const shallower = levels.find(({ column }) => column < (line?.indent ?? 0));
  const options = [deeper, shallower].filter((one) => one !== undefined);
  if (line === undefined || options.length === 0) {
    return { ...said, fix: 'indent it like the other lines of its section' };
  }
  const words = options.map(
    ({ column, key, number }) =>
      `${column === 0 ? 'not at all' : `by ${countWords(column, 'space')}`}, like "${key}" in line ${number}`,
  );
  return {
    ...said,
    message: `this line is ${line.indent === 0 ? 'not indented' : `indented by ${countWords(line.indent, 'space')}`}, unlike any section above it`,
    fix: `indent it ${words.join(', or ')}`,
  };
}

/** Returns the keys above a line whose sections could contain it, innermost first, one for each level. */
function levelsAbove(
  lines: readonly YamlLine[],
  index: number,
): readonly (YamlLine & { readonly key: string })[] {
  const levels: (YamlLine & { readonly key: string })[] = [];
  let open = Number.POSITIVE_INFINITY;
  for (const above of lines.slice(0, index).reverse()) {
    const { key, column } = above;
    if (key === undefined || column >= open) continue;
    levels.push({ ...above, key });
    open = column;
  }
  return levels;
}

function linesOf(text: string): readonly YamlLine[] {
  return text.split('\n').flatMap((content, i): readonly YamlLine[] => {
    const found = /^( *)((?:- +)*)(.*)$/.exec(content.trimEnd());
    const [, indent = '', dashes = '', rest = ''] = found ?? [];
    if (found === null || rest === '' || rest.startsWith('#')) return [];
    const keyed = /^([^\s#'"[\]{},][^:#]*):(?:\s+(.*))?$/.exec(rest);
    const value = keyed === null ? rest : (keyed[2] ?? '');
    return [
      {
        number: i + 1,
        indent: indent.length,
        column: indent.length + dashes.length,
        key: keyed?.[1],
        rest: value.startsWith('#') ? '' : value,
      },
    ];
  });
}
