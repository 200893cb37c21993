/** Reads the code blocks in README and docs, with their languages and marks (explained in CONTRIBUTING.md). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** README and everything below docs/ that is meant for users, by their paths in the repository. */
export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export interface Block {
  readonly page: string;
  /** Number of its first line of code, from 1. */
  readonly line: number;
  /** The heading above it. */
  readonly heading: string;
  /** Empty for a transcript. */
  readonly language: string;
  readonly text: string;
  /** Reason why it is not run, from `<!-- not run: REASON -->` above it. */
  readonly notRun: string | undefined;
  /** Reason why its last command fails, from `<!-- fails: REASON -->` above it. */
  readonly fails: string | undefined;
}

export function textOfPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** Returns a page's blocks in order. Removes the indentation of those in lists. */
export function blocksOf(page: string): readonly Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let above = '';
  let open: { readonly indent: string; readonly language: string; readonly line: number } | undefined;
  let lines: string[] = [];
  let mark = '';
  for (const [index, line] of textOfPage(page).split('\n').entries()) {
    const [, indent = '', language] = /^( *)```([\w-]*)\s*$/.exec(line) ?? [];
    if (open !== undefined) {
      if (language === undefined) lines.push(line.slice(open.indent.length));
      else {
        blocks.push({ page, heading, ...open, text: `${lines.join('\n')}\n`, ...marksOf(mark) });
        open = undefined;
      }
    } else if (language !== undefined) {
      open = { indent, language, line: index + 2 };
      mark = above;
      lines = [];
    } else if (line.startsWith('#')) heading = line.replace(/^#+ /, '');
    above = line;
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: this block has no end`);
  return blocks;
}

function marksOf(line: string): Pick<Block, 'notRun' | 'fails'> {
  const [, kind, reason] = /^ *<!-- (not run|fails): (.+) -->$/.exec(line) ?? [];
  return {
    notRun: kind === 'not run' ? reason : undefined,
    fails: kind === 'fails' ? reason : undefined,
  };
}

/** Returns every block of every page. */
export const BLOCKS: readonly Block[] = PAGES.flatMap(blocksOf);

/** Returns a block's place, for messages: `docs/install.md:13`. */
export function place({ page, line }: Block): string {
  return `${page}:${line}`;
}

/** Returns the commands of a `sh` block, or those after the `$ ` prompts of a transcript. */
export function commandsOf({ language, text }: Block): string {
  if (language === 'sh') return text;
  const commands = text.split('\n').filter((line) => line.startsWith('$ '));
  return commands.map((line) => `${line.slice(2)}\n`).join('');
}

/**
 * Returns the file name of a YAML block, from the comment in its first line: `# lab/prefixd.yaml`, `# prefixd.yaml,
 * below bgp:`.
 */
export function fileOf(block: Block): { readonly path: string; readonly below: string | undefined } {
  const [, path, below] = /^# (\S+?\.ya?ml)(?:, below (\w+):)?$/.exec(block.text.split('\n')[0] ?? '') ?? [];
  if (path === undefined)
    throw new Error(`${place(block)}: the first line does not name a file: # prefixd.yaml`);
  return { path, below };
}
