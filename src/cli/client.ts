/**
 * HTTP calls for one-line tools: `node:http` is part of the program already, where loading an HTTP client takes longer than the
 * call itself.
 */
import { readFile } from 'node:fs/promises';
import type { ClientRequest, RequestOptions } from 'node:http';
import { CliError, type Context, Exit, type ExitCode } from './context.ts';
import { printable } from './render.ts';

/** Limits of one call (ms). */
export interface CallLimits {
  readonly connectMs: number;
  readonly answerMs: number;
}

/** PEM texts for TLS. */
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

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Connections to one server, kept open between calls. */
export interface Transport {
  send(url: string, call: Call): Promise<Answer>;
  close(): void;
}

/** Codes of the errors of a call that takes too long. */
export const Late = {
  Connect: 'CONNECT_TIMEOUT',
  Headers: 'HEADERS_TIMEOUT',
  Body: 'BODY_TIMEOUT',
} as const;

/** A transport for URLs that begin with `base`. Nothing is sent yet; certificates that cannot be used fail the first call. */
export async function openTransport(
  base: string,
  certificates: Certificates,
  limits: CallLimits,
): Promise<Transport> {
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
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(connectMs + answerMs);
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request({ method, headers: { ...headers, ...length }, signal });
    let late: string = Late.Headers;
    sent.once('error', reject);
    sent.once('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => sent.destroy(coded(Late.Connect)), connectMs);
      socket.once(connected, () => clearTimeout(timer));
      sent.once('close', () => clearTimeout(timer));
    });
    sent.setTimeout(answerMs, () => sent.destroy(coded(late)));
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

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

// Why there is no answer, in words that say what to do.

/** Codes with which TLS says that this side must show a certificate, or another one. */
const CERTIFICATE_WANTED = /ALERT_(CERTIFICATE_|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/;

/** How long the API may take to say why it hangs up (ms). */
const PROBE_MS = 1_000;

/** Codes with which OpenSSL refuses what `--cert` and `--key` hold. */
const OWN_CERTIFICATE = /^ERR_OSSL_(PEM|X509|EVP|ASN1)_/;

/** Codes of a certificate that no known CA signed. */
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
  [Late.Headers]: 'it accepted the call, but did not answer before the timeout',
  [Late.Body]: 'it stopped in the middle of its answer',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; write http:// if that is meant',
};

/**
 * The failure of a call to `base`. In TLS 1.3 the handshake ends before the server looks at the certificate, so that its
 * refusal reaches a client of HTTP as a mere hang-up; it is asked for once more then.
 */
export async function connectionError(base: string, error: unknown, ca?: string): Promise<CliError> {
  const cause = rootOf(error);
  const code = codeOf(cause);
  // A server of TLS that is spoken to without answers octets that are no HTTP.
  const hungUp = code === 'ECONNRESET' || code.startsWith('HPE_');
  const alert = hungUp && base.startsWith('https:') ? await tlsAlert(base, ca) : code;
  if (CERTIFICATE_WANTED.test(alert)) {
    const advice = 'give one that its CA signed with --cert and --key';
    return new CliError(Exit.NotAuthorised, `${base} wants another client certificate: ${advice} (${alert})`);
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  if (OWN_CERTIFICATE.test(code)) {
    const advice = 'they take PEM files that belong together';
    return new CliError(Exit.InvalidInput, `--cert and --key cannot be used: ${advice} (${message})`);
  }
  const late = cause instanceof Error && cause.name === 'TimeoutError';
  let why = WHY[code] ?? (late ? 'no response before the timeout' : message);
  if (UNTRUSTED.has(code)) {
    why = `its certificate is not trusted: ${ca === undefined ? 'give the CA with --cacert' : '--cacert is not the CA that signed it'}`;
  } else if (hungUp && base.startsWith('http:')) {
    why = 'it hung up without an answer; write https:// if it speaks TLS';
  }
  return new CliError(
    Exit.CannotConnect,
    `cannot connect to ${base}: ${why} (another address: --api or PREFIXD_API)`,
  );
}

/** The code of the alert with which the server ends a TLS connection; empty when it does not. */
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
    // Only a side that reads hears the alert.
    socket.resume();
  });
}

/** A failed handshake that a write meets first is EPROTO; OpenSSL's reason is in the message then. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) return '';
  const reason = /:SSL routines:[^:]*:([^:]+)/.exec(error.message)?.[1];
  if (error.code !== 'EPROTO' || reason === undefined) return String(error.code);
  return `ERR_SSL_${reason.replaceAll(' ', '_').toUpperCase()}`;
}

/** The error behind the error; of several addresses that failed, the first. */
function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (error instanceof Error && error.cause instanceof Error) return rootOf(error.cause);
  return error;
}

// Calls the API of a daemon, and turns what goes wrong into a message and an exit code.

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
