/**
 * Compiles regular expressions that take a bounded time. JavaScript's engine tries every way in which a pattern can match, so
 * the number of ways is estimated from the pattern's syntax, and a pattern with too many is refused before it is used
 * (decision 43).
 */
import { type AST, RegExpParser } from '@eslint-community/regexpp';
import { failed, ok, type Result } from '../../net/result.ts';

/** Characters of a text that are compared with a pattern: names of attacks and states are shorter. */
export const MAX_MATCHED = 128;
/** Longest pattern (characters). */
const MAX_PATTERN = 512;
/** Most ways in which a pattern may try to match a text of MAX_MATCHED characters; a few milliseconds of work. */
const MAX_WAYS = 2 ** 22;

const IGNORE_CASE = '(?i)';

/** Compiles a pattern, which may begin with `(?i)` to ignore case; the error says what is wrong and what to do. */
export function compilePattern(pattern: string): Result<RegExp> {
  const ignoresCase = pattern.startsWith(IGNORE_CASE);
  const source = ignoresCase ? pattern.slice(IGNORE_CASE.length) : pattern;
  const flaw = patternFlaw(source);
  if (flaw !== undefined) return failed(flaw);
  return ok(new RegExp(source, ignoresCase ? 'iu' : 'u'));
}

/** Returns true if the beginning of a text matches; only MAX_MATCHED characters are compared. */
export function patternMatches(pattern: RegExp, text: string): boolean {
  return pattern.test(text.slice(0, MAX_MATCHED));
}

/** Says why a regular expression is refused; undefined if it may be used. */
export function patternFlaw(source: string): string | undefined {
  if (source.length > MAX_PATTERN) return `the pattern is longer than ${MAX_PATTERN} characters`;
  let pattern: AST.Pattern;
  try {
    pattern = new RegExpParser({ ecmaVersion: 2024 }).parsePattern(source, 0, source.length, {
      unicode: true,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : '';
    return `the pattern is not a valid regular expression: ${why}`;
  }
  const starts = isAnchored(pattern) ? 1 : MAX_MATCHED;
  const ways = waysOf(pattern.alternatives);
  if (typeof ways === 'string') return ways;
  if (starts * ways <= MAX_WAYS) return undefined;
  return 'the pattern can match in too many ways and may take too long; repeat fewer parts, and omit .* at its ends: a pattern matches anywhere';
}

/** True if every alternative begins with `^`, so that only one place of a text is tried. */
function isAnchored({ alternatives }: AST.Pattern): boolean {
  return alternatives.every(({ elements: [first] }) => first?.type === 'Assertion' && first.kind === 'start');
}

/** Ways to match, at most; a text says why the pattern is refused. */
type Ways = number | string;

function waysOf(alternatives: readonly AST.Alternative[]): Ways {
  let sum = 0;
  for (const { elements } of alternatives) {
    let product = 1;
    for (const element of elements) {
      const ways = waysOfElement(element);
      if (typeof ways === 'string') return ways;
      product *= ways;
    }
    sum += product;
  }
  return sum;
}

function waysOfElement(element: AST.Element): Ways {
  switch (element.type) {
    case 'Character':
    case 'CharacterSet':
    case 'CharacterClass':
    case 'ExpressionCharacterClass':
      return 1;
    case 'Group':
    case 'CapturingGroup':
      return waysOf(element.alternatives);
    case 'Backreference':
      return `the pattern refers back to a group (${element.raw}), which can take exponential time; write the text again`;
    case 'Assertion':
      return element.kind === 'lookahead' || element.kind === 'lookbehind'
        ? `the pattern looks around (${element.raw}), which is not supported; remove that part`
        : 1;
    case 'Quantifier':
      return waysOfRepetition(element);
  }
}

function waysOfRepetition({ element, min, max, raw }: AST.Quantifier): Ways {
  const inner = waysOfElement(element);
  if (typeof inner === 'string') return inner;
  const choices = Math.min(max - min + 1, MAX_MATCHED);
  if (inner === 1) return choices;
  if (max > MAX_MATCHED || inner ** max > MAX_WAYS) {
    return `the pattern repeats a part that can itself match in several ways (${raw}), which can take exponential time; repeat single characters or a class such as [a-z] instead`;
  }
  return inner ** max * choices;
}
