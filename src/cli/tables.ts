/** Formats tables, key and value lines, durations and wrapped text for people. Pure. */
import { stripVTControlCharacters, styleText } from 'node:util';

/** Describes a table's column. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** The narrowest width in characters on a narrow terminal, where the last columns are cut first; undefined: never cut. */
  readonly least?: number;
  /** True or `first`: dropped if cutting is not enough; `first` before the others, later columns before earlier ones. */
  readonly optional?: boolean | 'first';
  readonly right?: boolean;
  readonly color?: (row: Row) => Color | undefined;
}

export type Color = 'red' | 'green' | 'yellow' | 'dim';

/** Sets the width and colors of output. */
export interface Drawing {
  /** Characters per line; Infinity for no limit. */
  readonly width: number;
  readonly color: boolean;
}

const GAP = '  ';

/** Colors text, if colors are on. */
export function paint(text: string, color: Color | undefined, drawing: Pick<Drawing, 'color'>): string {
  return color === undefined || !drawing.color ? text : styleText(color, text, { validateStream: false });
}

/** Formats rows under a header, within the width where possible. Each line ends in a line feed. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], drawing: Drawing): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const natural = columns.map((column, i) =>
    Math.max(lengthOf(column.title), ...cells.map((line) => lengthOf(line[i] ?? ''))),
  );
  const widths = fit(columns, natural, drawing.width);
  const line = (texts: readonly string[], colors: readonly (Color | undefined)[]): string => {
    const parts: string[] = [];
    for (const [i, width] of widths.entries()) {
      if (width === 0) continue;
      const text = cut(texts[i] ?? '', width);
      const fill = ' '.repeat(Math.max(0, width - lengthOf(text)));
      const painted = paint(text, colors[i], drawing);
      parts.push(columns[i]?.right === true ? fill + painted : painted + fill);
    }
    return `${parts.join(GAP).trimEnd()}\n`;
  };
  const head = line(
    columns.map(({ title }) => title),
    columns.map(() => 'dim'),
  );
  const body = rows.map((row, i) =>
    line(
      cells[i] ?? [],
      columns.map((column) => column.color?.(row)),
    ),
  );
  return head + body.join('');
}

/** Adds lines below each row of a table, indented and wrapped. */
export function linesBelow(table: string, below: readonly (readonly string[])[], width: number): string {
  return table
    .split('\n')
    .map((line, i) => [line, ...(below[i - 1] ?? []).map((one) => wrapped(`    ${one}`, width))].join('\n'))
    .join('\n');
}

/** Returns the columns' widths; 0 drops a column. */
function fit<Row>(
  columns: readonly Column<Row>[],
  natural: readonly number[],
  width: number,
): readonly number[] {
  const widths = [...natural];
  const total = (): number => {
    const shown = widths.filter((one) => one > 0);
    return shown.reduce((sum, one) => sum + one, 0) + GAP.length * Math.max(0, shown.length - 1);
  };
  for (let dropped = columns.length; dropped >= 0; dropped--) {
    for (const [i, column] of [...columns.entries()].reverse()) {
      const over = total() - width;
      const current = widths[i] ?? 0;
      if (over <= 0) return widths;
      if (column.least !== undefined && current > column.least)
        widths[i] = Math.max(column.least, current - over);
    }
    const lastOf = (optional: true | 'first'): number =>
      columns.findLastIndex((column, i) => column.optional === optional && (widths[i] ?? 0) > 0);
    const last = lastOf('first') >= 0 ? lastOf('first') : lastOf(true);
    if (total() <= width || last < 0) return widths;
    widths[last] = 0;
    // The dropped column leaves room for the ones that were cut.
    for (const [i, one] of natural.entries()) if ((widths[i] ?? 0) > 0) widths[i] = one;
  }
  return widths;
}

function cut(text: string, width: number): string {
  return lengthOf(text) <= width ? text : `${[...text].slice(0, Math.max(0, width - 1)).join('')}…`;
}

function lengthOf(text: string): number {
  return [...text].length;
}

/**
 * Wraps text between words to lines of at most `width` characters; existing line breaks stay. Continuation lines are indented
 * by 2 more than their first line. A word longer than the width stays whole.
 */
export function wrapped(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrappedLine(line, width))
    .join('\n');
}

function wrappedLine(line: string, width: number): readonly string[] {
  if (lengthOf(line) <= width) return [line];
  const lead = /^ *(- )?/.exec(line)?.[0] ?? '';
  const indent = ' '.repeat(lead.length + (lead.endsWith('- ') ? 0 : 2));
  const lines: string[] = [];
  let current = lead;
  let isEmpty = true;
  for (const word of line.slice(lead.length).split(' ')) {
    if (!isEmpty && lengthOf(current) + 1 + lengthOf(word) > width) {
      lines.push(current);
      current = indent;
      isEmpty = true;
    }
    current += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, current];
}

/** Replaces control and formatting characters by spaces, so that text cannot control the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}

/** Holds a key, its value, and the value's color. */
export type Pair = readonly [key: string, value: string, color?: Color];

/** Formats `key  value` lines with aligned values, which may span several lines. */
export function pairs(
  entries: readonly Pair[],
  drawing: Drawing = { color: false, width: Number.POSITIVE_INFINITY },
): string {
  const width = Math.max(0, ...entries.map(([key]) => lengthOf(key)));
  const indent = `\n${' '.repeat(width + GAP.length)}`;
  return entries
    .map(([key, value, color]) => {
      // Leaves room for wrapped() to indent continuation lines by 2.
      const lines = wrapped(printable(value), Math.max(20, drawing.width - width - GAP.length)).split('\n');
      return `${key.padEnd(width)}${GAP}${lines.map((line) => paint(line, color, drawing)).join(indent)}\n`;
    })
    .join('');
}

/** Returns the length of the longest line, without colors. */
export function widthOf(text: string): number {
  return Math.max(0, ...text.split('\n').map((line) => lengthOf(stripVTControlCharacters(line))));
}

/** Formats JSON with an indent of 2. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Formats seconds as `45s`, `2m05s`, `3h10m` or `12d04h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86_400)}d${two(Math.floor((whole % 86_400) / 3600))}h`;
}
