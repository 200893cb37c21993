/** Tables and words for people. Pure: data in, text out. */

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** May be cut down to this many characters where the terminal is narrow, the last column first; absent: never cut. */
  readonly least?: number;
  /** Left out altogether where even cutting does not help: those marked `first`, then the last one first. */
  readonly optional?: boolean | 'first';
  readonly right?: boolean;
  readonly colour?: (row: Row) => Colour | undefined;
}

export type Colour = 'red' | 'green' | 'yellow' | 'dim';

/** How to draw. */
export interface Drawing {
  /** Characters; Infinity where nothing limits them. */
  readonly width: number;
  readonly colour: boolean;
}

const GAP = '  ';
/** What `paint` adds. */
const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
const CODES: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, dim: 2 };

/** The text in a colour, or as it is. */
export function paint(text: string, colour: Colour | undefined, drawing: Pick<Drawing, 'colour'>): string {
  return colour === undefined || !drawing.colour ? text : `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}

/** Lines of equal columns with a head, none longer than the width where that can be had. Each ends in a line feed. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], drawing: Drawing): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const natural = columns.map((column, i) =>
    Math.max(lengthOf(column.title), ...cells.map((line) => lengthOf(line[i] ?? ''))),
  );
  const widths = fit(columns, natural, drawing.width);
  const line = (texts: readonly string[], colours: readonly (Colour | undefined)[]): string => {
    const parts: string[] = [];
    for (const [i, width] of widths.entries()) {
      if (width === 0) continue;
      const text = cut(texts[i] ?? '', width);
      const fill = ' '.repeat(Math.max(0, width - lengthOf(text)));
      const painted = paint(text, colours[i], drawing);
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
      columns.map((column) => column.colour?.(row)),
    ),
  );
  return head + body.join('');
}

/** A table with lines below each of its rows, indented and broken between words. */
export function linesBelow(table: string, below: readonly (readonly string[])[], width: number): string {
  return table
    .split('\n')
    .map((line, i) => [line, ...(below[i - 1] ?? []).map((one) => wrapped(`    ${one}`, width))].join('\n'))
    .join('\n');
}

/** Widths of the columns; 0 for one that is left out. */
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
    // There is room again for those that were cut before.
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
 * The text in lines of at most `width` characters, broken between words; lines of their own keep theirs. What is continued
 * is indented by two more than the line began with. A word that is longer than the width stays whole.
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

/** The text without what could move the cursor or speak to the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}

/** A key, its value, and the color of the value. */
export type Pair = readonly [key: string, value: string, colour?: Colour];

/** `key  value` lines, the values aligned, also where one takes several lines. */
export function pairs(
  entries: readonly Pair[],
  drawing: Drawing = { colour: false, width: Number.POSITIVE_INFINITY },
): string {
  const width = Math.max(0, ...entries.map(([key]) => lengthOf(key)));
  const indent = `\n${' '.repeat(width + GAP.length)}`;
  return entries
    .map(([key, value, colour]) => {
      // Continued lines are indented by two more, for which there must be room.
      const lines = wrapped(printable(value), Math.max(20, drawing.width - width - GAP.length)).split('\n');
      return `${key.padEnd(width)}${GAP}${lines.map((line) => paint(line, colour, drawing)).join(indent)}\n`;
    })
    .join('');
}

/** Length of the longest line. */
export function widthOf(text: string): number {
  return Math.max(0, ...text.split('\n').map((line) => lengthOf(line.replaceAll(COLOURS, ''))));
}

/** JSON for programs and people alike. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** `45s`, `2m05s`, `3h10m`, `12d04h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86_400)}d${two(Math.floor((whole % 86_400) / 3600))}h`;
}
