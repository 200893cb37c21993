/** Implements `login`, `logout` and `users hash`. */
import type { Command } from 'commander';
import { hashPassword } from '../../people/passwords.ts';
import { list, record, text } from '../answer.ts';
import { signInWithBrowser } from '../browser-sign-in.ts';
import { type ApiClient, apiBase, ApiError, withClient } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { CliError, type CommandContext, Exit } from '../command-context.ts';
import { readNumber } from '../options.ts';
import { readSecret } from '../secret-prompt.ts';
import { savedSignIn, saveSignIn } from '../sign-in-store.ts';
import { json } from '../tables.ts';

/** Shortest password for the users file (characters). */
const LEAST_LENGTH = 10;

export function registerLogin(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('login')
    .description('sign in as a person, for the commands that follow')
    .details(
      'Opens a browser page of the OpenID Connect provider, or with --name asks for the password of the users file.',
      'The sign-in is saved for this daemon, readable by you only; --token and PREFIXD_API_TOKEN take precedence over it.',
      'In a script, pipe the password into prefixd login --name NAME.',
    )
    .option('--name <name>', 'sign in with the password of this person of the users file')
    .option('--port <number>', 'port of 127.0.0.1 to which the browser returns (default: any free one)')
    .examples('prefixd login', 'prefixd login --name alice --api https://prefixd.example.net')
    .action(async (options: LoginOptions, command: Command) => {
      await login(contextFor(command), options);
    });

  program
    .command('logout')
    .description('end the sign-in at this daemon')
    .details('Ends it at the daemon, and removes it here even if the daemon cannot be reached.')
    .examples('prefixd logout')
    .action(async (_options, command: Command) => {
      await logout(contextFor(command));
    });

  const users = program
    .command('users')
    .description('work with the users file')
    .examples('prefixd users hash');

  users
    .command('hash')
    .description("hash a person's password for the users file")
    .details(
      'Asks for the password twice at a terminal, or reads it from standard input. Prints the value of password.',
    )
    .examples('prefixd users hash')
    .action(async (_options, command: Command) => {
      await hash(contextFor(command));
    });
}

interface LoginOptions {
  readonly name?: string;
  readonly port?: string;
}

async function login(context: CommandContext, { name, port }: LoginOptions): Promise<void> {
  const base = apiBase(context);
  refuseReadable(base);
  const answer = await withClient(context, async (client) => {
    const ways = record(await client.get('/v1/sign-in'));
    if (name !== undefined) return withPassword(context, client, name);
    if (typeof ways.oidc === 'string') {
      const begin = ways.oidc.startsWith('/') ? base + ways.oidc : ways.oidc;
      const wanted = port === undefined ? 0 : readNumber('--port', port);
      const brought = await signInWithBrowser(context.io, begin, wanted);
      return client.post('/v1/sign-in/oidc/token', brought);
    }
    const advice =
      ways.password === true
        ? 'name the person of the users file: prefixd login --name NAME'
        : 'people cannot sign in at this daemon (http.auth.sign_in); use a token';
    throw new CliError(Exit.InvalidInput, advice);
  });
  const { token, name: signedIn, role, scope, ends_at: endsAt } = record(answer);
  if (typeof token !== 'string') throw new CliError(Exit.Other, 'the daemon sent no token');
  await saveSignIn(context.io, base, { token, name: text(signedIn), endsAt: text(endsAt) });
  if (context.options.format === 'json') {
    const { token: _secret, ...shown } = record(answer);
    context.io.stdout.write(json(shown));
    return;
  }
  const limits = scopeWords(scope);
  context.io.stdout.write(
    `Signed in at ${base} as ${text(signedIn)} (${text(role)}${limits}), until ${text(endsAt)} at the latest.\n`,
  );
}

async function withPassword(context: CommandContext, client: ApiClient, name: string): Promise<unknown> {
  const password = await readSecret(context.io, `Password of ${name}`);
  return client.post('/v1/sign-in', { name, password, session: 'token' });
}

/** Refuses to send a password where others can read it; the daemon would refuse it too late. */
function refuseReadable(base: string): void {
  const { protocol, hostname } = new URL(base);
  const isLocal = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
  if (protocol === 'https:' || isLocal) return;
  throw new CliError(Exit.InvalidInput, `${base} is not encrypted: sign in at its https:// address`);
}

/** Words such as `, limited to customers acme`. */
function scopeWords(scope: unknown): string {
  return Object.entries(record(scope))
    .filter(([, names]) => Array.isArray(names))
    .map(([key, names]) => `, limited to ${key} ${list(names).map(text).join(', ') || '(none)'}`)
    .join('');
}

async function logout(context: CommandContext): Promise<void> {
  const base = apiBase(context);
  const saved = await savedSignIn(context.io, base);
  if (saved === undefined) {
    throw new CliError(Exit.NotFound, `you are not signed in at ${base}`);
  }
  await saveSignIn(context.io, base, undefined);
  const own = { ...context, options: { ...context.options, token: saved.token } };
  try {
    await withClient(own, (client) => client.post('/v1/sign-out', undefined));
  } catch (error) {
    // It had ended already.
    const isOver = error instanceof ApiError && error.status === 401;
    if (!isOver && error instanceof CliError) {
      context.io.stderr.write(`prefixd: removed here, but the daemon was not told: ${error.message}\n`);
      context.io.stderr.write('The sign-in ends there when its time is over.\n');
    } else if (!isOver) throw error;
  }
  if (context.options.format === 'json') context.io.stdout.write(json({ api: base, signed_out: true }));
  else context.io.stdout.write(`Signed out at ${base}.\n`);
}

async function hash(context: CommandContext): Promise<void> {
  const { io } = context;
  const password = await readSecret(io, 'Password');
  if ([...password].length < LEAST_LENGTH) {
    throw new CliError(Exit.InvalidInput, `the password needs at least ${LEAST_LENGTH} characters`);
  }
  if (io.inputIsTerminal && (await readSecret(io, 'The same password again')) !== password) {
    throw new CliError(Exit.InvalidInput, 'the two passwords differ');
  }
  const hashed = await hashPassword(password);
  io.stdout.write(context.options.format === 'json' ? json({ password: hashed }) : `${hashed}\n`);
}
