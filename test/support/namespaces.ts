/** Two network namespaces joined by one link, each with a link-local IPv6 address. Needs root and `ip` of iproute2. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { findProgram, output, type Running, start } from './children.ts';
import { missingProgram } from './daemons.ts';

/** For the `skip` option of a test, as `missingProgram` says it. With CI=true nothing is skipped. */
export function missingNamespaces(): string | false {
  const missing = missingProgram('ip', 'iproute2');
  if (missing !== false || process.env.CI === 'true' || process.getuid?.() === 0) return missing;
  return 'network namespaces need root; Debian package: iproute2';
}

/** One of the two ends. */
export interface NamespaceEnd {
  /** Address of the other end as this one dials it, with the zone: `fe80::b%pfx0`. */
  readonly peer: string;
  /** This end's own address, with the zone. */
  readonly own: string;
  /** Runs a TypeScript program inside the namespace; ends as `start` of children.ts does. */
  run(program: string, argument: unknown): Running;
}

export interface Namespaces {
  readonly a: NamespaceEnd;
  readonly b: NamespaceEnd;
  /** Takes both away, with the link between them; a second time it does nothing. */
  remove(): Promise<void>;
}

const LINK = 'pfx0';
let made = 0;

/** Namespaces that stand. They outlive whoever made them, so a process that is ended early takes them along. */
const standing = new Set<string>();
process.on('exit', () => {
  for (const name of standing) spawnSync(findProgram('ip') ?? 'ip', ['netns', 'delete', name]);
});

/** Makes both; what was made is taken away again when something fails on the way. */
export async function joinedNamespaces(): Promise<Namespaces> {
  const ip = (...args: string[]) => output(findProgram('ip') ?? 'ip', args);
  made++;
  const [a, b] = ['a', 'b'].map((end) => `prefixd-${process.pid}-${made}-${end}`) as [string, string];
  const remove = async (): Promise<void> => {
    for (const name of [a, b]) {
      if (standing.delete(name)) await ip('netns', 'delete', name);
    }
  };
  try {
    for (const name of [a, b]) {
      await ip('netns', 'add', name);
      standing.add(name);
    }
    await ip('-n', a, 'link', 'add', LINK, 'type', 'veth', 'peer', 'name', LINK, 'netns', b);
    for (const [name, address] of [
      [a, 'fe80::a'],
      [b, 'fe80::b'],
    ] as const) {
      // Exactly this address, and at once: no address of the kernel's choice, no duplicate address detection.
      await ip('-n', name, 'link', 'set', 'dev', LINK, 'addrgenmode', 'none');
      await ip('-n', name, 'address', 'add', `${address}/64`, 'dev', LINK, 'nodad');
      await ip('-n', name, 'link', 'set', 'dev', LINK, 'up');
    }
  } catch (error) {
    await remove();
    throw error;
  }
  const end = (name: string, own: string, peer: string): NamespaceEnd => ({
    own: `${own}%${LINK}`,
    peer: `${peer}%${LINK}`,
    run: (program, argument) =>
      start(findProgram('ip') ?? 'ip', [
        ...['netns', 'exec', name, process.execPath, '--import', import.meta.resolve('tsx')],
        ...[join(import.meta.dirname, program), JSON.stringify(argument)],
      ]),
  });
  return { a: end(a, 'fe80::a', 'fe80::b'), b: end(b, 'fe80::b', 'fe80::a'), remove };
}
