/** Defines a scenario's result, and prints it. */
import type { Summary } from './stats.ts';
import { summarize } from './stats.ts';

export type Unit = 'ms' | 'µs' | 'ns' | 's' | 'MB' | '/s' | 'UPDATEs' | '%';

/** One line of the table: who did what, how fast. */
export interface Row {
  readonly what: string;
  readonly who: string;
  readonly unit: Unit;
  readonly value: Summary;
}

/** Two rows of one run divided by each other. `atMost` or `atLeast` is what is asked for. */
export interface Ratio {
  readonly what: string;
  readonly value: number;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratio[];
  /** The contenders missing from the table, with the reason. */
  readonly missing: readonly string[];
}

/** Options of every scenario. */
export interface Settings {
  /** Only checks that everything runs: small sizes, one round. */
  readonly quick: boolean;
  /** Tells whoever waits how far it is. */
  readonly progress: (text: string) => void;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  run(settings: Settings): Promise<Omit<Section, 'name' | 'title'>>;
}

export function row(what: string, who: string, unit: Unit, values: readonly number[]): Row {
  return { what, who, unit, value: summarize(values) };
}

/** `above / below` of two rows' medians; nothing when one of them is not there. */
export function ratioOf(
  rows: readonly Row[],
  what: string,
  above: string,
  below: string,
  target: Pick<Ratio, 'atMost' | 'atLeast'> = {},
): readonly Ratio[] {
  const value = (who: string): number | undefined =>
    rows.find((one) => one.what === what && one.who === who)?.value.median;
  const [a, b] = [value(above), value(below)];
  if (a === undefined || b === undefined || b === 0) return [];
  return [{ what: `${what}: ${above} / ${below}`, value: a / b, ...target }];
}

/** False when the ratio has a target and misses it. */
export function isMet({ value, atMost, atLeast }: Ratio): boolean {
  return (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast);
}

/** Whole numbers as they are, others in three significant digits; thousands apart. */
export function figure(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en');
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A section as a Markdown table with its ratios below. */
export function render(section: Section): string {
  const cells = section.rows.map(({ what, who, unit, value }) => [
    what,
    who,
    `${figure(value.median)} ${unit}`,
    value.count === 1 ? '' : `${figure(value.low)} – ${figure(value.high)}`,
    String(value.count),
  ]);
  const lines = table(['measured', 'who', 'median', 'p10 – p90', 'samples'], cells);
  const ratios = section.ratios.map((ratio) => {
    const target =
      ratio.atMost === undefined
        ? ratio.atLeast === undefined
          ? ''
          : `at least ${ratio.atLeast}: ${isMet(ratio) ? 'met' : 'MISSED'}`
        : `at most ${ratio.atMost}: ${isMet(ratio) ? 'met' : 'MISSED'}`;
    return [ratio.what, figure(ratio.value), target];
  });
  return [
    `## ${section.title}`,
    '',
    ...lines,
    ...(ratios.length === 0 ? [] : ['', ...table(['ratio', 'value', 'target'], ratios)]),
    ...(section.missing.length === 0 ? [] : ['', `Not measured: ${section.missing.join('; ')}.`]),
    '',
  ].join('\n');
}

function table(head: readonly string[], cells: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((line) => line[i]?.length ?? 0)));
  const line = (parts: readonly string[]): string =>
    `| ${parts.map((part, i) => part.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...cells.map(line)];
}
