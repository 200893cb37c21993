/**
 * Calls the API of a daemon over HTTP and turns failures into messages and exit codes. Uses `node:http`, because loading an
 * HTTP client library would take longer than the call itself.
 */
import { readFile } from 'node:fs/promises';
import type { ClientRequest, RequestOptions } from 'node:http';
import { errorText, parseJson } from '../net/text.ts';
import { CliError, type CommandContext, Exit, type ExitCode } from './command-context.ts';
import { printable } from './tables.ts';

/** Limits the time of one call (ms). */
export interface CallLimits {
  readonly connectMs: number;
  readonly answerMs: number;
}

/** Holds PEM texts for TLS. */
export interface Certificates {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Sends calls to one server and keeps its connections open between calls. */
export interface HttpTransport {
  send(url: string, call: Call): Promise<HttpAnswer>;
  close(): void;
}

/** Names the error codes of a call that takes too long. */
export const Late = {
  Connect: 'CONNECT_TIMEOUT',
  Headers: 'HEADERS_TIMEOUT',
  Body: 'BODY_TIMEOUT',
} as const;

/** Creates a transport for URLs that begin with `base`. Sends nothing yet; an unusable certificate fails the first call. */
export async function openTransport(
  base: string,
  certificates: Certificates,
  limits: CallLimits,
): Promise<HttpTransport> {
  const isTls = base.startsWith('https:');
  const { Agent, request } = isTls ? await import('node:https') : await import('node:http');
  const agent = new Agent({ keepAlive: true, ...certificates });
  return {
    send: (url, call) =>
      exchange(
        (options) => request(url, { agent, ...options }),
        call,
        limits,
        isTls ? 'secureConnect' : 'connect',
      ),
    close: () => agent.destroy(),
  };
}

function exchange(
  request: (options: RequestOptions) => ClientRequest,
  { method, headers, body }: Call,
  { connectMs, answerMs }: CallLimits,
  connected: 'connect' | 'secureConnect',
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(connectMs + answerMs);
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request({ method, headers: { ...headers, ...length }, signal });
    let late: string = Late.Headers;
    sent.once('error', reject);
    sent.once('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => sent.destroy(errorWithCode(Late.Connect)), connectMs);
      socket.once(connected, () => clearTimeout(timer));
      sent.once('close', () => clearTimeout(timer));
    });
    sent.setTimeout(answerMs, () => sent.destroy(errorWithCode(late)));
    sent.once('response', (response) => {
      late = Late.Body;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.end(body);
  });
}

function errorWithCode(code: string): Error {
  return Object.assign(new Error(code), { code });
}

// Explains why there is no answer, and what to do.

/** Matches the TLS alerts of a server that wants a client certificate, or a different one. */
const CERTIFICATE_WANTED = /ALERT_(CERTIFICATE_|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/;

/** Waits this long for the TLS alert that explains a closed connection (ms). */
const PROBE_MS = 1_000;

/** Matches the OpenSSL errors of an unusable `--cert` or `--key` file. */
const OWN_CERTIFICATE = /^ERR_OSSL_(PEM|X509|EVP|ASN1)_/;

/** Lists the error codes of a certificate that no known CA signed. */
const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused; is the daemon running?',
  ENOTFOUND: 'unknown host',
  EHOSTUNREACH: 'host unreachable',
  [Late.Connect]: 'no response before the timeout',
  [Late.Headers]: 'it accepted the connection, but sent no response before the timeout',
  [Late.Body]: 'the response stopped before it was complete',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server does not use TLS; try http:// instead of https://',
};

/**
 * Describes the failure of a call to `base`. In TLS 1.3 the handshake completes before the server checks the client
 * certificate, so a refusal reaches the HTTP client only as a closed connection. A second connection then asks for the alert.
 */
export async function connectionError(base: string, error: unknown, ca?: string): Promise<CliError> {
  const cause = rootOf(error);
  const code = codeOf(cause);
  // A TLS server answers a plain HTTP request with bytes that are not HTTP.
  const hungUp = code === 'ECONNRESET' || code.startsWith('HPE_');
  const alert = hungUp && base.startsWith('https:') ? await tlsAlert(base, ca) : code;
  if (CERTIFICATE_WANTED.test(alert)) {
    const advice = 'use --cert and --key with a certificate that its CA signed';
    return new CliError(
      Exit.NotAuthorised,
      `${base} does not accept the client certificate: ${advice} (${alert})`,
    );
  }
  const message = errorText(cause);
  if (OWN_CERTIFICATE.test(code)) {
    const advice = 'both must be PEM files, and the key must match the certificate';
    return new CliError(Exit.InvalidInput, `--cert and --key cannot be used: ${advice} (${message})`);
  }
  const late = cause instanceof Error && cause.name === 'TimeoutError';
  let why = WHY[code] ?? (late ? 'no response before the timeout' : message);
  if (UNTRUSTED.has(code)) {
    why = `its certificate is not trusted: ${ca === undefined ? 'name its CA with --cacert' : 'it was not signed by the CA in --cacert'}`;
  } else if (hungUp && base.startsWith('http:')) {
    why = 'it closed the connection without a response; try https:// if the server uses TLS';
  }
  return new CliError(
    Exit.CannotConnect,
    `cannot connect to ${base}: ${why} (to use another address: --api or PREFIXD_API)`,
  );
}

/** Returns the code of the TLS alert with which the server closes a connection; '' if it sends none. */
async function tlsAlert(base: string, ca: string | undefined): Promise<string> {
  const { connect } = await import('node:tls');
  const { hostname, port } = new URL(base);
  const host = hostname.replaceAll(/[[\]]/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port || 443), ...(ca === undefined ? {} : { ca }) });
    const done = (code: string): void => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(PROBE_MS, () => done(''));
    socket.once('error', (error) => done(codeOf(error)));
    socket.once('close', () => done(''));
    // The alert arrives only while the socket is being read.
    socket.resume();
  });
}

/** Returns the error's code. If a write fails on a broken handshake, the code is EPROTO and OpenSSL's reason is in the message. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) return '';
  const reason = /:SSL routines:[^:]*:([^:]+)/.exec(error.message)?.[1];
  if (error.code !== 'EPROTO' || reason === undefined) return String(error.code);
  return `ERR_SSL_${reason.replaceAll(' ', '_').toUpperCase()}`;
}

/** Returns the innermost cause; if several addresses failed, the cause of the first. */
function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (error instanceof Error && error.cause instanceof Error) return rootOf(error.cause);
  return error;
}

// Calls the API of one daemon.

export const DEFAULT_API = 'http://127.0.0.1:8080';

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 30_000;

/** Calls the API of one daemon. Paths begin with `/v1/`; failures are CliErrors. */
export interface ApiClient {
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  remove(path: string): Promise<unknown>;
  close(): void;
}

/** Returns the API's base URL: `--api`, else PREFIXD_API, else 127.0.0.1:8080. CliError 5 if it is invalid. */
export function apiBase(context: CommandContext): string {
  // An empty variable counts as unset, as with the token.
  const said = context.options.api ?? (context.io.env.PREFIXD_API || DEFAULT_API);
  const text = said.includes('://') ? said : `http://${said}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new CliError(
      Exit.InvalidInput,
      `invalid API address "${said}": expected a URL such as ${DEFAULT_API}`,
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** Creates a client for the daemon that the options name. Sends nothing yet. */
export async function openClient(
  context: CommandContext,
  limits: Partial<CallLimits> = {},
): Promise<ApiClient> {
  const base = apiBase(context);
  const { cacert, cert, key } = context.options;
  const token =
    context.options.token ?? (context.io.env.PREFIXD_API_TOKEN || (await signedIn(context, base)));
  if ((cert === undefined) !== (key === undefined)) {
    throw new CliError(Exit.InvalidInput, '--cert and --key must be used together');
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
      'x-prefixd-request': '1',
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

/** Returns the token of `prefixd login`; undefined with a client certificate, or if nobody has signed in. */
async function signedIn({ io, options }: CommandContext, base: string): Promise<string | undefined> {
  if (options.cert !== undefined) return undefined;
  const { savedSignIn } = await import('./sign-in-store.ts');
  return (await savedSignIn(io, base))?.token;
}

/** Runs `use` with a client, prints the warnings of its answers, and closes the client in every case. */
export async function withClient<T>(
  context: CommandContext,
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

/** Prints an answer's warning, except with `-f json`, where it is in the answer. */
function warnOf(context: CommandContext, answer: unknown): unknown {
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
    const why = errorText(error);
    throw new CliError(Exit.InvalidInput, `cannot read ${path}: ${why}`);
  }
}

function readAnswer(status: number, text: string): unknown {
  const body = parseJson(text);
  if (status >= 200 && status < 300) {
    if (text !== '' && body === undefined)
      throw new CliError(Exit.Other, 'the response is not JSON; is this the address of the API?');
    return body;
  }
  throw new ApiError(status, body);
}

/** Reports an error response of the API. */
export class ApiError extends CliError {
  readonly status: number;
  /** Describes the effect that the daemon wants confirmed; undefined for any other error. */
  readonly unconfirmed: string | undefined;

  constructor(status: number, body: unknown) {
    super(exitCodeOf(status), messageOf(status, body));
    this.status = status;
    const { reason, effect, detail } = Object(body);
    this.unconfirmed = reason === 'needs_confirmation' ? String(effect ?? detail) : undefined;
  }
}

/** Returns true if a later attempt may succeed: the daemon is unreachable, restarting or overloaded, or its disk is full. */
export function isTemporary(error: unknown): error is CliError {
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
    lines.push(
      'use --token or PREFIXD_API_TOKEN, a client certificate with --cert and --key, or prefixd login',
    );
  return lines.map(printable).join('\n');
}
