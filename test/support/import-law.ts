/**
 * The rules of the house as a check over source text: who may import whom, no cycles, and what a pure room may not do.
 * Reads text, not syntax trees: comments and the insides of strings are taken out first, so that a word in a sentence
 * is not taken for code.
 */

/** A source file; `path` is relative to src/ with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One import, export-from or dynamic import. */
export interface ImportSite {
  readonly specifier: string;
  /** 1-based. */
  readonly line: number;
  /** `import type` and `export type`: gone at run time. */
  readonly typeOnly: boolean;
}

/** Rooms and what they may import besides themselves and net. `*` after bgp/ stands for every room of bgp. */
const LAW: Readonly<Record<string, readonly string[]>> = {
  net: [],
  'bgp/wire': [],
  'bgp/flowspec': ['bgp/wire'],
  'bgp/fsm': ['bgp/wire'],
  'bgp/rib': ['bgp/wire', 'bgp/flowspec'],
  'bgp/speaker': ['bgp/*'],
  core: [],
  view: ['core'],
  intake: ['core'],
  postgres: [],
  store: ['core', 'view', 'postgres'],
  control: ['core', 'store', 'bgp/*'],
  exchange: ['core', 'control', 'postgres'],
  alert: ['core', 'view'],
  cloud: ['alert', 'core', 'store', 'view'],
  inventory: ['core', 'store', 'view'],
  access: ['core'],
  people: ['access', 'core'],
  http: ['access', 'people', 'core', 'intake', 'control', 'exchange', 'view'],
  lab: ['bgp/*'],
  config: [
    'access',
    'people',
    'core',
    'intake',
    'store',
    'control',
    'alert',
    'cloud',
    'http',
    'inventory',
    'bgp/*',
  ],
  app: [
    'config',
    'core',
    'intake',
    'store',
    'control',
    'exchange',
    'alert',
    'cloud',
    'http',
    'inventory',
    'lab',
    'view',
    'bgp/*',
  ],
  tools: ['bgp/*'],
  cli: ['app', 'config', 'people', 'core', 'intake', 'store', 'exchange', 'tools', 'view', 'bgp/*'],
};

const PURE_ROOMS = new Set([
  'net',
  'bgp/wire',
  'bgp/flowspec',
  'bgp/fsm',
  'bgp/rib',
  'core',
  'view',
  'intake',
  'access',
  'tools',
]);
const PURE_FILES = new Set(['control/desired.ts', 'control/egress.ts', 'control/egress-unicast.ts']);

/** Packages that only the named files or rooms may import. */
const RESERVED: Readonly<Record<string, readonly string[]>> = {
  'ip-num': ['net/prefix.ts'],
  'json-p3': ['intake/webhook/json-path.ts'],
  '@eslint-community/regexpp': ['intake/webhook/safe-pattern.ts'],
  koffi: ['bgp/speaker/tcp/socket-options.ts', 'store/journal/kernel-lock.ts'],
  pg: ['postgres/'],
  'prom-client': ['app/'],
  fastify: ['http/'],
  commander: ['cli/'],
  'openid-client': ['people/'],
};

/** Packages without effects: the only ones that a pure room may import. */
const PURE_PACKAGES = new Set(['ip-num', 'zod', 'yaml', 'json-p3', '@eslint-community/regexpp']);

/** Expressions that a pure room must not contain, with the reason. */
const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\s*\.\s*now\b/, 'Date.now: the time is passed in'],
  [/\bnew\s+Date\s*(?:\(\s*\)|(?!\s*\())/, 'new Date(): the time is passed in'],
  [/(?<!new\s)(?<![.\w$])Date\s*\(/, 'Date(): the time is passed in'],
  [/(?<![.\w$])Temporal\s*\.\s*Now\b/, 'Temporal.Now: the time is passed in'],
  [/\bMath\s*\.\s*random\b/, 'Math.random: randomness is passed in'],
  [/(?<![.\w$])crypto\s*\.|\brandomUUID\b|\bgetRandomValues\b/, 'crypto: ids are passed in'],
  [/(?<![.\w$])performance\s*\./, 'performance: the time is passed in'],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'a timer: timers live in the shell'],
  [/(?<![.\w$])Buffer\b/, 'Buffer: octets are Uint8Array here'],
  [/(?<![.\w$])process\s*(?:\.|\[)/, 'process: settings are passed in'],
  [/(?<![.\w$])(?:console|globalThis)\s*\./, 'console or globalThis: effects live in the shell'],
  [/(?<![.\w$])fetch\s*\(/, 'fetch: I/O lives in the shell'],
];

/**
 * Expressions that no file may contain: ways around the compiler. The first group is searched in the whole text,
 * including comments.
 */
const FORBIDDEN_TEXT: readonly (readonly [RegExp, string])[] = [
  [/@ts-(?:ignore|expect-error|nocheck)|biome-ignore/, 'switches a check off'],
];
const FORBIDDEN_CODE: readonly (readonly [RegExp, string])[] = [
  [/\bas\s+unknown\s+as\b/, '`as unknown as` goes around the compiler'],
  [
    /\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/,
    'a default export: names are given once, where things are defined',
  ],
];

/**
 * Returns every violation of the rules in these files as `path:line: what`. `packages` are the declared dependencies.
 */
export function breaches(files: readonly SourceFile[], packages: readonly string[]): readonly string[] {
  const known = new Set(files.map((file) => file.path));
  const declared = new Set(packages);
  const graph = new Map<string, readonly string[]>();
  const found: string[] = [];
  const sources = files.map((file) => ({ ...file, scanned: scan(file.text) }));
  const pureFiles = withWhatTheyRun(sources);
  for (const file of sources) {
    const { scanned } = file;
    const pure = pureFiles.has(file.path);
    const say = (line: number, what: string): void => {
      found.push(`src/${file.path}:${line}: ${what}`);
    };
    if (LAW[roomOf(file.path)] === undefined) say(1, 'belongs to no room of the house');
    if (/(?:^|\/)index\.ts$/.test(file.path)) say(1, 'an index.ts: there are no barrels');
    const targets: string[] = [];
    for (const site of importsOf(scanned)) {
      if (site.specifier.startsWith('.')) {
        const target = resolve(file.path, site.specifier);
        if (target !== undefined && known.has(target)) targets.push(target);
        const wrong = relativeBreach(file.path, site, target, known);
        if (wrong !== undefined) say(site.line, wrong);
      } else {
        const wrong = packageBreach(file.path, pure, site, declared);
        if (wrong !== undefined) say(site.line, wrong);
      }
    }
    graph.set(file.path, targets);
    const lineOf = (text: string, index: number): number => text.slice(0, index).split('\n').length;
    const search = (text: string, rules: readonly (readonly [RegExp, string])[]): void => {
      for (const [pattern, why] of rules) {
        const hit = pattern.exec(text);
        if (hit !== null) say(lineOf(text, hit.index), why);
      }
    };
    search(file.text, FORBIDDEN_TEXT);
    search(scanned.code, FORBIDDEN_CODE);
    const opaque = /\b(?:import|require)\s*\(\s*(?!")[^)\s]/.exec(scanned.code);
    if (opaque !== null) say(lineOf(scanned.code, opaque.index), 'a dynamic import must name its module');
    if (pure) search(scanned.code, IMPURE);
  }
  for (const cycle of cycles(graph)) found.push(`cycle: ${cycle.join(' -> ')}`);
  return found;
}

function relativeBreach(
  from: string,
  site: ImportSite,
  target: string | undefined,
  known: ReadonlySet<string>,
): string | undefined {
  if (target === undefined || !site.specifier.endsWith('.ts') || !known.has(target)) {
    return `"${site.specifier}" is no .ts file under src/`;
  }
  const [mine, theirs] = [roomOf(from), roomOf(target)];
  if (!mayImport(mine, theirs)) return `${mine} may not import ${theirs} ("${site.specifier}")`;
  return undefined;
}

function packageBreach(
  from: string,
  pure: boolean,
  site: ImportSite,
  declared: ReadonlySet<string>,
): string | undefined {
  if (site.specifier.startsWith('node:')) {
    return pure ? `a pure room may not import "${site.specifier}"` : undefined;
  }
  const name = site.specifier.split('/', site.specifier.startsWith('@') ? 2 : 1).join('/');
  if (!declared.has(name)) return `"${name}" is not a dependency in package.json (or lacks "node:")`;
  const owners = RESERVED[name];
  if (owners?.every((owner) => from !== owner && !(owner.endsWith('/') && from.startsWith(owner)))) {
    return `only ${owners.join(' and ')} may import ${name}`;
  }
  if (pure && !PURE_PACKAGES.has(name)) return `a pure room may not import "${name}"`;
  return undefined;
}

function mayImport(from: string, to: string): boolean {
  if (from === to || to === 'net') return true;
  return (LAW[from] ?? []).some(
    (allowed) => allowed === to || (allowed === 'bgp/*' && to.startsWith('bgp/')),
  );
}

/** Returns the pure files and every file whose code they run, which must be pure too. */
function withWhatTheyRun(
  files: readonly { readonly path: string; readonly scanned: Scanned }[],
): ReadonlySet<string> {
  const byPath = new Map(files.map((file) => [file.path, file.scanned]));
  const pure = new Set<string>();
  const add = (path: string): void => {
    const scanned = byPath.get(path);
    if (scanned === undefined || pure.has(path)) return;
    pure.add(path);
    for (const site of importsOf(scanned)) {
      if (site.typeOnly || !site.specifier.startsWith('.')) continue;
      const target = resolve(path, site.specifier);
      if (target !== undefined) add(target);
    }
  };
  for (const { path } of files) if (PURE_ROOMS.has(roomOf(path)) || PURE_FILES.has(path)) add(path);
  return pure;
}

/** `bgp/wire/open.ts` -> `bgp/wire`; `core/state/state.ts` -> `core`; a file directly under src/ has no room. */
export function roomOf(path: string): string {
  const parts = path.split('/');
  return parts.slice(0, Math.min(parts.length - 1, parts[0] === 'bgp' ? 2 : 1)).join('/');
}

function resolve(from: string, specifier: string): string | undefined {
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

/** Each cycle once, starting at the file where the walk met it. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const done = new Set<string>();
  const path: string[] = [];
  const found: (readonly string[])[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return found;
}

/**
 * Text with comments blanked and every string literal replaced by its number in `strings`, as `"7"`. Lines are kept.
 */
interface Scanned {
  readonly code: string;
  readonly strings: readonly string[];
}

/** The imports of a file in order. */
export function importsOf(source: Scanned | string): readonly ImportSite[] {
  const { code, strings } = typeof source === 'string' ? scan(source) : source;
  const pattern =
    /\b(import|export)\b(\s+type\b)?(?:[^"';]*?\bfrom)?\s*"(\d+)"|\b(?:import|require)\s*\(\s*"(\d+)"/g;
  const sites: ImportSite[] = [];
  for (const hit of code.matchAll(pattern)) {
    const specifier = strings[Number(hit[3] ?? hit[4])];
    if (specifier === undefined) continue;
    const line = code.slice(0, hit.index).split('\n').length;
    sites.push({ specifier, line, typeOnly: hit[2] !== undefined });
  }
  return sites;
}

/** A regular expression may follow these; a division may not. */
const BEFORE_REGEX = /(?:^|[=(,:;!&|?{}[+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|throw))\s*$/;

export function scan(text: string): Scanned {
  const strings: string[] = [];
  let code = '';
  let at = 0;
  /** Depth of braces at which each open template's `${` was met. */
  const templates: number[] = [];
  let depth = 0;

  const literal = (content: string): void => {
    code += `"${strings.length}"${'\n'.repeat(content.split('\n').length - 1)}`;
    strings.push(content);
  };
  /** Reads up to an unescaped `end` (or, in a template, `${`); returns what it read and leaves `at` behind it. */
  const until = (ends: readonly string[]): string => {
    const start = at;
    while (at < text.length) {
      if (text[at] === '\\') {
        at += 2;
        continue;
      }
      const end = ends.find((candidate) => text.startsWith(candidate, at));
      if (end !== undefined) {
        const content = text.slice(start, at);
        at += end.length;
        if (end === '${') templates.push(depth);
        return content;
      }
      at++;
    }
    return text.slice(start);
  };
  const regex = (): void => {
    let inClass = false;
    for (at++; at < text.length && text[at] !== '\n'; at++) {
      const char = text[at];
      if (char === '\\') at++;
      else if (char === '[') inClass = true;
      else if (char === ']') inClass = false;
      else if (char === '/' && !inClass) break;
    }
    at++;
    code += ' 0 ';
  };

  while (at < text.length) {
    const char = text[at] as string;
    if (text.startsWith('//', at)) {
      while (at < text.length && text[at] !== '\n') at++;
    } else if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2);
      const stop = end < 0 ? text.length : end + 2;
      code += ` ${text.slice(at, stop).replace(/[^\n]/g, '')}`;
      at = stop;
    } else if (char === "'" || char === '"') {
      at++;
      literal(until([char, '\n']));
    } else if (char === '`') {
      at++;
      literal(until(['`', '${']));
    } else if (char === '}' && templates.at(-1) === depth) {
      templates.pop();
      at++;
      literal(until(['`', '${']));
    } else if (char === '/' && BEFORE_REGEX.test(code.slice(-40))) {
      regex();
    } else {
      if (char === '{') depth++;
      if (char === '}') depth--;
      code += char;
      at++;
    }
  }
  return { code, strings };
}
