/** A PostgreSQL server of a test's own (Debian: postgresql), in a temporary folder, on a UNIX socket. */
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { output, type Running, start, until } from './children.ts';

/** Debian keeps each version's programs in a folder of its own. */
const VERSIONS = '/usr/lib/postgresql';
const DATABASE = 'prefixd';
const PORT = 5432;

function programs(): string | undefined {
  if (!existsSync(VERSIONS)) return undefined;
  const newest = readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a));
  return newest.map((version) => join(VERSIONS, version, 'bin')).find((bin) => existsSync(`${bin}/initdb`));
}

/** For the `skip` option of a test; with CI=true nothing is skipped. */
export function missingPostgres(): string | false {
  if (process.env.CI === 'true' || programs() !== undefined) return false;
  return 'postgres is not installed; Debian package: postgresql';
}

export interface PostgresServer {
  /** Also the folder of the socket. */
  readonly folder: string;
  /** The path of the socket. */
  readonly socket: string;
  /** URL by the socket, or by a host and port in front of it. */
  url(at?: { readonly host: string; readonly port: number }, database?: string): string;
  /** Runs SQL as the superuser, past everything in between; returns psql's unaligned output. */
  sql(text: string, database?: string): Promise<string>;
  /** Stops it: `SIGINT` closes sessions, `SIGKILL` is a crash. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after a stop. */
  start(): Promise<void>;
  /** Makes a standby of it, which streams until it is stopped or promoted. */
  standby(): Promise<PostgresStandby>;
  log(): string;
  remove(): Promise<void>;
}

export interface PostgresStandby extends PostgresServer {
  promote(): Promise<void>;
}

/** Creates and starts a server with one empty database. `settings`: lines of postgresql.conf. */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const folder = await makeFolder();
  await run('initdb', [
    '--pgdata',
    `${folder}/data`,
    '--username',
    userInfo().username,
    '--auth=trust',
    '--encoding=UTF8',
    '--no-locale',
    '--no-sync',
  ]);
  const server = new Server(folder);
  await server.configure(settings);
  await server.start();
  await server.sql(`CREATE DATABASE ${DATABASE}`, 'postgres');
  return server;
}

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pg-'));
  await chmod(folder, 0o755);
  if (process.getuid?.() === 0) {
    const [uid, gid] = await ids();
    await chown(folder, uid, gid);
  }
  return folder;
}

/** The server refuses to run as root. */
async function ids(): Promise<readonly [uid: number, gid: number]> {
  const users = await readFile('/etc/passwd', 'utf8');
  const found = /^postgres:[^:]*:(\d+):(\d+):/m.exec(users) ?? /^nobody:[^:]*:(\d+):(\d+):/m.exec(users);
  return [Number(found?.[1]), Number(found?.[2])];
}

async function asUser(
  name: string,
  args: readonly string[],
): Promise<{ readonly program: string; readonly args: readonly string[] }> {
  const bin = programs();
  if (bin === undefined) throw new Error('postgres is not installed; Debian package: postgresql');
  if (process.getuid?.() !== 0) return { program: `${bin}/${name}`, args };
  const [uid, gid] = await ids();
  const user = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return { program: 'setpriv', args: [...user, `${bin}/${name}`, ...args] };
}

async function run(name: string, args: readonly string[]): Promise<string> {
  const command = await asUser(name, args);
  return output(command.program, command.args);
}

class Server implements PostgresStandby {
  readonly folder: string;
  #running: Running | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  get socket(): string {
    return `${this.folder}/.s.PGSQL.${PORT}`;
  }

  async configure(settings: readonly string[]): Promise<void> {
    const lines = [
      "listen_addresses = ''",
      `port = ${PORT}`,
      `unix_socket_directories = '${this.folder}'`,
      'max_wal_senders = 4',
      'max_connections = 40',
      'shared_buffers = 16MB',
      ...settings,
    ];
    await writeFile(`${this.folder}/data/postgresql.auto.conf`, `${lines.join('\n')}\n`);
  }

  url(at?: { readonly host: string; readonly port: number }, database = DATABASE): string {
    const user = encodeURIComponent(userInfo().username);
    if (at === undefined) {
      return `postgresql://${user}@/${database}?host=${encodeURIComponent(this.folder)}&port=${PORT}`;
    }
    return `postgresql://${user}@${at.host}:${at.port}/${database}`;
  }

  async sql(text: string, database = DATABASE): Promise<string> {
    const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', this.folder, '-p', `${PORT}`];
    const user = ['-U', userInfo().username, '-d', database];
    return (await output(`${programs()}/psql`, [...args, ...user, '-c', text])).trim();
  }

  async start(): Promise<void> {
    const command = await asUser('postgres', ['-D', `${this.folder}/data`]);
    const running = start(command.program, command.args);
    this.#running = running;
    await until('PostgreSQL answers', async () => {
      if (running.ended) throw new Error(running.log());
      return (await this.sql('SELECT 1', 'postgres')) === '1';
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    await this.#running?.stop(signal);
    // After a crash the sessions' processes end a moment later; until then the memory is in use.
    await until('the processes of PostgreSQL are gone', async () => {
      const pids = await output('pgrep', ['-f', `${this.folder}/data`]).catch(() => '');
      const sessions = await output('pgrep', ['-g', `${this.#running?.pid}`]).catch(() => '');
      return pids === '' && sessions === '';
    });
    await rm(`${this.folder}/data/postmaster.pid`, { force: true });
  }

  async standby(): Promise<PostgresStandby> {
    const folder = await makeFolder();
    const user = userInfo().username;
    const source = ['-h', this.folder, '-p', `${PORT}`, '-U', user];
    await run('pg_basebackup', [
      '-D',
      `${folder}/data`,
      '-X',
      'stream',
      '-c',
      'fast',
      '--no-sync',
      ...source,
    ]);
    const standby = new Server(folder);
    await standby.configure([`primary_conninfo = 'host=${this.folder} port=${PORT} user=${user}'`]);
    await writeFile(`${folder}/data/standby.signal`, '');
    await standby.start();
    return standby;
  }

  async promote(): Promise<void> {
    await this.sql('SELECT pg_promote(true)', 'postgres');
    await until('the standby is the primary', async () => {
      return (await this.sql('SELECT pg_is_in_recovery()', 'postgres')) === 'f';
    });
  }

  log(): string {
    return this.#running?.log() ?? '';
  }

  async remove(): Promise<void> {
    await this.stop('SIGQUIT');
    await rm(this.folder, { recursive: true, force: true });
  }
}
