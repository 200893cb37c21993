/** The table of vectors and their aliases in docs/detectors.md, made from the program itself. */
import { AMPLIFICATION_WORDS, servicesOf, singleAliases } from '../src/core/vector-aliases.ts';
import { impliedProtocol, KNOWN_VECTORS, protocolWords, reflectorPort } from '../src/core/vectors.ts';

const BEGIN = '<!-- made by npm run docs: vectors -->';
const END = '<!-- end of vectors -->';

/** The page with its table as the program has it. Throws Error when the page has no place for it. */
export function withVectorTable(page: string): string {
  const [before, rest] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || rest < before) throw new Error(`the page lacks ${BEGIN} and ${END}`);
  return `${page.slice(0, before)}${BEGIN}\n\n${vectorTable()}\n${page.slice(rest)}`;
}

function vectorTable(): string {
  const rows = KNOWN_VECTORS.map((vector) => {
    const protocol = impliedProtocol(vector, 4);
    const port = reflectorPort(vector);
    const services = servicesOf(vector);
    const names = [
      ...(services.length === 0 ? [] : [`a word from below after ${listed(services)}`]),
      ...(singleAliases(vector).length === 0 ? [] : [listed(singleAliases(vector))]),
    ];
    const cells = [
      `\`${vector}\``,
      protocol === null ? '-' : protocolWords(protocol),
      port === undefined ? '-' : String(port),
      names.length === 0 ? '-' : names.join('; '),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| vector | protocol | source port | aliases |',
    '|---|---|---|---|',
    ...rows,
    '',
    `Words after the name of a service: ${listed(AMPLIFICATION_WORDS)}.`,
    '',
  ].join('\n');
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
