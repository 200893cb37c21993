/** What blocks of code and commands in README and docs may be. CONTRIBUTING.md has the same for writers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { cli } from '../cli/harness.ts';
import { type Block, BLOCKS, commandsOf, PAGES, place, textOfPage } from '../support/doc-blocks.ts';

/** Languages, and who checks their blocks. */
const LANGUAGES: Readonly<Record<string, string>> = {
  '': 'a transcript: commands-*.slow.test.ts runs the lines that begin with "$ "',
  sh: 'commands-*.slow.test.ts runs it',
  yaml: 'snippets.test.ts checks it; its first line names the file',
  json: 'snippets.test.ts posts it',
  rule: 'snippets.test.ts reads and writes it',
  ini: "snippets.test.ts compares its keys with FastNetMon's",
  frr: 'test/interop/routers-page.test.ts runs it',
  bird: 'test/interop/routers-page.test.ts runs it',
  toml: 'test/interop/routers-page.test.ts runs it',
  exabgp: 'test/interop/routers-page.test.ts runs it',
  junos: 'nobody has such a router here: its chapter says "untried"',
  'ios-xr': 'nobody has such a router here: its chapter says "untried"',
  eos: 'nobody has such a router here: its chapter says "untried"',
  sros: 'nobody has such a router here: its chapter says "untried"',
  vrp: 'nobody has such a router here: its chapter says "untried"',
  text: 'a drawing or a grammar: there is nothing to run',
};

const DAEMONS: ReadonlySet<string> = new Set(['frr', 'bird', 'toml', 'exabgp']);
const UNTRIED: ReadonlySet<string> = new Set(['junos', 'ios-xr', 'eos', 'sros', 'vrp']);

/** So many blocks may be marked as not run. A new one needs a better reason than that it is tedious. */
const MOST_NOT_RUN = 6;

/** The text between a heading and the next of its level. */
function chapterOf({ page, heading }: Block): string {
  return (
    textOfPage(page)
      .split(/^## /m)
      .find((text) => text.startsWith(`${heading}\n`)) ?? ''
  );
}

describe('blocks of code in README and docs', () => {
  it('are in a language that somebody checks', () => {
    const unknown = BLOCKS.filter(({ language }) => LANGUAGES[language] === undefined);
    assert.deepEqual(
      unknown.map((block) => `${place(block)}: ${block.language}`),
      [],
    );
    assert.ok(BLOCKS.length > 60);
  });

  it('are marked as not run only where that cannot be helped', () => {
    const marked = BLOCKS.filter(({ notRun }) => notRun !== undefined);
    assert.deepEqual(marked.filter(({ language }) => language !== 'sh').map(place), []);
    assert.ok(marked.length <= MOST_NOT_RUN, `${marked.length}: ${marked.map(place).join(', ')}`);
  });

  it('hide no command in a transcript or a drawing', () => {
    const starts =
      /^(?:npm|npx|sudo|curl|cp|install|systemctl|docker|set protocols|export|cd|(?:\.\/|\/)\S+|prefixd (?!\S*:))\b/m;
    const blocks = BLOCKS.filter(({ language }) => language === '' || language === 'text');
    assert.deepEqual(blocks.filter(({ text }) => starts.test(text)).map(place), []);
  });

  it('are configurations of routers only in the page whose chapters are run, or say that nobody tried them', () => {
    for (const block of BLOCKS) {
      if (!DAEMONS.has(block.language) && !UNTRIED.has(block.language)) continue;
      assert.equal(block.page, 'docs/routers.md', `${place(block)}: put it into docs/routers.md`);
      assert.match(
        chapterOf(block),
        UNTRIED.has(block.language) ? /\buntried\b/ : /Tried here/,
        place(block),
      );
    }
  });
});

describe('commands in README and docs', () => {
  it('name scripts that package.json has', () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync('package.json', 'utf8'));
    for (const page of PAGES) {
      for (const [, name = ''] of textOfPage(page).matchAll(/\bnpm run (?:--\S+ )*([\w-]+(?::[\w-]+)*)/g))
        assert.ok(scripts[name] !== undefined, `${page}: npm run ${name}`);
    }
  });

  it('within sentences and tables have subcommands and options that exist', async () => {
    const unknown: string[] = [];
    for (const page of PAGES) {
      for (const [, words = ''] of textOfPage(page).matchAll(/`prefixd ([^`]+)`/g)) {
        const flaw = await flawOf(words);
        if (flaw !== undefined) unknown.push(`${page}: prefixd ${words}: ${flaw}`);
      }
    }
    assert.deepEqual(unknown, []);
  });

  it('of the blocks that are run begin with one that the reader has', () => {
    const scripts = BLOCKS.filter((block) => /^(sh)?$/.test(block.language)).map(commandsOf);
    assert.doesNotMatch(scripts.join('\n'), /\/usr\/bin\/prefixd/);
  });
});

const helps = new Map<string, string>();

async function helpOf(path: readonly string[]): Promise<string> {
  const key = path.join(' ');
  const known = helps.get(key) ?? (await cli([...path, '--help'])).stdout;
  helps.set(key, known);
  return known;
}

/** What of a command line does not exist: it follows the subcommands as far as they go, then looks for the options. */
async function flawOf(line: string): Promise<string | undefined> {
  const words = line.split(/\s+/).filter((word) => word !== '');
  const path: string[] = [];
  for (const [index, word] of words.entries()) {
    const before = words[index - 1] ?? '';
    const isValue = before.startsWith('-') && (await helpOf([])).includes(`${before} <`);
    if (word.startsWith('-') || isValue) continue;
    const [, commands = ''] = (await helpOf(path)).split('Commands:');
    if (commands === '') break;
    const isCommand = new RegExp(`^  ${word.replaceAll(/\W/g, '\\$&')}\\b`, 'm').test(commands);
    // `prefixd peers NAME`: an argument of the command that a group runs by default.
    if (!isCommand && /^[A-Z]+$/.test(word) && commands.includes('(default)')) break;
    if (!isCommand) return `there is no command ${word}`;
    path.push(word);
  }
  const known = (await helpOf([])) + (await helpOf(path));
  const options = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split('=')[0] ?? '');
  const missing = options.find((option) => !new RegExp(`(^|[ ,])${option}\\b`, 'm').test(known));
  return missing === undefined ? undefined : `there is no option ${missing}`;
}
