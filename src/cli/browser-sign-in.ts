/**
 * Signs in with a browser: it goes to the daemon, from there to the provider, and comes back to a port of this machine with
 * a code (RFC 8252 §7.3), which only this process can redeem (RFC 7636).
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorText } from '../net/text.ts';
import { CliError, Exit, inputLines, type Io } from './command-context.ts';

/** Time for the way through the browser (ms). */
const PATIENCE_MS = 600_000;

/** What the browser brought, for the daemon. */
export interface BrowserCode {
  readonly code: string;
  readonly verifier: string;
}

/** Why nobody is signed in, by the daemon's code. */
const REASONS: Readonly<Record<string, string>> = {
  denied: 'the provider refused',
  expired: 'it took too long, or began in another browser; try again',
  no_role: 'you have no role here: ask an administrator for http.auth.sign_in.oidc.grants',
  unavailable: "the provider does not answer; the daemon's log says more",
  failed: "the provider's answer is not valid; the daemon's log says more",
};

const PAGE = 'You are signed in to prefixd. You can close this page and return to the terminal.\n';
const FAILED = 'You are not signed in to prefixd; the terminal says why.\n';

/** Prints the address for the browser and waits for the code. CliError 3 if nobody is signed in, 1 if it takes too long. */
export async function signInWithBrowser(io: Io, begin: string, port = 0): Promise<BrowserCode> {
  const [verifier, state] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')];
  const server = createServer();
  const bound = await listen(server, port);
  try {
    const address = new URL(begin);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    address.search = new URLSearchParams({ port: String(bound), challenge, state }).toString();
    io.stderr.write(`Open this page in a browser to sign in:\n\n  ${address.href}\n\n`);
    if (io.inputIsTerminal) {
      io.stderr.write(
        'If the browser is on another machine, it ends at a page of 127.0.0.1 that it cannot open:\n',
      );
      io.stderr.write('copy the address of that page, paste it here, and press Enter.\n');
    }
    return { code: await arrival(io, server, state), verifier };
  } finally {
    // Ends the wait for an address that nobody pastes.
    if (io.inputIsTerminal) io.stdin.destroy();
    server.close();
    server.closeAllConnections();
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new CliError(Exit.Other, `cannot listen at 127.0.0.1:${port}: ${errorText(error)}`)),
    );
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Resolves with the code of the first address with our state: from the browser, or pasted. */
function arrival(io: Io, server: Server, state: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new CliError(Exit.Other, 'nobody has signed in within 10 minutes')),
      PATIENCE_MS,
    );
    const settle = (result: ArrivalResult): void => {
      clearTimeout(late);
      if ('code' in result) resolve(result.code);
      else
        reject(new CliError(Exit.NotAuthorised, `not signed in: ${REASONS[result.error] ?? result.error}`));
    };
    server.on('request', (request, response) => {
      const result = readArrival(request.url ?? '', state);
      response.writeHead(result === undefined ? 404 : 200, {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': 'no-store',
        connection: 'close',
      });
      response.end(result === undefined ? '' : 'code' in result ? PAGE : FAILED, () => {
        if (result !== undefined) settle(result);
      });
    });
    if (io.inputIsTerminal) void pasted(io, state, settle);
  });
}

async function pasted(io: Io, state: string, settle: (result: ArrivalResult) => void): Promise<void> {
  for await (const line of linesUntilDestroyed(io)) {
    const result = readArrival(line.trim(), state);
    if (result !== undefined) return settle(result);
    io.stderr.write('This is not the address of the last page; it begins with http://127.0.0.1:\n');
  }
}

/** Yields lines; ends in order when standard input is destroyed. */
async function* linesUntilDestroyed(io: Io): AsyncIterable<string> {
  try {
    yield* inputLines(io);
  } catch (error) {
    if (!io.stdin.destroyed) throw error;
  }
}

type ArrivalResult = { readonly code: string } | { readonly error: string };

/** Reads an address to which the browser came; undefined if it is not ours. */
function readArrival(address: string, state: string): ArrivalResult | undefined {
  const url = URL.canParse(address, 'http://127.0.0.1') ? new URL(address, 'http://127.0.0.1') : undefined;
  if (url?.pathname !== '/' || url.searchParams.get('state') !== state) return undefined;
  const [code, error] = [url.searchParams.get('code'), url.searchParams.get('error')];
  if (code !== null) return { code };
  return error === null ? undefined : { error: error.replace(/[^\w-]/g, '').slice(0, 64) };
}
