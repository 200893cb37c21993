/** Reads YAML so that every value can be found again in the file. */

import type { Node, ParsedNode } from 'yaml';
import { Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, visit } from 'yaml';
import type { Path } from './problem.ts';
import { dotted } from './problem.ts';
import type { ConfigProblem } from './types.ts';

/** A place in a file, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A file that was read, with what is wrong with it as YAML. */
export interface YamlSource {
  /** The file as the reader knows it. */
  readonly file: string;
  /** Plain data. A key without a value is left out: it means its default. */
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Where the value at `path` stands, or its key; where there is none, the nearest thing above it. */
  place(path: Path, what: 'key' | 'value'): Place;
}

const TOP: Place = { line: 1, column: 1 };

/** Parses one YAML document (YAML 1.2 core schema). Never throws: what is not YAML is a problem. */
export function parseYaml(file: string, text: string): YamlSource {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const first = Array.isArray(documents) ? documents[0] : undefined;
  const document = first ?? new Document({});
  const problems: ConfigProblem[] = [];
  const problem = (offset: number, path: string, message: string, fix: string): void => {
    problems.push({ file, ...placeAt(offset), path, message, fix });
  };

  for (const error of document.errors) {
    const at = error.pos[0];
    if (error.code === 'DUPLICATE_KEY') {
      const path = pathOfKey(document.contents, document, at);
      problem(at, dotted(path), 'this key is there twice', 'keep one of the two');
    } else {
      problem(at, '', `this is not YAML: ${sentence(error.message)}`, adviceFor(error.code));
    }
  }
  const second = Array.isArray(documents) ? documents[1] : undefined;
  if (second !== undefined) {
    problem(
      second.range[0],
      '',
      'a second document begins here',
      'remove the line "---" and what follows it',
    );
  }

  let value: unknown;
  try {
    value = withoutNulls(document.toJS());
  } catch (error) {
    value = undefined;
    const why = error instanceof Error ? error.message : String(error);
    problem(0, '', `this cannot be read: ${sentence(why)}`, 'write the values out in place of aliases');
  }

  return {
    file,
    value,
    problems,
    place(path, what) {
      const node = find(document, path, what);
      const offset = node?.range?.[0];
      return offset === undefined ? TOP : placeAt(offset);
    },
  };
}

/** The deepest node along the path that exists; the last step may ask for the key in place of the value. */
function find(document: Document, path: Path, what: 'key' | 'value'): Node | undefined {
  let node: Node | undefined = resolve(document, document.contents);
  for (const [depth, part] of path.entries()) {
    const last = depth === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
      if (pair === undefined) return node;
      const key = isScalar(pair.key) ? pair.key : undefined;
      if (last && what === 'key') return key;
      // An alias stands where it is written, its content elsewhere; what is asked for last is the former.
      const value = pair.value as Node | null;
      node = (last ? value : resolve(document, value)) ?? key;
    } else if (isSeq(node) && typeof part === 'number') {
      const item = node.items[part] as Node | undefined;
      if (item === undefined) return node;
      node = last ? item : resolve(document, item);
    } else {
      return node;
    }
  }
  return node;
}

function resolve(document: Document, node: Node | null | undefined): Node | undefined {
  if (isAlias(node)) return node.resolve(document) ?? node;
  return node ?? undefined;
}

/** The path of the key that is written at `offset`. */
function pathOfKey(contents: ParsedNode | Node | null, document: Document, offset: number): Path {
  let found: (string | number)[] = [];
  visit(contents === null ? document : contents, {
    Pair(_, pair, ancestors) {
      if (!isScalar(pair.key) || pair.key.range?.[0] !== offset) return undefined;
      found = [];
      for (const [i, above] of ancestors.entries()) {
        const below = ancestors[i + 1] ?? pair;
        if (isSeq(above)) found.push(above.items.indexOf(below));
        if (isMap(above)) {
          const step = above.items.find((item) => item === below);
          if (step !== undefined && isScalar(step.key)) found.push(String(step.key.value));
        }
      }
      return visit.BREAK;
    },
  });
  return found;
}

/** The same data without keys whose value is null: `http:` with nothing behind it is a section left at its defaults. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, withoutNulls(inner)]),
  );
}

function sentence(text: string): string {
  const line = text.split('\n', 1)[0] ?? text;
  return line.charAt(0).toLowerCase() + line.slice(1);
}

function adviceFor(code: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'indent with spaces';
    case 'BAD_INDENT':
      return 'align it with the lines it belongs to';
    case 'MISSING_CHAR':
      return 'close the quote or bracket that was opened before';
    case 'TAG_RESOLVE_FAILED':
      return 'remove the tag';
    default:
      return 'check indentation, quotes and colons in this line and the one before';
  }
}
