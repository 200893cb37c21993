/** Creates configuration folders for tests. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import type { Environment } from '../../src/config/secrets.ts';
import type { ConfigProblem, ConfigResult, LoadedConfig } from '../../src/config/types.ts';

/** The shortest useful prefixd.yaml; tests append text after the neighbor. */
export const SHORTEST = `bgp:
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors:
    - name: edge1
      address: "192.0.2.1"
      peer_asn: 65001
`;

export const INVENTORY = `customers:
  - customer_id: acme
    prefixes: ["203.0.113.0/24"]
`;

export const PLAYBOOKS = `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 5000000, ttl_seconds: 120 }]
`;

type Files = Readonly<Record<string, string | Uint8Array>>;

/** Creates a folder with these files; it is removed after the test. */
export async function folder(t: TestContext, files: Files): Promise<string> {
  const { path, remove } = await temporaryFolder(files);
  t.after(remove);
  return path;
}

/** Creates a folder with these files; the caller removes it. */
export async function temporaryFolder(files: Files): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'prefixd-config-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), content);
  }
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Loads a prefixd.yaml with a valid inventory and playbooks; `files` replaces or adds files. */
export async function load(
  t: TestContext,
  settings: string,
  environment: Environment | null = {},
  files: Readonly<Record<string, string>> = {},
): Promise<ConfigResult> {
  const all = {
    'prefixd.yaml': settings,
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
    ...files,
  };
  return loadConfig(await folder(t, all), environment);
}

/** Returns the configuration; fails the test if there are problems. */
export function sound(result: ConfigResult): LoadedConfig {
  if (!result.ok) throw new Error(`refused: ${result.problems.map(brief).join(' | ')}`);
  return result.config;
}

/** Formats problems as `file:line:column path: message; fix`, without the folder. */
export function problemsOf(result: ConfigResult): readonly string[] {
  return result.ok ? [] : result.problems.map(brief);
}

export function warningsOf(result: ConfigResult): readonly string[] {
  return result.warnings.map(brief);
}

function brief({ file, line, column, path, message, fix }: ConfigProblem): string {
  const name = file.split('/').slice(-1)[0] ?? file;
  const place = line === null ? name : `${name}:${line}:${column}`;
  return `${place} ${path}: ${message}${fix === '' ? '' : `; ${fix}`}`;
}
