/** Builds the built-in configuration: a lab on loopback, checked by the same schemas as files are. */
import { resolve } from 'node:path';
import { assemble } from './assemble.ts';
import { readPlaybooks } from './load.ts';
import type { Environment } from './secrets.ts';
import type { ConfigProblem, ConfigResult } from './types.ts';
import type { YamlSource } from './yaml/yaml.ts';

/** Data with the keys of a file. */
type DefaultSection = Readonly<Record<string, unknown>>;

/** Replaces parts of the built-in configuration. */
export interface DefaultOverrides {
  /** Merged into the built-in prefixd.yaml, section by section; lists and plain values replace the built-in ones. */
  readonly settings?: DefaultSection;
  /** Replaces the built-in inventory. */
  readonly inventory?: DefaultSection;
  /** Folder that contains a `playbooks` folder. Default: the package. */
  readonly playbooksIn?: string;
  /** Base of relative paths. Default: the working directory. */
  readonly folder?: string;
  readonly environment?: Environment;
}

/** The package's root: two levels above this folder, in `src` and in `dist`. */
export const PACKAGE = resolve(import.meta.dirname, '../..');

const SETTINGS: DefaultSection = {
  pop: 'lab',
  bgp: {
    local_asn: 65010,
    router_id: '192.0.2.10',
    neighbors: [{ name: 'lab', address: '127.0.0.1', port: 1790, peer_asn: 65001 }],
  },
  observability: { log_format: 'text' },
};

/** Uses addresses reserved for documentation (RFC 5737, RFC 3849). */
const INVENTORY: DefaultSection = {
  customers: [
    {
      customer_id: 'acme',
      name: 'ACME',
      prefixes: ['203.0.113.0/24', '2001:db8:acd::/48'],
      services: [
        {
          service_id: 'dns',
          name: 'DNS',
          assets: [{ ip: '203.0.113.10' }],
          allowed_ports: { udp: [53], tcp: [53] },
        },
        {
          service_id: 'web',
          name: 'Web',
          assets: [{ ip: '203.0.113.20' }, { ip: '2001:db8:acd::20' }],
          allowed_ports: { tcp: [80, 443] },
        },
      ],
    },
    {
      customer_id: 'globex',
      name: 'Globex',
      prefixes: ['198.51.100.0/24'],
      policy_profile: 'strict',
    },
  ],
};

/** Returns the built-in configuration with the bundled playbooks. */
export async function defaultConfig(overrides: DefaultOverrides = {}): Promise<ConfigResult> {
  const problems: ConfigProblem[] = [];
  const playbooks = await readPlaybooks(overrides.playbooksIn ?? PACKAGE, problems);
  const result = assemble(
    {
      settings: builtIn('prefixd.yaml', overlay(SETTINGS, overrides.settings ?? {})),
      inventory: builtIn('inventory.yaml', overrides.inventory ?? INVENTORY),
      playbooks,
      folder: resolve(overrides.folder ?? '.'),
      directory: null,
      files: playbooks.map(({ file }) => resolve(file)),
    },
    overrides.environment ?? {},
  );
  if (problems.length === 0) return result;
  return {
    ok: false,
    problems: [...problems, ...(result.ok ? [] : result.problems)],
    warnings: result.warnings,
  };
}

/** Wraps data that is not in a file. */
function builtIn(name: string, value: unknown): YamlSource {
  return {
    file: `built-in ${name}`,
    value,
    problems: [],
    readable: true,
    place: () => ({ line: 1, column: 1 }),
    written: () => undefined,
    keys: () => [],
  };
}

function overlay(below: DefaultSection, above: DefaultSection): DefaultSection {
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const under = merged[key];
    merged[key] = isSection(under) && isSection(value) ? overlay(under, value) : value;
  }
  return merged;
}

function isSection(value: unknown): value is DefaultSection {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
