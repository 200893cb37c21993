/**
 * A machine for the commands of README and docs. It is the documented one, moved: paths such as /etc/prefixd are below
 * a temporary folder, and ports are free ones. What needs root, systemd or the registry is a stand-in that does as much
 * of it as the pages rely on; everything else, prefixd among it, is real.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ownAddress } from './loopback.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const STAND_INS = join(import.meta.dirname, 'doc-stand-ins');

/** Only a command that hangs takes this long: the file's own timeout is shorter. */
const PAGE_TIMEOUT_MS = 600_000;

/** A page's output and exit. */
export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

export class Machine {
  readonly root: string;
  readonly clone: string;
  readonly #listen: string;
  readonly #router: string;
  readonly #labPort: number;
  /** The page whose commands failed. */
  #failed: string | undefined;

  private constructor(root: string, listen: string, labPort: number) {
    this.root = root;
    this.clone = join(root, 'clone');
    this.#listen = listen;
    this.#router = ownAddress();
    this.#labPort = labPort;
  }

  /** A machine with a clone of this repository, and nothing installed. */
  static async start(): Promise<Machine> {
    const root = await mkdtemp(join(tmpdir(), 'prefixd-docs-'));
    const address = ownAddress();
    const machine = new Machine(root, `${address}:${await freePort(address)}`, await freePort('127.0.0.1'));
    machine.#prepare();
    return machine;
  }

  #prepare(): void {
    for (const folder of [
      'home',
      'log',
      'stand-ins',
      'etc/systemd/system',
      'opt',
      'usr/local/bin',
      'var/lib',
      'var/spool',
    ])
      mkdirSync(join(this.root, folder), { recursive: true });
    writeFileSync(join(this.root, 'users'), 'root\nprometheus\n');
    for (const name of readdirSync(STAND_INS)) {
      const path = join(this.root, 'stand-ins', name);
      cpSync(join(STAND_INS, name), path);
      chmodSync(path, 0o755);
    }
    for (const part of ['src', 'adapters', 'playbooks', 'packaging', 'docs', 'fixtures'])
      cpSync(join(REPOSITORY, part), join(this.clone, part), { recursive: true });
    for (const name of readdirSync(REPOSITORY).filter((entry) =>
      /\.(?:md|json)$|^LICENSE$|^\.npmrc$/.test(entry),
    ))
      cpSync(join(REPOSITORY, name), join(this.clone, name));
    symlinkSync(join(REPOSITORY, 'node_modules'), join(this.clone, 'node_modules'));
    this.#moveFiles(join(this.clone, 'packaging'), (text) => this.moved(text));
    this.#moveFiles(join(this.clone, 'src'), (text) => this.#movedSource(text));
  }

  #moveFiles(folder: string, move: (text: string) => string): void {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const text = readFileSync(path, 'utf8');
      const moved = move(text);
      if (moved !== text) writeFileSync(path, moved);
    }
  }

  /** The built-in defaults: where the API, the configuration and the demo's router are. */
  #movedSource(text: string): string {
    return text
      .replaceAll('127.0.0.1:8080', this.#listen)
      .replaceAll("'/etc/prefixd'", `'${join(this.root, 'etc/prefixd')}'`)
      .replaceAll(/\b1790\b/g, String(this.#labPort));
  }

  /** A text of the documentation with the paths, addresses and ports of this machine. The router is nobody's. */
  moved(text: string): string {
    return text
      .replaceAll('127.0.0.1:8080', this.#listen)
      .replaceAll(/\b192\.0\.2\.1\b/g, this.#router)
      .replaceAll(/(?<![\w.~/$}])\/(etc|opt|usr\/local|var|backup)\//g, `${this.root}/$1/`)
      .replaceAll(/(?<![\w.~/$}])\/opt\/prefixd\b/g, `${this.root}/opt/prefixd`)
      .replaceAll(/(?<![\w.~/$}])\/backup\b/g, `${this.root}/backup`);
  }

  /** Gives the clone another version, as `git pull` would. */
  raiseVersion(version: string): void {
    const path = join(this.clone, 'package.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"version": "[^"]*"/, `"version": "${version}"`));
  }

  /**
   * Runs a script with `sh -e`. The variables that it exports or sets are there in the next one, as in the terminal of
   * somebody who reads page after page.
   */
  run(script: string): Promise<Outcome> {
    const state = join(this.root, 'state.sh');
    const parts = [
      existsSync(state) ? `. '${state}'` : '',
      `. '${join(this.root, 'stand-ins', 'prelude.sh')}'`,
      script,
      `set +e; set | grep -E '^(old|version)=' >'${state}'; export -p >>'${state}'`,
    ];
    const file = join(this.root, 'page.sh');
    writeFileSync(file, parts.join('\n'));
    return new Promise((resolve) => {
      const options = {
        cwd: this.clone,
        env: this.#environment(),
        timeout: PAGE_TIMEOUT_MS,
        maxBuffer: 2 ** 24,
      };
      const child = execFile('/bin/sh', ['-e', file], options, (error, stdout, stderr) => {
        resolve({ ok: error === null, output: `${stdout}\n${stderr}` });
      });
      child.stdin?.end();
    });
  }

  /**
   * `run`, for the script of a page that must succeed; resolves to what it printed. A page builds on those before it,
   * so none is run after one that failed.
   */
  async mustRun(page: string, script: string): Promise<string> {
    assert.equal(this.#failed, undefined, 'this page builds on one before it, which failed');
    const { ok, output } = await this.run(script);
    if (!ok) this.#failed = page;
    assert.ok(ok, `${page} failed behind the last of these lines:\n${output.slice(-4000)}`);
    return output;
  }

  #environment(): Readonly<Record<string, string>> {
    const path = [join(this.root, 'stand-ins'), join(this.root, 'usr/local/bin'), process.env.PATH ?? ''];
    return {
      PATH: path.join(':'),
      HOME: join(this.root, 'home'),
      USER: 'alice',
      LANG: 'C.UTF-8',
      MACHINE: this.root,
      MACHINE_API: `http://${this.#listen}`,
    };
  }

  /** Ends what still runs, by its own id, and removes everything. */
  stop(): void {
    const pids = join(this.root, 'pids');
    const started = existsSync(pids) ? readFileSync(pids, 'utf8').split('\n').filter(Boolean) : [];
    for (const pid of started) {
      try {
        process.kill(-Number(pid), 'SIGKILL');
      } catch {
        // It has ended already.
      }
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}
