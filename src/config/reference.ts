/** Generates the configuration reference from the schemas that check the files. */
import type { z } from 'zod';
import type { SchemaNode } from './messages.ts';
import { describeSchema, expected } from './messages.ts';
import { inventorySchema } from '../core/policy/inventory-schema.ts';
import { LIMITS, sizeWords } from './file-limits.ts';
import { playbooksSchema } from '../core/policy/playbook-schema.ts';
import { usersSchema } from './schema/auth-schema.ts';
import { settingsSchema } from './schema/prefixd-schema.ts';

const HEAD = `# Configuration

This page is generated from the schemas in \`src/config/schema/\` and \`src/core/policy/\` by \`npm run docs\`.

A configuration folder contains \`prefixd.yaml\`, \`inventory.yaml\`, and \`playbooks.yaml\` or \`playbooks/*.yaml\` (or both).
The users file (below, \`users.yaml\`) has the name that \`http.auth.sign_in.users_file\` gives it.
\`prefixd check --config DIR\` checks all files and lists every problem with file, line and column; \`--print\` shows the effective configuration.
With an error, the daemon does not start (exit code 5). A warning names something that will probably not work as written, such as
a playbook for a customer that does not exist or a neighbor that no rule can reach; the exit code stays 0, and the last line counts
the warnings: \`OK: 1 customer, 13 playbooks, 3 neighbors; 2 warnings\`.

- A key that is not listed here is an error. A key without a value has its default, and so has a section that is omitted.
- Anchors (\`&web\`), aliases (\`*web\`) and merge keys (\`<<: *web\`, or \`<<: [*web, *dns]\`, where the first section that has a
  key takes precedence) work in every file. Keys that begin with \`x-\` are yours, at the top of a file and inside sections:
  prefixd ignores them, and their anchors can be used below.
- Relative paths are resolved from the configuration folder.
- Secrets are never in the files: a key that ends in \`_env\` names the environment variable that contains one.
- \`inventory.yaml\` and \`playbooks.yaml\` of upstream prefixd load unchanged.
- Only regular files are read, of at most ${sizeWords(LIMITS.inventoryBytes)} (\`inventory.yaml\`), ${sizeWords(LIMITS.settingsBytes)} (\`prefixd.yaml\`) and ${sizeWords(LIMITS.playbooksBytes)} (each of at
  most ${LIMITS.playbookFiles} playbook files, ${sizeWords(LIMITS.allPlaybooksBytes)} in total). Lists and sections are nested at most ${LIMITS.depth} deep, and keys are written
  \`key:\`, not with \`?\`. Reading a folder stops after ${LIMITS.milliseconds / 1000} s, or when it takes half of the memory or ${LIMITS.heapMib / 1024} GiB.

The shortest useful \`prefixd.yaml\`:

\`\`\`yaml
# prefixd.yaml
bgp:
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors:
    - { name: edge1, address: "192.0.2.1", peer_asn: 65001 }
\`\`\`

Besides \`guardrails.protected\`, no rule ever covers the router id, a neighbor's address, the local address of a session, or
the address of \`bgp.listen\`.
`;

/** Returns the page in Markdown. */
export function configurationReference(): string {
  return [
    HEAD,
    filePage('prefixd.yaml', settingsSchema),
    filePage('inventory.yaml', inventorySchema),
    filePage('playbooks.yaml', playbooksSchema),
    filePage('users.yaml', usersSchema),
  ].join('\n');
}

/** Stands for a name that the reader chooses. */
const OTHER = '<name>';

/** A table of the plain keys of one section. */
interface ReferenceSection {
  readonly path: string;
  readonly description: string | undefined;
  readonly rows: readonly string[];
}

function filePage(file: string, schema: z.ZodType): string {
  const sections = [...sectionsOf('', describeSchema(schema))].filter(
    ({ path, rows }) => rows.length > 0 && !path.startsWith('default_playbook.steps[]'),
  );
  return [`## ${file}\n`, ...sections.map(sectionText)].join('\n');
}

function sectionText({ path, description, rows }: ReferenceSection): string {
  const title = path === '' ? '' : `### \`${path}\`\n\n`;
  const words = description === undefined ? '' : `${description}\n\n`;
  const table = ['| key | takes | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
  return `${title}${words}${table}\n`;
}

/** Yields a section, then the sections inside it, in the order of the schema. */
function* sectionsOf(path: string, node: SchemaNode): Iterable<ReferenceSection> {
  const required = new Set(node.required);
  const further = node.additionalProperties;
  const entries = [
    ...Object.entries(node.properties ?? {}),
    ...(typeof further === 'object' ? [[OTHER, further] as const] : []),
  ];
  const rows: string[] = [];
  for (const [key, child] of entries) {
    if (inside(child).length === 0) rows.push(row(key, child, required.has(key)));
  }
  yield { path, description: node.description, rows };
  for (const [key, child] of entries) {
    const below = path === '' ? key : `${path}.${key}`;
    for (const { node: inner, suffix } of inside(child)) {
      const description = inner.description ?? child.description;
      const must = required.has(key) ? 'Required.' : undefined;
      const words = [description, must].filter((text) => text !== undefined).join(' ');
      yield* sectionsOf(below + suffix, { ...inner, ...(words === '' ? {} : { description: words }) });
    }
  }
}

/** Returns the sections of a key: itself, its list's items, or the items' alternatives. */
function inside(node: SchemaNode): readonly { readonly node: SchemaNode; readonly suffix: string }[] {
  if (node.properties !== undefined) return [{ node, suffix: '' }];
  const entries = node.additionalProperties;
  if (typeof entries === 'object' && entries.properties !== undefined)
    return [{ node: entries, suffix: `.${OTHER}` }];
  const items = node.items;
  if (items?.properties !== undefined) return [{ node: items, suffix: '[]' }];
  return (items?.oneOf ?? []).map((option) => ({
    node: { ...option, description: option.properties?.type?.description ?? '' },
    suffix: `[] (type: ${String(option.properties?.type?.const)})`,
  }));
}

function row(key: string, node: SchemaNode, isRequired: boolean): string {
  const usual = node.default === undefined ? (isRequired ? 'required' : '') : code(node.default);
  return `| \`${key}\` | ${cell(takes(node))} | ${usual} | ${cell(node.description ?? '')} |`;
}

function takes(node: SchemaNode): string {
  const values = node.additionalProperties;
  if (node.type === 'object' && typeof values === 'object')
    return `a section of names, each: ${expected(values)}`;
  if (node.type === undefined && node.anyOf === undefined && node.expects === undefined) return 'anything';
  return expected(node);
}

function code(value: unknown): string {
  return `\`${JSON.stringify(value)}\``.replaceAll('|', '\\|');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
