/** Calls the API of a daemon, and turns what goes wrong into a message and an exit code. */
import { readFile } from 'node:fs/promises';
import { connectionError } from './connection-error.ts';
import { CliError, Exit } from './context.ts';
import type { Context, ExitCode } from './context.ts';
import { printable } from './render.ts';
import { openTransport } from './transport.ts';
import type { Call, CallLimits } from './transport.ts';

export const DEFAULT_API = 'http://127.0.0.1:8080';

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 30_000;

/** A connection to one daemon. */
export interface ApiClient {
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  remove(path: string): Promise<unknown>;
  close(): void;
}

/** Where the daemon is: `--api`, else PREFIXD_API, else 127.0.0.1:8080. */
export function apiBase(context: Context): string {
  // An empty variable is one that nobody set, as with the token.
  const said = context.options.api ?? (context.io.env.PREFIXD_API || DEFAULT_API);
  const text = said.includes('://') ? said : `http://${said}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new CliError(
      Exit.InvalidInput,
      `"${said}" is not the URL of an API; write one such as ${DEFAULT_API}`,
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** A client for the daemon that the options name. Nothing is sent yet. */
export async function openClient(context: Context, limits: Partial<CallLimits> = {}): Promise<ApiClient> {
  const base = apiBase(context);
  const token = context.options.token ?? context.io.env.PREFIXD_API_TOKEN;
  const { cacert, cert, key } = context.options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new CliError(Exit.InvalidInput, '--cert and --key go together');
  }
  const ca = cacert === undefined ? undefined : await pem(cacert);
  const certificates = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert: await pem(cert) }),
    ...(key === undefined ? {} : { key: await pem(key) }),
  };
  const transport = await openTransport(base, certificates, {
    connectMs: limits.connectMs ?? CONNECT_TIMEOUT_MS,
    answerMs: limits.answerMs ?? ANSWER_TIMEOUT_MS,
  });

  const call = async (method: Call['method'], path: string, body?: unknown): Promise<unknown> => {
    const headers = {
      accept: 'application/json',
      ...(token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    try {
      const { status, text } = await transport.send(base + path, { method, headers, ...sent });
      return readAnswer(status, text);
    } catch (error) {
      throw error instanceof CliError ? error : await connectionError(base, error, ca);
    }
  };

  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    remove: (path) => call('DELETE', path),
    close: () => transport.close(),
  };
}

/** Runs `use` with a client and closes it whatever happens. What an answer warns of is shown. */
export async function withClient<T>(
  context: Context,
  use: (client: ApiClient) => Promise<T>,
  limits: Partial<CallLimits> = {},
): Promise<T> {
  const client = await openClient(context, limits);
  try {
    return await use({
      ...client,
      post: async (path, body) => warnOf(context, await client.post(path, body)),
    });
  } finally {
    client.close();
  }
}

/** In JSON the warning is in the answer. */
function warnOf(context: Context, answer: unknown): unknown {
  const { warning } = Object(answer);
  if (typeof warning === 'string' && context.options.format !== 'json') {
    context.io.stderr.write(`warning: ${printable(warning)}\n`);
  }
  return answer;
}

async function pem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(Exit.InvalidInput, `${path} cannot be read: ${why}`);
  }
}

function readAnswer(status: number, text: string): unknown {
  const body = parseJson(text);
  if (status >= 200 && status < 300) {
    if (text !== '' && body === undefined)
      throw new CliError(Exit.Other, 'the answer is not JSON; is this the API?');
    return body;
  }
  throw new ApiError(status, body);
}

/** An answer that is an error. */
export class ApiError extends CliError {
  readonly status: number;
  /** What would happen, when the daemon wants it confirmed. */
  readonly unconfirmed: string | undefined;

  constructor(status: number, body: unknown) {
    super(exitCodeOf(status), messageOf(status, body));
    this.status = status;
    const { reason, effect, detail } = Object(body);
    this.unconfirmed = reason === 'needs_confirmation' ? String(effect ?? detail) : undefined;
  }
}

/** True for what another attempt may cure: the daemon is away, restarting, overloaded, or its disk is full. */
export function mayPass(error: unknown): error is CliError {
  if (error instanceof ApiError) return error.status === 429 || error.status >= 500;
  return error instanceof CliError && error.exitCode === Exit.CannotConnect;
}

function exitCodeOf(status: number): ExitCode {
  switch (status) {
    case 401:
    case 403:
      return Exit.NotAuthorised;
    case 404:
      return Exit.NotFound;
    case 400:
    case 413:
    case 415:
    case 422:
      return Exit.InvalidInput;
    default:
      return Exit.Other;
  }
}

function messageOf(status: number, body: unknown): string {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Readonly<
    Record<string, unknown>
  >;
  const detail = problem.detail ?? problem.error ?? problem.title;
  const said = typeof detail === 'string' ? detail : `the daemon answered ${status}`;
  const { reason, problems } = problem;
  const lines = [typeof reason === 'string' && !said.includes(`(${reason})`) ? `${said} (${reason})` : said];
  for (const one of Array.isArray(problems) ? problems.map(String) : []) {
    if (!said.includes(one)) lines.push(`  ${one}`);
  }
  if (status === 401)
    lines.push('give a token with --token or PREFIXD_API_TOKEN, or a certificate with --cert and --key');
  return lines.map(printable).join('\n');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
